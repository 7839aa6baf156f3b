-- The views list their columns: one over * would not see columns that later migrations add, and would mix up those it
-- has. A later migration that changes a view drops it and makes it anew in one transaction, and grants are given again.

-- Every sample with its rank within its host: rn = 1 is the newest. A clock that is more than a day ahead is no news:
-- such rows are kept and left out here. Reads the whole table; vw_latest_by_host does not.
IF OBJECT_ID(N'dbo.vw_latest_metrics', N'V') IS NULL EXEC(N'
  CREATE VIEW dbo.vw_latest_metrics AS
  SELECT
    m.id, m.hostname, m.[timestamp], m.cpu_percent, m.memory_percent, m.disk_percent, m.memory_used_mb,
    m.memory_total_mb, m.disk_used_gb, m.disk_total_gb, m.network_bytes_sent, m.network_bytes_recv,
    m.created_at, m.event_id, m.run_id, m.seq, m.cpu_user_percent, m.cpu_system_percent, m.cpu_iowait_percent,
    m.cpu_steal_percent, m.cpu_count, m.load_1, m.load_5, m.load_15, m.memory_available_mb, m.swap_total_mb,
    m.swap_used_mb, m.swap_percent, m.disk_read_bytes, m.disk_write_bytes, m.uptime_seconds, m.process_count,
    m.pressure_cpu_some_percent, m.pressure_memory_some_percent, m.pressure_memory_full_percent,
    m.pressure_io_some_percent, m.pressure_io_full_percent, m.agent_version, m.spool_depth, m.spool_bytes,
    m.spool_oldest_age_seconds, m.clock_stepped_ms,
    ROW_NUMBER() OVER (PARTITION BY m.hostname ORDER BY m.[timestamp] DESC, m.id DESC) AS rn
  FROM dbo.server_metrics AS m
  WHERE m.[timestamp] <= DATEADD(HOUR, 24, SYSUTCDATETIME())
');
GO

-- The newest sample of each host: two looks into the index per host, however many rows there are. The index has those of
-- one time by ascending id, so to ask it for the newest by both at once would sort all that the host has.
IF OBJECT_ID(N'dbo.vw_latest_by_host', N'V') IS NULL EXEC(N'
  CREATE VIEW dbo.vw_latest_by_host AS
  SELECT
    m.id, m.hostname, m.[timestamp], m.cpu_percent, m.memory_percent, m.disk_percent, m.memory_used_mb,
    m.memory_total_mb, m.disk_used_gb, m.disk_total_gb, m.network_bytes_sent, m.network_bytes_recv,
    m.created_at, m.event_id, m.run_id, m.seq, m.cpu_user_percent, m.cpu_system_percent, m.cpu_iowait_percent,
    m.cpu_steal_percent, m.cpu_count, m.load_1, m.load_5, m.load_15, m.memory_available_mb, m.swap_total_mb,
    m.swap_used_mb, m.swap_percent, m.disk_read_bytes, m.disk_write_bytes, m.uptime_seconds, m.process_count,
    m.pressure_cpu_some_percent, m.pressure_memory_some_percent, m.pressure_memory_full_percent,
    m.pressure_io_some_percent, m.pressure_io_full_percent, m.agent_version, m.spool_depth, m.spool_bytes,
    m.spool_oldest_age_seconds, m.clock_stepped_ms
  FROM dbo.hosts AS h
  CROSS APPLY (
    SELECT TOP (1) t.[timestamp]
    FROM dbo.server_metrics AS t
    WHERE t.hostname = h.hostname AND t.[timestamp] <= DATEADD(HOUR, 24, SYSUTCDATETIME())
    ORDER BY t.[timestamp] DESC
  ) AS n
  CROSS APPLY (
    SELECT TOP (1) s.*
    FROM dbo.server_metrics AS s
    WHERE s.hostname = h.hostname AND s.[timestamp] = n.[timestamp]
    ORDER BY s.id DESC
  ) AS m
');
GO

-- The proof: one row per run, and on every row taken = received + lost + missing. SELECT SUM(missing) is what has to be
-- 0. lost_other holds reasons that this version does not know. uncertain_tail: whether the agent was guessing, so that
-- more may have been taken than is known. log_holes: holes found in any log since the run was first heard of.
IF OBJECT_ID(N'dbo.vw_sample_accounting', N'V') IS NULL EXEC(N'
  CREATE VIEW dbo.vw_sample_accounting AS
  SELECT
    r.hostname,
    r.run_id,
    r.first_seen,
    r.last_seen,
    r.ended,
    r.last_seq AS taken,
    r.received,
    r.lost,
    r.missing,
    r.uncertain AS uncertain_tail,
    (SELECT COUNT(*) FROM dbo.offset_holes AS o WHERE o.found_at >= r.first_seen) AS log_holes,
    COALESCE(g.lost_spool_full, 0) AS lost_spool_full,
    COALESCE(g.lost_spool_expired, 0) AS lost_spool_expired,
    COALESCE(g.lost_disk_full, 0) AS lost_disk_full,
    COALESCE(g.lost_spool_unwritable, 0) AS lost_spool_unwritable,
    COALESCE(g.lost_spool_corrupt, 0) AS lost_spool_corrupt,
    COALESCE(g.lost_crash, 0) AS lost_crash,
    COALESCE(g.lost_refused_by_kafka, 0) AS lost_refused_by_kafka,
    COALESCE(g.lost_dead_letter, 0) AS lost_dead_letter,
    COALESCE(g.lost_expired_in_kafka, 0) AS lost_expired_in_kafka,
    COALESCE(g.lost_topic_recreated, 0) AS lost_topic_recreated,
    COALESCE(g.lost_skipped_by_operator, 0) AS lost_skipped_by_operator,
    COALESCE(g.lost_before_first_contact, 0) AS lost_before_first_contact,
    COALESCE(g.lost_other, 0) AS lost_other
  FROM dbo.runs AS r
  LEFT JOIN (
    SELECT
      run_id,
      SUM(CASE WHEN reason = N''spool_full'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_spool_full,
      SUM(CASE WHEN reason = N''spool_expired'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_spool_expired,
      SUM(CASE WHEN reason = N''disk_full'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_disk_full,
      SUM(CASE WHEN reason = N''spool_unwritable'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_spool_unwritable,
      SUM(CASE WHEN reason = N''spool_corrupt'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_spool_corrupt,
      SUM(CASE WHEN reason = N''crash'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_crash,
      SUM(CASE WHEN reason = N''refused_by_kafka'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_refused_by_kafka,
      SUM(CASE WHEN reason = N''dead_letter'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_dead_letter,
      SUM(CASE WHEN reason = N''expired_in_kafka'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_expired_in_kafka,
      SUM(CASE WHEN reason = N''topic_recreated'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_topic_recreated,
      SUM(CASE WHEN reason = N''skipped_by_operator'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_skipped_by_operator,
      SUM(CASE WHEN reason = N''before_first_contact'' THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_before_first_contact,
      SUM(CASE WHEN reason NOT IN (
        N''spool_full'', N''spool_expired'', N''disk_full'', N''spool_unwritable'', N''spool_corrupt'', N''crash'',
        N''refused_by_kafka'', N''dead_letter'', N''expired_in_kafka'', N''topic_recreated'', N''skipped_by_operator'',
        N''before_first_contact''
      ) THEN last_seq - first_seq + 1 ELSE 0 END) AS lost_other
    FROM dbo.seq_gaps
    GROUP BY run_id
  ) AS g ON g.run_id = r.run_id
');
GO

IF OBJECT_ID(N'dbo.vw_sample_accounting', N'V') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM dbo.schema_migrations WHERE version = 4)
BEGIN
  INSERT INTO dbo.schema_migrations (version, name) VALUES (4, N'views');
END;
GO
