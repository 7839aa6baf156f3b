/**
 * The scalar fields of a sample beside its identity: the only list of their kinds, ranges and columns.
 *
 * The validator, the tables of every database and the protocol document are held against it by tests, so a new field
 * is one line here and one numbered migration per database. The order is the order of the columns: required fields
 * first, as the plain pipeline's table has them, then what may be absent.
 */

/** What the values of a kind may be, and what holds them in a database. */
export interface FieldKind {
  readonly name: string;
  readonly type: 'decimal' | 'integer' | 'text';
  /** Least value; unused for text. */
  readonly min: number;
  /** Greatest value; for text the greatest length in UTF-16 units. */
  readonly max: number;
  readonly sqlServer: string;
  readonly sqlite: 'REAL' | 'INTEGER' | 'TEXT';
}

/** 2^63: the bound of a BIGINT as a double. A counter that is rounded up to it is checked exactly. */
const BIGINT_LIMIT = 2 ** 63;

const decimal = (name: string, max: number, sqlServer: string): FieldKind => {
  return { name, type: 'decimal', min: 0, max, sqlServer, sqlite: 'REAL' };
};
const integer = (name: string, min: number, max: number, sqlServer: string): FieldKind => {
  return { name, type: 'integer', min, max, sqlServer, sqlite: 'INTEGER' };
};

const percent = decimal('percent', 100, 'DECIMAL(5,2)');
const size = decimal('size', 9_999_999_999_999.99, 'DECIMAL(15,2)');
const seconds = decimal('seconds', 9_999_999_999_999.99, 'DECIMAL(15,2)');
const load = decimal('load', 9_999_999.99, 'DECIMAL(9,2)');
const counter = integer('counter', 0, BIGINT_LIMIT, 'BIGINT');
const count = integer('count', 0, 2 ** 31 - 1, 'INT');
const milliseconds = integer('milliseconds', -BIGINT_LIMIT, BIGINT_LIMIT, 'BIGINT');
const versionText: FieldKind = {
  name: 'version',
  type: 'text',
  min: 0,
  max: 64,
  sqlServer: 'NVARCHAR(64)',
  sqlite: 'TEXT',
};

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly required: boolean;
}

const required = (name: string, kind: FieldKind): Field => ({ name, kind, required: true });
const optional = (name: string, kind: FieldKind): Field => ({ name, kind, required: false });

export const FIELDS: readonly Field[] = [
  required('cpu_percent', percent),
  required('memory_percent', percent),
  required('disk_percent', percent),
  required('memory_used_mb', size),
  required('memory_total_mb', size),
  required('disk_used_gb', size),
  required('disk_total_gb', size),
  required('network_bytes_sent', counter),
  required('network_bytes_recv', counter),

  optional('cpu_user_percent', percent),
  optional('cpu_system_percent', percent),
  optional('cpu_iowait_percent', percent),
  optional('cpu_steal_percent', percent),
  optional('cpu_count', count),
  optional('load_1', load),
  optional('load_5', load),
  optional('load_15', load),
  optional('memory_available_mb', size),
  optional('swap_total_mb', size),
  optional('swap_used_mb', size),
  optional('swap_percent', percent),
  optional('disk_read_bytes', counter),
  optional('disk_write_bytes', counter),
  optional('uptime_seconds', seconds),
  optional('process_count', count),
  optional('pressure_cpu_some_percent', percent),
  optional('pressure_memory_some_percent', percent),
  optional('pressure_memory_full_percent', percent),
  optional('pressure_io_some_percent', percent),
  optional('pressure_io_full_percent', percent),

  optional('agent_version', versionText),
  optional('spool_depth', counter),
  optional('spool_bytes', counter),
  optional('spool_oldest_age_seconds', seconds),
  optional('clock_stepped_ms', milliseconds),
];

/** How many of FIELDS, from the first on, are required. */
export const REQUIRED_FIELDS: number = FIELDS.filter((field) => field.required).length;

/** Where a field stands in FIELDS, and so in the values of a decoded sample. */
export function fieldIndex(name: string): number {
  const index = FIELDS.findIndex((field) => field.name === name);
  if (index < 0) throw new RangeError(`no field is called ${name}`);
  return index;
}
