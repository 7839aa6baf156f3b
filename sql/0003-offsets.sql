-- How far each log was loaded, moved in the transaction that loads: the fence. evidence_* describe the message at
-- next_offset - 1; began_at is the time of the first message that the group ever read from the partition. The names are
-- NVARCHAR, since a group may be called anything and its letters must not turn into question marks; the key's 802 bytes
-- stay below the 900 that a clustered one may have. They compare by code unit: group A is not group a.
IF OBJECT_ID(N'dbo.consumer_offsets', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.consumer_offsets (
    group_id NVARCHAR(150) COLLATE Latin1_General_BIN2 NOT NULL,
    topic NVARCHAR(249) COLLATE Latin1_General_BIN2 NOT NULL,
    partition_id INT NOT NULL,
    epoch INT NOT NULL,
    next_offset BIGINT NOT NULL,
    evidence_timestamp DATETIME2(3) NULL,
    evidence_sha256 BINARY(32) NULL,
    began_at DATETIME2(3) NULL,
    updated_at DATETIME2(3) NOT NULL CONSTRAINT df_consumer_offsets_updated_at DEFAULT SYSUTCDATETIME(),
    CONSTRAINT pk_consumer_offsets PRIMARY KEY (group_id, topic, partition_id),
    CONSTRAINT ck_consumer_offsets_position CHECK (epoch >= 0 AND next_offset >= 0),
    CONSTRAINT ck_consumer_offsets_evidence CHECK (
      (evidence_timestamp IS NULL AND evidence_sha256 IS NULL)
      OR (evidence_timestamp IS NOT NULL AND evidence_sha256 IS NOT NULL)
    )
  );
END;
GO

-- Messages that a log no longer had when they were due, or that a person had the reader pass over. next_offset NULL: the
-- topic was made anew, nobody knows.
IF OBJECT_ID(N'dbo.offset_holes', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.offset_holes (
    group_id NVARCHAR(150) COLLATE Latin1_General_BIN2 NOT NULL,
    topic NVARCHAR(249) COLLATE Latin1_General_BIN2 NOT NULL,
    partition_id INT NOT NULL,
    epoch INT NOT NULL,
    first_offset BIGINT NOT NULL,
    next_offset BIGINT NULL,
    reason NVARCHAR(40) COLLATE Latin1_General_BIN2 NOT NULL,
    found_at DATETIME2(3) NOT NULL,
    CONSTRAINT pk_offset_holes PRIMARY KEY (group_id, topic, partition_id, epoch, first_offset)
  );
  CREATE INDEX idx_offset_holes_found ON dbo.offset_holes (found_at);
END;
GO

IF OBJECT_ID(N'dbo.consumer_offsets', N'U') IS NOT NULL AND OBJECT_ID(N'dbo.offset_holes', N'U') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM dbo.schema_migrations WHERE version = 3)
BEGIN
  INSERT INTO dbo.schema_migrations (version, name) VALUES (3, N'offsets');
END;
GO
