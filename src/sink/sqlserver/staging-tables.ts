/**
 * The temporary tables that belong to a connection: heaps without keys, filled by bulk loads outside any transaction,
 * read by the one batch that loads. What stands here makes both their CREATE TABLE and the columns of the bulk loads,
 * so the two cannot disagree.
 *
 * Texts are NVARCHAR throughout: a VARCHAR is sent in the code page of the database, and some have none. Names are
 * compared with real tables and therefore have the collation of those; the one of tempdb is anybody's.
 */
import { FIELDS } from '../../sample/fields.ts';

export interface StagingColumn {
  readonly name: string;
  /** As in CREATE TABLE, without collation and nullability. */
  readonly type: string;
  readonly nullable: boolean;
}

export interface StagingTable {
  readonly name: string;
  readonly columns: readonly StagingColumn[];
}

const column = (name: string, type: string): StagingColumn => ({ name, type, nullable: false });
const nullable = (name: string, type: string): StagingColumn => ({ name, type, nullable: true });

/** Rows of server_metrics, numbered from 1 in the order of run and seq. */
export const STAGE: StagingTable = {
  name: '#stage',
  columns: [
    column('n', 'INT'),
    column('hostname', 'NVARCHAR(255)'),
    column('timestamp', 'DATETIME2(3)'),
    column('event_id', 'BINARY(16)'),
    nullable('run_id', 'BINARY(16)'),
    nullable('seq', 'BIGINT'),
    ...FIELDS.map(({ name, kind, required }) => ({ name, type: kind.sqlServer, nullable: !required })),
  ],
};

/** How the offsets are to move. expected_* NULL: there must be no row yet. */
export const FENCE: StagingTable = {
  name: '#fence',
  columns: [
    column('partition_id', 'INT'),
    nullable('expected_epoch', 'INT'),
    nullable('expected_offset', 'BIGINT'),
    column('epoch', 'INT'),
    column('next_offset', 'BIGINT'),
    nullable('evidence_timestamp', 'DATETIME2(3)'),
    nullable('evidence_sha256', 'BINARY(32)'),
    nullable('began_at', 'DATETIME2(3)'),
  ],
};

/** Accounts as they are to become. version: the one they were computed from, 0 for a new one. */
export const RUNS: StagingTable = {
  name: '#runs',
  columns: [
    column('n', 'INT'),
    column('run_id', 'BINARY(16)'),
    column('hostname', 'NVARCHAR(255)'),
    column('first_seen', 'DATETIME2(3)'),
    column('last_seen', 'DATETIME2(3)'),
    column('last_seq', 'BIGINT'),
    column('last_seq_by_partition', 'NVARCHAR(MAX)'),
    nullable('ended', 'NVARCHAR(7)'),
    column('uncertain', 'BIT'),
    column('received', 'BIGINT'),
    column('lost', 'BIGINT'),
    column('missing', 'BIGINT'),
    column('version', 'INT'),
  ],
};

/** What changes in seq_gaps. come: 0 for a gap that goes, 1 for one that comes. */
export const GAPS: StagingTable = {
  name: '#gaps',
  columns: [
    column('n', 'INT'),
    column('come', 'BIT'),
    column('run_id', 'BINARY(16)'),
    column('first_seq', 'BIGINT'),
    column('last_seq', 'BIGINT'),
    nullable('reason', 'NVARCHAR(40)'),
  ],
};

/** One line for each host of the load. received, lost and missing are differences. */
export const HOSTS: StagingTable = {
  name: '#hosts',
  columns: [
    column('n', 'INT'),
    column('hostname', 'NVARCHAR(255)'),
    nullable('first_seen', 'DATETIME2(3)'),
    nullable('last_seen', 'DATETIME2(3)'),
    nullable('agent_version', 'NVARCHAR(64)'),
    nullable('spool_depth', 'BIGINT'),
    nullable('spool_bytes', 'BIGINT'),
    nullable('spool_oldest_age_seconds', 'DECIMAL(15,2)'),
    column('received', 'BIGINT'),
    column('lost', 'BIGINT'),
    column('missing', 'BIGINT'),
  ],
};

export const HOLES: StagingTable = {
  name: '#holes',
  columns: [
    column('partition_id', 'INT'),
    column('epoch', 'INT'),
    column('first_offset', 'BIGINT'),
    nullable('next_offset', 'BIGINT'),
    column('reason', 'NVARCHAR(40)'),
    column('found_at', 'DATETIME2(3)'),
  ],
};

/** Runs whose accounts are to be read. */
export const WANTED: StagingTable = { name: '#wanted', columns: [column('run_id', 'BINARY(16)')] };

export const STAGING_TABLES: readonly StagingTable[] = [STAGE, FENCE, RUNS, GAPS, HOSTS, HOLES, WANTED];

export function createTableText({ name, columns }: StagingTable): string {
  const lines = columns.map(
    (column) => `  [${column.name}] ${column.type}${collation(column)} ${column.nullable ? 'NULL' : 'NOT NULL'}`,
  );
  return `CREATE TABLE ${name} (\n${lines.join(',\n')}\n);`;
}

function collation({ type }: StagingColumn): string {
  return type.startsWith('NVARCHAR') ? ' COLLATE Latin1_General_BIN2' : '';
}
