/**
 * One connection to the server, as promises: batches, statements with parameters, bulk loads, one at a time.
 *
 * What it rejects with is the driver's own error; errors.ts makes ours of it. After any of them the connection is not
 * used again: what is left of a failed request on it (a half-read answer, an open transaction) is not worth finding out.
 *
 * The driver's time limit of a request ends with the first packet of the answer: a server that falls silent after it
 * would be waited for without end. So there is a second one, for all of it; when it ends the connection is closed.
 */
import type { Connection, Request } from 'tedious';
import { BulkRows } from './bulk-rows.ts';
import { type ColumnType, columnType } from './column-types.ts';
import type { Driver } from './driver.ts';
import type { StagingTable } from './staging-tables.ts';

export type SqlRow = Record<string, unknown>;

export interface Parameter {
  /** As in DECLARE. */
  readonly type: string;
  readonly value: unknown;
}

/** The kind of packet. */
const BULK_LOAD = 7;
/** The driver takes one time limit to wait for an answer and another to call the request off. */
const LIMITS_OF_AN_ANSWER = 2;

export class Session {
  readonly connection: Connection;
  readonly #tedious: Driver['tedious'];
  readonly #limit: number;
  /** What it does or last did; for error messages. */
  step = 'connect';

  /** `requestTimeout`: that of the driver, ms. */
  constructor(connection: Connection, { tedious }: Driver, requestTimeout: number) {
    this.connection = connection;
    this.#tedious = tedious;
    this.#limit = requestTimeout * LIMITS_OF_AN_ANSWER;
  }

  get isUsable(): boolean {
    // Set by mssql when the socket fails.
    const { closed, hasError } = this.connection as unknown as { closed?: boolean; hasError?: boolean };
    return closed !== true && hasError !== true;
  }

  /** A batch without parameters; what it makes (temporary tables, a transaction) lasts. Answers its last rows. */
  batch(step: string, text: string): Promise<SqlRow[]> {
    return this.#request(step, text, (request) => this.connection.execSqlBatch(request));
  }

  query(step: string, text: string, parameters: Readonly<Record<string, Parameter>>): Promise<SqlRow[]> {
    return this.#request(step, text, (request) => {
      for (const [name, { type, value }] of Object.entries(parameters)) {
        const { type: kind, ...size } = columnType(type);
        request.addParameter(name, this.#tedious.TYPES[kind], value, size);
      }
      this.connection.execSql(request);
    });
  }

  /** Streams the lines, an array per line with a value per column, into a staging table. */
  bulk(table: StagingTable, lines: Iterable<readonly unknown[]>): Promise<void> {
    this.step = `bulk ${table.name}`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const load = this.connection.newBulkLoad(table.name, { checkConstraints: true }, (error) => {
      if (error) reject(error);
      else resolve();
    });
    for (const { name, type, nullable } of table.columns) {
      const { type: kind, ...size }: ColumnType = columnType(type);
      load.addColumn(name, this.#tedious.TYPES[kind], { ...size, nullable });
    }
    // As the driver's execBulkLoad does it, below its public interface, but for the bytes of the lines.
    const rows = new BulkRows(load, table, lines);
    const announcement = new this.#tedious.Request(load.getBulkInsertSql(), (error) => {
      if (error) reject(error);
      else this.connection.makeRequest(load, BULK_LOAD, rows);
    });
    this.connection.execSqlBatch(announcement);
    return this.#inTime(promise);
  }

  #request(step: string, text: string, send: (request: Request) => void): Promise<SqlRow[]> {
    this.step = step;
    const { promise, resolve, reject } = Promise.withResolvers<SqlRow[]>();
    let rows: SqlRow[] = [];
    const request = new this.#tedious.Request(text, (error) => {
      if (error) reject(error);
      else resolve(rows);
    });
    request.on('columnMetadata', () => {
      rows = [];
    });
    request.on('row', (columns: { metadata: { colName: string }; value: unknown }[]) => {
      rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
    });
    send(request);
    return this.#inTime(promise);
  }

  async #inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const tooLate = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const message = `the answer did not end within ${this.#limit} ms`;
      tooLate.reject(Object.assign(new Error(message), { code: 'ETIMEOUT' }));
      this.connection.close();
    }, this.#limit);
    try {
      return await Promise.race([answer, tooLate.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
