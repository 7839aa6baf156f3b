-- The samples. The first twelve columns and created_at are those of the plain pipeline's table; the rest is beside
-- them, in the order of src/sample/fields.ts. Times are UTC. The CHECKs are the second line behind the decoder.
-- event_id and run_id are BINARY(16): the bytes of a UUIDv7 sort by time there, so inserts go to the end of the index.
-- hostname compares by code unit whatever the database's collation: web-1 and Web-1 are two hosts.
IF OBJECT_ID(N'dbo.schema_migrations', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.schema_migrations (
    version INT NOT NULL,
    name NVARCHAR(100) NOT NULL,
    applied_at DATETIME2(3) NOT NULL CONSTRAINT df_schema_migrations_applied_at DEFAULT SYSUTCDATETIME(),
    CONSTRAINT pk_schema_migrations PRIMARY KEY (version)
  );
END;
GO

IF OBJECT_ID(N'dbo.server_metrics', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.server_metrics (
    id BIGINT IDENTITY(1, 1) NOT NULL,
    hostname NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL,
    [timestamp] DATETIME2(3) NOT NULL,
    cpu_percent DECIMAL(5,2) NOT NULL,
    memory_percent DECIMAL(5,2) NOT NULL,
    disk_percent DECIMAL(5,2) NOT NULL,
    memory_used_mb DECIMAL(15,2) NOT NULL,
    memory_total_mb DECIMAL(15,2) NOT NULL,
    disk_used_gb DECIMAL(15,2) NOT NULL,
    disk_total_gb DECIMAL(15,2) NOT NULL,
    network_bytes_sent BIGINT NOT NULL,
    network_bytes_recv BIGINT NOT NULL,
    created_at DATETIME2 NOT NULL CONSTRAINT df_server_metrics_created_at DEFAULT SYSUTCDATETIME(),
    event_id BINARY(16) NOT NULL,
    run_id BINARY(16) NULL,
    seq BIGINT NULL,
    cpu_user_percent DECIMAL(5,2) NULL,
    cpu_system_percent DECIMAL(5,2) NULL,
    cpu_iowait_percent DECIMAL(5,2) NULL,
    cpu_steal_percent DECIMAL(5,2) NULL,
    cpu_count INT NULL,
    load_1 DECIMAL(9,2) NULL,
    load_5 DECIMAL(9,2) NULL,
    load_15 DECIMAL(9,2) NULL,
    memory_available_mb DECIMAL(15,2) NULL,
    swap_total_mb DECIMAL(15,2) NULL,
    swap_used_mb DECIMAL(15,2) NULL,
    swap_percent DECIMAL(5,2) NULL,
    disk_read_bytes BIGINT NULL,
    disk_write_bytes BIGINT NULL,
    uptime_seconds DECIMAL(15,2) NULL,
    process_count INT NULL,
    pressure_cpu_some_percent DECIMAL(5,2) NULL,
    pressure_memory_some_percent DECIMAL(5,2) NULL,
    pressure_memory_full_percent DECIMAL(5,2) NULL,
    pressure_io_some_percent DECIMAL(5,2) NULL,
    pressure_io_full_percent DECIMAL(5,2) NULL,
    agent_version NVARCHAR(64) NULL,
    spool_depth BIGINT NULL,
    spool_bytes BIGINT NULL,
    spool_oldest_age_seconds DECIMAL(15,2) NULL,
    clock_stepped_ms BIGINT NULL,
    CONSTRAINT pk_server_metrics PRIMARY KEY (id),
    CONSTRAINT uq_server_metrics_event UNIQUE (event_id),
    CONSTRAINT ck_server_metrics_hostname CHECK (hostname <> N''),
    CONSTRAINT ck_server_metrics_percents CHECK (
      cpu_percent BETWEEN 0 AND 100 AND memory_percent BETWEEN 0 AND 100 AND disk_percent BETWEEN 0 AND 100
    ),
    CONSTRAINT ck_server_metrics_sizes CHECK (
      memory_used_mb >= 0 AND memory_total_mb >= 0 AND disk_used_gb >= 0 AND disk_total_gb >= 0
    ),
    CONSTRAINT ck_server_metrics_counters CHECK (network_bytes_sent >= 0 AND network_bytes_recv >= 0),
    CONSTRAINT ck_server_metrics_run CHECK (
      (run_id IS NULL AND seq IS NULL) OR (run_id IS NOT NULL AND seq IS NOT NULL AND seq >= 1)
    )
  );
  CREATE INDEX idx_hostname_timestamp ON dbo.server_metrics (hostname, [timestamp] DESC);
END;
GO

IF OBJECT_ID(N'dbo.server_metrics', N'U') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM dbo.schema_migrations WHERE version = 1)
BEGIN
  INSERT INTO dbo.schema_migrations (version, name) VALUES (1, N'server-metrics');
END;
GO
