-- Two roles: hostspool_writer may do what loading needs and nothing more, hostspool_reader may read. Run it after
-- `hostspool migrate`, in the database, as its owner; it may be run again, and has to be after a migration that adds
-- tables or changes views. Then, with names and a password of your own:
--
--   CREATE LOGIN hostspool WITH PASSWORD = '…';                   -- in master
--   CREATE USER hostspool FOR LOGIN hostspool;                    -- in the database
--   ALTER ROLE hostspool_writer ADD MEMBER hostspool;
--
-- A writer with this role alone does not migrate: run `hostspool migrate` as another login after each update, or add the
-- writer to db_ddladmin, db_datareader and db_datawriter as well.
IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'hostspool_writer')
  EXEC(N'CREATE ROLE hostspool_writer');
GO
IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'hostspool_reader')
  EXEC(N'CREATE ROLE hostspool_reader');
GO

-- DELETE on server_metrics is for writer.retention; leave it out where rows are kept for ever. UPDATE and DELETE on
-- offset_holes are for `hostspool offsets reset`.
GRANT SELECT, INSERT, DELETE ON dbo.server_metrics TO hostspool_writer;
GRANT SELECT, INSERT, UPDATE ON dbo.runs TO hostspool_writer;
GRANT SELECT, INSERT, DELETE ON dbo.seq_gaps TO hostspool_writer;
GRANT SELECT, INSERT, UPDATE ON dbo.hosts TO hostspool_writer;
GRANT SELECT, INSERT, UPDATE ON dbo.consumer_offsets TO hostspool_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.offset_holes TO hostspool_writer;
GRANT SELECT ON dbo.schema_migrations TO hostspool_writer;
GO

GRANT SELECT ON dbo.server_metrics TO hostspool_reader;
GRANT SELECT ON dbo.runs TO hostspool_reader;
GRANT SELECT ON dbo.seq_gaps TO hostspool_reader;
GRANT SELECT ON dbo.hosts TO hostspool_reader;
GRANT SELECT ON dbo.consumer_offsets TO hostspool_reader;
GRANT SELECT ON dbo.offset_holes TO hostspool_reader;
GRANT SELECT ON dbo.schema_migrations TO hostspool_reader;
GRANT SELECT ON dbo.vw_latest_metrics TO hostspool_reader;
GRANT SELECT ON dbo.vw_latest_by_host TO hostspool_reader;
GRANT SELECT ON dbo.vw_sample_accounting TO hostspool_reader;
GO
