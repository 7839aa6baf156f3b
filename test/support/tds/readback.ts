/** What a test looks at: the tables as they are committed, in plain values, binary as hexadecimal. */
import type { TableName } from './schema.ts';
import type { Handle } from './store.ts';

export type PlainRow = Readonly<Record<string, string | number | null>>;

export interface Totals {
  readonly runs: number;
  readonly taken: number;
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
}

export class Readback {
  readonly #handle: () => Handle;

  constructor(handle: () => Handle) {
    this.#handle = handle;
  }

  tableNames(): string[] {
    return this.#all("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => String(name));
  }

  /** Empty where there is no such table. */
  table(name: TableName): PlainRow[] {
    if (!this.tableNames().includes(name)) return [];
    return this.#all(`SELECT * FROM ${name} ORDER BY rowid`);
  }

  /** server_metrics, in the order of insertion. */
  rows(): PlainRow[] {
    return this.table('server_metrics');
  }

  /** Rows that are there more than once. */
  duplicates(): number {
    const [row] = this.#all('SELECT COUNT(*) - COUNT(DISTINCT event_id) AS twice FROM server_metrics');
    return Number(row?.twice);
  }

  /** Sums over the runs, as the accounting view has them. */
  accounting(): Totals {
    const [row] = this.#all(
      `SELECT COUNT(*) AS runs, COALESCE(SUM(last_seq), 0) AS taken, COALESCE(SUM(received), 0) AS received,
         COALESCE(SUM(lost), 0) AS lost, COALESCE(SUM(missing), 0) AS missing FROM runs`,
    );
    return row as unknown as Totals;
  }

  offsets(): PlainRow[] {
    return this.#all('SELECT * FROM consumer_offsets ORDER BY group_id, topic, partition_id');
  }

  hosts(): PlainRow[] {
    return this.#all('SELECT * FROM hosts ORDER BY hostname');
  }

  #all(sql: string): PlainRow[] {
    const rows = this.#handle().prepare(sql).safeIntegers().all() as Record<string, unknown>[];
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])));
  }
}

/** An integer too large for a number stays exact, as a text. */
function plain(value: unknown): string | number | null {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (typeof value !== 'bigint') return value as string | number | null;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}
