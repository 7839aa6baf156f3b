/**
 * Every statement that the sink sends, by the name of its step. Each begins with a comment that names it, so that it
 * can be found in the server's own views and traces; docs/sqlserver.md says what each of them means.
 */
import { loadBatch } from './load-batch.ts';
import { rightsText } from './rights.ts';
import { createTableText, STAGING_TABLES } from './staging-tables.ts';

const OFFSETS = 'partition_id, epoch, next_offset, evidence_timestamp, evidence_sha256, began_at';
const HOLES = 'partition_id, epoch, first_offset, next_offset, reason, found_at';
const RUNS = `r.run_id, r.hostname, r.first_seen, r.last_seen, r.last_seq, r.last_seq_by_partition, r.ended, r.uncertain,
  r.version`;
const HOSTS = `hostname, first_seen, last_seen, agent_version, spool_depth, spool_bytes, spool_oldest_age_seconds, samples,
  received, lost, missing, retired_at`;

/** Batches run without parameters, on a connection that keeps what they make. */
const BATCHES = {
  'stage-tables': STAGING_TABLES.map(createTableText).join('\n'),
  'empty-tables': STAGING_TABLES.map(({ name }) => `TRUNCATE TABLE ${name};`).join('\n'),
  'want-unexplained': 'INSERT INTO #wanted (run_id) SELECT run_id FROM dbo.runs WHERE missing > 0;',
  'read-runs': `SELECT ${RUNS} FROM dbo.runs AS r JOIN #wanted AS w ON w.run_id = r.run_id;`,
  'read-gaps': `SELECT g.run_id, g.first_seq, g.last_seq, g.reason
FROM dbo.seq_gaps AS g JOIN #wanted AS w ON w.run_id = g.run_id
ORDER BY g.run_id, g.first_seq;`,
  'read-versions': 'SELECT k.run_id, k.version FROM dbo.runs AS k JOIN #runs AS r ON r.run_id = k.run_id;',
  'find-ledger': `SELECT OBJECT_ID(N'dbo.schema_migrations', N'U') AS ledger;`,
  'read-ledger': 'SELECT version, name, applied_at FROM dbo.schema_migrations ORDER BY version;',
  'create-ledger': `IF OBJECT_ID(N'dbo.schema_migrations', N'U') IS NULL
BEGIN
  CREATE TABLE dbo.schema_migrations (
    version INT NOT NULL,
    name NVARCHAR(100) NOT NULL,
    applied_at DATETIME2(3) NOT NULL CONSTRAINT df_schema_migrations_applied_at DEFAULT SYSUTCDATETIME(),
    CONSTRAINT pk_schema_migrations PRIMARY KEY (version)
  );
END;`,
  'begin-migration': 'SET XACT_ABORT ON;\nBEGIN TRANSACTION;',
  'commit-migration': 'COMMIT TRANSACTION;',
  'list-hosts': `SELECT ${HOSTS} FROM dbo.hosts ORDER BY hostname;`,
  'check-database': `SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(60)) AS updateability,
  (SELECT d.is_read_committed_snapshot_on FROM sys.databases AS d WHERE d.name = DB_NAME()) AS snapshot,
  CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS utc_now;`,
  'check-encryption': `SELECT CAST(c.encrypt_option AS NVARCHAR(40)) AS encrypt_option
FROM sys.dm_exec_connections AS c WHERE c.session_id = @@SPID;`,
  'check-rights': rightsText(),
  'check-server-rights': `SELECT HAS_PERMS_BY_NAME(NULL, NULL, N'CREATE ANY DATABASE') AS [CREATE ANY DATABASE];`,
} as const;

/** Statements with parameters. */
const QUERIES = {
  'read-offsets': `SELECT ${OFFSETS} FROM dbo.consumer_offsets
WHERE group_id = @group_id AND topic = @topic ORDER BY partition_id;`,
  'read-holes': `SELECT ${HOLES} FROM dbo.offset_holes
WHERE group_id = @group_id AND topic = @topic ORDER BY partition_id, epoch, first_offset;`,
  'claim-migration': 'INSERT INTO dbo.schema_migrations (version, name) VALUES (@version, @name);',
  'retire-host': `UPDATE dbo.hosts SET retired_at = SYSUTCDATETIME() WHERE hostname = @hostname;
SELECT @@ROWCOUNT AS retired;`,
  'expire-rows': `DELETE FROM dbo.server_metrics
WHERE created_at < @before AND id <= (
  SELECT MAX(o.id) FROM (SELECT TOP (4000) m.id FROM dbo.server_metrics AS m ORDER BY m.id) AS o
);
SELECT @@ROWCOUNT AS expired;`,
} as const;

export type BatchName = keyof typeof BATCHES;
export type QueryName = keyof typeof QUERIES | 'load';
export type Statements = Readonly<Record<BatchName | QueryName, string>>;

function named(statements: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(statements).map(([name, sql]) => [name, `/* step: ${name} */\n${sql}`]));
}

export const STATEMENTS = { ...named(BATCHES), ...named(QUERIES), load: loadBatch() } as Statements;

/** A database cannot be named by a parameter. */
export function createDatabaseText(database: string): string {
  return `/* step: create-database */\nCREATE DATABASE [${database.replaceAll(']', ']]')}];`;
}

/** One batch of a migration's file. */
export function migrationBatchText(batch: string): string {
  return `/* step: migration-batch */\n${batch}`;
}
