/**
 * The tables as docs/schema.md and docs/sqlserver.md describe them, in this double's own words: name, type, and whether
 * NULL is allowed. Decimals and times are kept as texts, so that nothing is rounded; names compare without regard to
 * spaces at their end, as T-SQL compares.
 */
import type { Column } from './tokens.ts';
import type { Type, TypeName } from './types.ts';

const METRICS = `
  cpu_percent DECIMAL(5,2)!, memory_percent DECIMAL(5,2)!, disk_percent DECIMAL(5,2)!,
  memory_used_mb DECIMAL(15,2)!, memory_total_mb DECIMAL(15,2)!, disk_used_gb DECIMAL(15,2)!, disk_total_gb DECIMAL(15,2)!,
  network_bytes_sent BIGINT!, network_bytes_recv BIGINT!,
  cpu_user_percent DECIMAL(5,2), cpu_system_percent DECIMAL(5,2), cpu_iowait_percent DECIMAL(5,2),
  cpu_steal_percent DECIMAL(5,2), cpu_count INT, load_1 DECIMAL(9,2), load_5 DECIMAL(9,2), load_15 DECIMAL(9,2),
  memory_available_mb DECIMAL(15,2), swap_total_mb DECIMAL(15,2), swap_used_mb DECIMAL(15,2), swap_percent DECIMAL(5,2),
  disk_read_bytes BIGINT, disk_write_bytes BIGINT, uptime_seconds DECIMAL(15,2), process_count INT,
  pressure_cpu_some_percent DECIMAL(5,2), pressure_memory_some_percent DECIMAL(5,2),
  pressure_memory_full_percent DECIMAL(5,2), pressure_io_some_percent DECIMAL(5,2), pressure_io_full_percent DECIMAL(5,2),
  agent_version NVARCHAR(64), spool_depth BIGINT, spool_bytes BIGINT, spool_oldest_age_seconds DECIMAL(15,2),
  clock_stepped_ms BIGINT`;
const IDENTITY =
  'hostname NVARCHAR(255)!, timestamp DATETIME2(3)!, event_id BINARY(16)!, run_id BINARY(16), seq BIGINT';
const RUN = `run_id BINARY(16)!, hostname NVARCHAR(255)!, first_seen DATETIME2(3)!, last_seen DATETIME2(3)!,
  last_seq BIGINT!, last_seq_by_partition NVARCHAR(MAX)!, ended NVARCHAR(7), uncertain BIT!, received BIGINT!,
  lost BIGINT!, missing BIGINT!, version INT!`;
const SAID = `agent_version NVARCHAR(64), spool_depth BIGINT, spool_bytes BIGINT, spool_oldest_age_seconds DECIMAL(15,2)`;
const POSITION = `epoch INT!, next_offset BIGINT!, evidence_timestamp DATETIME2(3), evidence_sha256 BINARY(32),
  began_at DATETIME2(3)`;
const HOLE = `partition_id INT!, epoch INT!, first_offset BIGINT!, next_offset BIGINT, reason NVARCHAR(40)!,
  found_at DATETIME2(3)!`;
const READER = 'group_id NVARCHAR(150)!, topic NVARCHAR(249)!';

/** What a migration makes, by its number, as far as the steps mean anything by it. */
export const TABLES = {
  schema_migrations: columns('version INT!, name NVARCHAR(100)!, applied_at DATETIME2(3)!'),
  server_metrics: columns(`id BIGINT!, ${IDENTITY}, ${METRICS}, created_at DATETIME2(7)!`),
  runs: columns(RUN),
  seq_gaps: columns('run_id BINARY(16)!, first_seq BIGINT!, last_seq BIGINT!, reason NVARCHAR(40)'),
  hosts: columns(`hostname NVARCHAR(255)!, first_seen DATETIME2(3), last_seen DATETIME2(3), ${SAID}, samples BIGINT!,
    received BIGINT!, lost BIGINT!, missing BIGINT!, retired_at DATETIME2(3)`),
  consumer_offsets: columns(`${READER}, partition_id INT!, ${POSITION}, updated_at DATETIME2(3)!`),
  offset_holes: columns(`${READER}, ${HOLE}`),
} as const;
export type TableName = keyof typeof TABLES;

export const TEMPORARY_TABLES: Readonly<Record<string, readonly Column[]>> = {
  '#stage': columns(`n INT!, ${IDENTITY}, ${METRICS}`),
  '#fence': columns(`partition_id INT!, expected_epoch INT, expected_offset BIGINT, ${POSITION}`),
  '#runs': columns(`n INT!, ${RUN}`),
  '#gaps': columns('n INT!, come BIT!, run_id BINARY(16)!, first_seq BIGINT!, last_seq BIGINT!, reason NVARCHAR(40)'),
  '#hosts': columns(`n INT!, hostname NVARCHAR(255)!, first_seen DATETIME2(3), last_seen DATETIME2(3), ${SAID},
    received BIGINT!, lost BIGINT!, missing BIGINT!`),
  '#holes': columns(HOLE),
  '#wanted': columns('run_id BINARY(16)!'),
};

const NOW_3 = "(strftime('%Y-%m-%d %H:%M:%f', 'now'))";
const NOW_7 = "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '0000')";
const percent = (name: string) => `CHECK (CAST(${name} AS REAL) BETWEEN 0 AND 100)`;
const positive = (name: string) => `CHECK (CAST(${name} AS REAL) >= 0)`;

/** Keys, defaults and checks beside the columns. */
const RULES: Readonly<Record<TableName, readonly string[]>> = {
  schema_migrations: ['PRIMARY KEY (version)'],
  server_metrics: [
    'UNIQUE (event_id)',
    "CHECK (hostname <> '')",
    ...['cpu_percent', 'memory_percent', 'disk_percent'].map(percent),
    ...['memory_used_mb', 'memory_total_mb', 'disk_used_gb', 'disk_total_gb'].map(positive),
    ...['network_bytes_sent', 'network_bytes_recv'].map(positive),
    'CHECK ((run_id IS NULL AND seq IS NULL) OR (run_id IS NOT NULL AND seq >= 1))',
  ],
  runs: [
    'PRIMARY KEY (run_id)',
    'CHECK (last_seq >= 1)',
    'CHECK (received >= 0 AND lost >= 0 AND missing >= 0)',
    'CHECK (received + lost + missing = last_seq)',
    'CHECK (version >= 1)',
  ],
  seq_gaps: [
    'PRIMARY KEY (run_id, first_seq)',
    'FOREIGN KEY (run_id) REFERENCES runs (run_id)',
    'CHECK (first_seq >= 1 AND last_seq >= first_seq)',
  ],
  hosts: ['PRIMARY KEY (hostname)'],
  consumer_offsets: [
    'PRIMARY KEY (group_id, topic, partition_id)',
    'CHECK (epoch >= 0 AND next_offset >= 0)',
    'CHECK ((evidence_timestamp IS NULL) = (evidence_sha256 IS NULL))',
  ],
  offset_holes: ['PRIMARY KEY (group_id, topic, partition_id, epoch, first_offset)'],
};
const DEFAULTS: Readonly<Record<string, string>> = { applied_at: NOW_3, created_at: NOW_7, updated_at: NOW_3 };

export function createTable(name: TableName): string {
  const lines = TABLES[name].map((column) => {
    const identity = name === 'server_metrics' && column.name === 'id' ? ' PRIMARY KEY AUTOINCREMENT' : '';
    const preset = DEFAULTS[column.name];
    return `${sqliteColumn(column)}${identity}${preset === undefined ? '' : ` DEFAULT ${preset}`}`;
  });
  return `CREATE TABLE IF NOT EXISTS main.${name} (${[...lines, ...RULES[name]].join(', ')})`;
}

export function createTemporaryTable(name: string): string {
  return `CREATE TABLE temp."${name}" (${(TEMPORARY_TABLES[name] ?? []).map(sqliteColumn).join(', ')})`;
}

function sqliteColumn({ name, type, nullable }: Column): string {
  return `"${name}" ${affinity(type.name)}${nullable ? '' : ' NOT NULL'}`;
}

function affinity(type: TypeName): string {
  if (type === 'int' || type === 'bigint' || type === 'bit') return 'INTEGER';
  if (type === 'binary' || type === 'varbinary') return 'BLOB';
  return type === 'nvarchar' ? 'TEXT COLLATE RTRIM' : 'TEXT';
}

/** `name TYPE(size)!, …`, where ! is NOT NULL. */
function columns(text: string): readonly Column[] {
  return [...text.matchAll(/(\w+) (\w+)(?:\(([\w,]+)\))?(!?)/g)].map(([, name = '', type = '', size = '', mark]) => {
    return { name, type: typeOf(type.toLowerCase() as TypeName, size), nullable: mark === '' };
  });
}

function typeOf(name: TypeName, size: string): Type {
  if (name === 'decimal') {
    const [precision, scale] = size.split(',').map(Number);
    return { name, precision: precision ?? 18, scale: scale ?? 0 };
  }
  if (name === 'datetime2') return { name, scale: Number(size) };
  if (size === '') return { name };
  return { name, length: size === 'MAX' ? Number.POSITIVE_INFINITY : Number(size) };
}
