-- The accounts: what became of every sequence number of every run. A number from 1 to last_seq that lies in no gap was
-- received. received, lost and missing are sums over the gaps, kept beside them so that reading them costs nothing.
-- last_seq_by_partition is JSON, { "<partition>": [seq, epoch, offset] }: the greatest number that each partition
-- brought and where it lay. ended is what the agent told, NULL while the run goes on or died unheard. uncertain: the
-- agent said that it was guessing. version counts the writes of the row: a load writes only over the one it read.
-- idx_runs_missing has a key that stays where it is: in one by missing, which loads change, a reader without
-- READ_COMMITTED_SNAPSHOT could pass over a row that moved behind it meanwhile, and sum up 0 where it never was.
IF OBJECT_ID(N'dbo.runs', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.runs (
    run_id BINARY(16) NOT NULL,
    hostname NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL,
    first_seen DATETIME2(3) NOT NULL,
    last_seen DATETIME2(3) NOT NULL,
    last_seq BIGINT NOT NULL,
    last_seq_by_partition NVARCHAR(MAX) NOT NULL,
    ended NVARCHAR(7) COLLATE Latin1_General_BIN2 NULL,
    uncertain BIT NOT NULL,
    received BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    version INT NOT NULL,
    CONSTRAINT pk_runs PRIMARY KEY (run_id),
    CONSTRAINT ck_runs_last_seq CHECK (last_seq >= 1),
    CONSTRAINT ck_runs_ended CHECK (ended IS NULL OR ended = N'clean' OR ended = N'unclean'),
    CONSTRAINT ck_runs_counts CHECK (received >= 0 AND lost >= 0 AND missing >= 0),
    CONSTRAINT ck_runs_sum CHECK (received + lost + missing = last_seq),
    CONSTRAINT ck_runs_version CHECK (version >= 1)
  );
  CREATE INDEX idx_runs_hostname ON dbo.runs (hostname);
  CREATE INDEX idx_runs_missing ON dbo.runs (run_id) INCLUDE (missing);
END;
GO

-- Numbers that were not received. reason NULL: nobody has said why.
IF OBJECT_ID(N'dbo.seq_gaps', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.seq_gaps (
    run_id BINARY(16) NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    reason NVARCHAR(40) COLLATE Latin1_General_BIN2 NULL,
    CONSTRAINT pk_seq_gaps PRIMARY KEY (run_id, first_seq),
    CONSTRAINT fk_seq_gaps_run FOREIGN KEY (run_id) REFERENCES dbo.runs (run_id),
    CONSTRAINT ck_seq_gaps_order CHECK (first_seq >= 1 AND last_seq >= first_seq)
  );
END;
GO

-- The fleet. samples counts the rows inserted for the host, those of other producers included; received, lost and
-- missing are the sums over its runs. retired_at: a person said that the host is gone.
IF OBJECT_ID(N'dbo.hosts', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.hosts (
    hostname NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL,
    first_seen DATETIME2(3) NULL,
    last_seen DATETIME2(3) NULL,
    agent_version NVARCHAR(64) NULL,
    spool_depth BIGINT NULL,
    spool_bytes BIGINT NULL,
    spool_oldest_age_seconds DECIMAL(15,2) NULL,
    samples BIGINT NOT NULL,
    received BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    retired_at DATETIME2(3) NULL,
    CONSTRAINT pk_hosts PRIMARY KEY (hostname)
  );
END;
GO

IF OBJECT_ID(N'dbo.hosts', N'U') IS NOT NULL AND OBJECT_ID(N'dbo.seq_gaps', N'U') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM dbo.schema_migrations WHERE version = 2)
BEGIN
  INSERT INTO dbo.schema_migrations (version, name) VALUES (2, N'accounts');
END;
GO
