/**
 * The lines of a bulk load as the bytes of TDS: column metadata, a ROW token for each line, a DONE token.
 *
 * The driver does the same, cell by cell through its types: it checks each value, makes an object of it, makes a BigInt
 * of each decimal and a calendar date of each time. That was more than half of what a writer costs. Here a column is one
 * function that writes its value where it belongs (bulk-cells.ts); what comes of it is byte for byte what the driver
 * sends, which a test holds.
 */
import type { BulkLoad } from 'tedious';
import { cellOf, MOST_OF_CELL, type WriteCell } from './bulk-cells.ts';
import type { StagingTable } from './staging-tables.ts';

const ROW = 0xd1;
/** Bytes that leave at once. */
const CHUNK = 16 * 1024;

export class BulkRows implements AsyncIterable<Buffer> {
  readonly #load: BulkLoad;
  readonly #cells: readonly WriteCell[];
  readonly #texts: readonly number[];
  readonly #lines: Iterable<readonly unknown[]>;

  /** `load`: with the columns of the table. */
  constructor(load: BulkLoad, table: StagingTable, lines: Iterable<readonly unknown[]>) {
    this.#load = load;
    this.#cells = table.columns.map(({ type }) => cellOf(type));
    this.#texts = table.columns.flatMap(({ type }, index) => (type.startsWith('NVARCHAR') ? [index] : []));
    this.#lines = lines;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    yield this.#load.getColMetaData();
    yield* this.#rows();
    yield this.#load.createDoneToken();
  }

  *#rows(): Generator<Buffer> {
    const cells = this.#cells;
    let chunk = Buffer.allocUnsafeSlow(CHUNK);
    let at = 0;
    for (const line of this.#lines) {
      const most = this.#mostOf(line);
      if (chunk.length - at < most) {
        if (at > 0) yield chunk.subarray(0, at);
        chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK, most));
        at = 0;
      }
      chunk[at++] = ROW;
      for (let index = 0; index < cells.length; index++) at = (cells[index] as WriteCell)(chunk, at, line[index]);
    }
    if (at > 0) yield chunk.subarray(0, at);
  }

  #mostOf(line: readonly unknown[]): number {
    let bytes = 1 + this.#cells.length * MOST_OF_CELL;
    for (const index of this.#texts) bytes += 2 * ((line[index] as string | null)?.length ?? 0);
    return bytes;
  }

  /** For the driver's own log. */
  toString(indent = ''): string {
    return `${indent}BulkLoad`;
  }
}
