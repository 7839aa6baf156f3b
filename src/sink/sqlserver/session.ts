/**
 * One connection to the server, as promises: batches, statements with parameters, bulk loads, one at a time.
 *
 * What it rejects with is the driver's own error; errors.ts makes ours of it. After any of them the connection is not
 * used again: what is left of a failed request on it (a half-read answer, an open transaction) is not worth finding out.
 */
import type { Connection, Request } from 'tedious';
import { type ColumnType, columnType } from './column-types.ts';
import type { Driver } from './driver.ts';
import type { StagingTable } from './staging-tables.ts';

export type SqlRow = Record<string, unknown>;

export interface Parameter {
  /** As in DECLARE. */
  readonly type: string;
  readonly value: unknown;
}

export class Session {
  readonly connection: Connection;
  readonly #tedious: Driver['tedious'];
  /** What it does or last did; for error messages. */
  step = 'connect';

  constructor(connection: Connection, { tedious }: Driver) {
    this.connection = connection;
    this.#tedious = tedious;
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
    this.connection.execBulkLoad(load, lines as Iterable<unknown[]>);
    return promise;
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
    return promise;
  }
}
