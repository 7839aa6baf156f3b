/** One bulk load into a temporary table, from its `insert bulk` to its last row. */
import { BulkDecoder } from './bulk.ts';
import type { Connection } from './connection.ts';
import { Cancelled, Dropped } from './faults.ts';
import { TEMPORARY_TABLES } from './schema.ts';
import { SqlError } from './sql-error.ts';
import type { Column } from './tokens.ts';
import type { Value } from './types.ts';

/** The table of an `insert bulk` statement. */
export function bulkTable(sql: string): string | undefined {
  return /^insert bulk (#\w+)\s*\(/.exec(sql)?.[1];
}

export class BulkLoad {
  readonly table: string;
  readonly #decoder = new BulkDecoder();
  readonly #rows: Value[][] = [];
  readonly #dropAfter: number | undefined;
  #error: unknown;

  constructor(connection: Connection, table: string, dropAfter: number | undefined) {
    if (!connection.hasTemporaryTable(table)) throw new SqlError(208, `Invalid object name '${table}'.`);
    this.table = table;
    this.#dropAfter = dropAfter;
  }

  push(chunk: Buffer): void {
    if (this.#error !== undefined) return;
    try {
      const known = this.#decoder.columns !== undefined;
      for (const row of this.#decoder.push(chunk)) this.#rows.push(row);
      if (!known && this.#decoder.columns !== undefined) this.#compare(this.#decoder.columns);
    } catch (error) {
      this.#error = error;
    }
    if (this.#dropAfter !== undefined && this.#rows.length >= this.#dropAfter) throw new Dropped();
  }

  /** Puts the rows where they belong; all or none. */
  async finish(connection: Connection, signal: AbortSignal): Promise<number> {
    if (this.#error !== undefined) throw this.#error;
    if (signal.aborted) throw new Cancelled();
    const { columns } = this.#decoder;
    if (columns === undefined || !this.#decoder.ended) throw new Error('a bulk load without its end');
    connection.stage(this.table, columns, this.#rows);
    return this.#rows.length;
  }

  /** What the client declares has to be what the table is, to the last detail. */
  #compare(sent: readonly Column[]): void {
    const table = TEMPORARY_TABLES[this.table] ?? [];
    for (const [index, column] of sent.entries()) {
      const own = table.find(({ name }) => name === column.name);
      const same =
        own !== undefined &&
        own.nullable === column.nullable &&
        own.type.name === column.type.name &&
        (own.type.name === 'int' || own.type.length === column.type.length) &&
        own.type.precision === column.type.precision &&
        own.type.scale === column.type.scale;
      if (!same)
        throw new SqlError(4816, `Invalid column type from bcp client for colid ${index + 1} (${column.name}).`);
    }
    const missing = table.find(({ name, nullable }) => !nullable && !sent.some((column) => column.name === name));
    if (missing !== undefined) throw new SqlError(515, `Cannot insert the value NULL into column '${missing.name}'.`);
  }
}
