/**
 * What a logged-in session is asked, and what it answers: batches, calls, and bulk loads, which are a statement and then a
 * message of rows.
 */
import { answer, type Outlet } from './answer.ts';
import { BulkLoad, bulkTable } from './bulk-load.ts';
import { type Connection, type Result, stepNames } from './connection.ts';
import { Cancelled, Ended } from './faults.ts';
import { PACKET } from './packets.ts';
import { readBatch, readCall, type SqlRequest } from './requests.ts';
import type { TdsServer } from './server.ts';
import { SqlError } from './sql-error.ts';
import { connectionReset, done, errorToken, resultSet, returnStatus } from './tokens.ts';

export interface Message {
  readonly type: number;
  readonly ignored: boolean;
  readonly reset: boolean;
  readonly data: Buffer;
}

export class Dispatcher {
  readonly #server: TdsServer;
  readonly #connection: Connection;
  readonly #outlet: Outlet;
  #bulk: BulkLoad | undefined;

  constructor(server: TdsServer, connection: Connection, outlet: Outlet) {
    this.#server = server;
    this.#connection = connection;
    this.#outlet = outlet;
  }

  /** Bytes of the rows of a bulk load, as they come. */
  rowsArrived(bytes: Buffer): void {
    this.#bulk?.push(bytes);
  }

  close(): void {
    this.#connection.close();
  }

  async handle(message: Message, signal: AbortSignal): Promise<void> {
    if (message.reset) this.#connection.reset();
    const before = message.reset ? connectionReset() : Buffer.alloc(0);
    if (message.ignored) {
      this.#bulk = undefined;
      await this.#outlet.send(Buffer.concat([before, done()]));
    } else if (message.type === PACKET.bulkLoad) {
      await this.#rows(signal);
    } else if (message.type === PACKET.batch) {
      await this.#batch(before, readBatch(message.data), signal);
    } else if (message.type === PACKET.rpc) {
      await this.#sql(before, readCall(message.data), signal);
    } else {
      throw new Error(`a message of type ${message.type}`);
    }
  }

  async #batch(before: Buffer, request: SqlRequest, signal: AbortSignal): Promise<void> {
    const table = bulkTable(request.sql);
    if (table === undefined) {
      await this.#sql(before, request, signal);
      return;
    }
    const at = `insert bulk ${table}`;
    let answer = done();
    try {
      await this.#server.faults.pass(at, 'before', signal);
      this.#bulk = new BulkLoad(this.#connection, table, this.#server.faults.rowsBeforeDrop(`rows ${table}`));
      await this.#server.faults.pass(at, 'after', signal);
    } catch (error) {
      answer = failed(error, false);
    }
    await this.#answer(at, Buffer.concat([before, answer]), signal);
  }

  async #rows(signal: AbortSignal): Promise<void> {
    const bulk = this.#bulk;
    this.#bulk = undefined;
    if (bulk === undefined) throw new Error('rows without an insert bulk before them');
    const at = `rows ${bulk.table}`;
    let answer: Buffer;
    try {
      await this.#server.faults.pass(at, 'before', signal);
      answer = done({ count: await bulk.finish(this.#connection, signal) });
      await this.#server.faults.pass(at, 'after', signal);
    } catch (error) {
      answer = failed(error, false);
    }
    await this.#answer(at, answer, signal);
  }

  async #sql(before: Buffer, request: SqlRequest, signal: AbortSignal): Promise<void> {
    const { procedure } = request;
    const results: Result[] = [];
    let end: Buffer;
    let fatal = false;
    try {
      for await (const result of this.#connection.run(request, signal)) results.push(result);
      end = procedure ? Buffer.concat([returnStatus(0), done({ kind: 'doneProc' })]) : done();
    } catch (error) {
      end = failed(error, procedure);
      fatal = error instanceof SqlError && error.fatal;
    }
    const tokens = results.map((result) => resultTokens(result, procedure));
    await this.#answer(stepNames(request.sql), Buffer.concat([before, ...tokens, end]), signal);
    if (fatal) throw new Ended();
  }

  #answer(at: string | readonly string[], tokens: Buffer, signal: AbortSignal): Promise<void> {
    return answer(this.#server.faults, this.#outlet, at, tokens, signal);
  }
}

function failed(error: unknown, procedure: boolean): Buffer {
  const kind = procedure ? 'doneProc' : 'done';
  if (error instanceof Cancelled) return done({ kind, error: true });
  if (!(error instanceof SqlError)) throw error;
  return Buffer.concat([errorToken(error), done({ kind, error: true })]);
}

function resultTokens(result: Result, procedure: boolean): Buffer {
  const kind = procedure ? 'doneInProc' : 'done';
  const tokens: Buffer[] = [];
  if (result.count !== undefined) tokens.push(done({ kind, more: true, count: result.count }));
  if (result.set !== undefined)
    tokens.push(resultSet(result.set), done({ kind, more: true, count: result.set.rows.length }));
  return Buffer.concat(tokens);
}
