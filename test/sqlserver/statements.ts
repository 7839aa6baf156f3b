/** The suite's own T-SQL, in one place so that the parser sees all of it; only what the supported servers share. */
export const ACCEPTANCE_STATEMENTS = {
  rows: 'SELECT * FROM dbo.server_metrics ORDER BY id;',
  count: 'SELECT COUNT(*) AS n, COUNT(DISTINCT event_id) AS events FROM dbo.server_metrics;',
  hostnames: 'SELECT DISTINCT hostname FROM dbo.server_metrics;',
  runs: 'SELECT * FROM dbo.runs ORDER BY run_id;',
  gaps: 'SELECT * FROM dbo.seq_gaps ORDER BY run_id, first_seq;',
  sums: `SELECT SUM(last_seq) AS taken, SUM(received) AS received, SUM(lost) AS lost, SUM(missing) AS missing
FROM dbo.runs;`,
  hostSums: `SELECT SUM(samples) AS samples, SUM(received) AS received, SUM(lost) AS lost, SUM(missing) AS missing
FROM dbo.hosts;`,
  accounting: `SELECT hostname, run_id, taken, received, lost, missing, ended, uncertain_tail, log_holes, lost_spool_full,
  lost_crash, lost_dead_letter, lost_expired_in_kafka, lost_skipped_by_operator, lost_before_first_contact, lost_other
FROM dbo.vw_sample_accounting ORDER BY hostname;`,
  ranked: 'SELECT hostname, seq, rn FROM dbo.vw_latest_metrics ORDER BY hostname, rn;',
  latest: 'SELECT hostname, seq FROM dbo.vw_latest_by_host ORDER BY hostname;',
  objects: `SELECT OBJECT_ID(N'dbo.server_metrics', N'U') AS server_metrics, OBJECT_ID(N'dbo.runs', N'U') AS runs,
  OBJECT_ID(N'dbo.seq_gaps', N'U') AS seq_gaps, OBJECT_ID(N'dbo.hosts', N'U') AS hosts,
  OBJECT_ID(N'dbo.consumer_offsets', N'U') AS consumer_offsets, OBJECT_ID(N'dbo.offset_holes', N'U') AS offset_holes,
  OBJECT_ID(N'dbo.vw_latest_metrics', N'V') AS vw_latest_metrics,
  OBJECT_ID(N'dbo.vw_latest_by_host', N'V') AS vw_latest_by_host,
  OBJECT_ID(N'dbo.vw_sample_accounting', N'V') AS vw_sample_accounting;`,
  ledger: 'SELECT version, name FROM dbo.schema_migrations ORDER BY version;',
  newerSchema: "INSERT INTO dbo.schema_migrations (version, name) VALUES (99, N'future');",
  olderSchema: 'DELETE FROM dbo.schema_migrations WHERE version = 99;',
  bareRow: `INSERT INTO dbo.server_metrics (hostname, [timestamp], cpu_percent, memory_percent, disk_percent,
  memory_used_mb, memory_total_mb, disk_used_gb, disk_total_gb, network_bytes_sent, network_bytes_recv, event_id)
VALUES (N'bare', '2026-05-01T12:00:00.123', 1.5, 2.5, 3.5, 1, 2, 3, 4, 5, 6, 0x000102030405060708090A0B0C0D0E0F);`,
  begin: 'BEGIN TRANSACTION;',
  rollback: 'IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;',
  touchHost: "UPDATE dbo.hosts SET samples = samples WHERE hostname = N'host-1';",
  touchOffsets: 'UPDATE dbo.consumer_offsets SET epoch = epoch WHERE partition_id = 0;',
  touchOffsetsSoon: `SET LOCK_TIMEOUT 200;
UPDATE dbo.consumer_offsets SET epoch = epoch WHERE partition_id = 0;`,
} as const;

export type AcceptanceStatement = keyof typeof ACCEPTANCE_STATEMENTS;
