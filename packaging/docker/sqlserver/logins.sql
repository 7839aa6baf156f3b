-- The logins of the stack, after roles.sql, in the database: hostspool loads, grafana reads, and neither may do more.
-- May be run again; then it sets the passwords anew. The variables are sqlcmd's, from its environment.
IF SUSER_ID(N'hostspool') IS NULL
  CREATE LOGIN hostspool WITH PASSWORD = N'$(WRITER_PASSWORD)', DEFAULT_DATABASE = monitoring;
ELSE
  ALTER LOGIN hostspool WITH PASSWORD = N'$(WRITER_PASSWORD)';
IF SUSER_ID(N'grafana') IS NULL
  CREATE LOGIN grafana WITH PASSWORD = N'$(READER_PASSWORD)', DEFAULT_DATABASE = monitoring;
ELSE
  ALTER LOGIN grafana WITH PASSWORD = N'$(READER_PASSWORD)';
GO
IF USER_ID(N'hostspool') IS NULL
  CREATE USER hostspool FOR LOGIN hostspool;
IF USER_ID(N'grafana') IS NULL
  CREATE USER grafana FOR LOGIN grafana;
GO
ALTER ROLE hostspool_writer ADD MEMBER hostspool;
ALTER ROLE hostspool_reader ADD MEMBER grafana;
GO
-- So that dashboards do not wait behind loads.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'monitoring' AND is_read_committed_snapshot_on = 0)
  ALTER DATABASE monitoring SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
GO
