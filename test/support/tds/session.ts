/**
 * One connection, from the first byte to the last.
 *
 *   PRELOGIN ─▶ (TLS) ─▶ LOGIN7 ─▶ requests, one after another ─▶ end: what was open is rolled back
 *                                       ▲
 *                          ATTENTION comes in between and cancels
 *
 * Packets are taken as they arrive; messages are answered in their order. A cancelled request is answered by two
 * messages, its own and the acknowledgement of the attention, as the driver expects.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { BulkLoad, bulkTable } from './bulk-load.ts';
import { type Connection, type Result, stepNames } from './connection.ts';
import { Cancelled, Dropped, Muted } from './faults.ts';
import { type LoginRequest, readLogin } from './login.ts';
import { PACKET, type Packet, PacketSplitter, packetsOf } from './packets.ts';
import { encryptionAsked, preloginAnswer } from './prelogin.ts';
import { readBatch, readCall, type SqlRequest } from './requests.ts';
import type { SessionRecord, TdsServer } from './server.ts';
import { SqlError } from './sql-error.ts';
import { isTlsRecord, strictTls, tunnelledTls } from './tls.ts';
import { connectionReset, done, errorToken, loginAccepted, resultSet, returnStatus } from './tokens.ts';

/** Enough of what came in plain to see whether a secret was in it. */
const PLAIN_KEPT = 65_536;
const FIRST_PACKET_SIZE = 4096;

interface Message {
  readonly type: number;
  readonly ignored: boolean;
  readonly reset: boolean;
  readonly data: Buffer;
}

export class Session {
  readonly record: SessionRecord;
  readonly #server: TdsServer;
  readonly #socket: Socket;
  #stream: Duplex;
  #splitter = new PacketSplitter();
  #gathered: Buffer[] = [];
  #work: Promise<void> = Promise.resolve();
  #running: AbortController | undefined;
  #attention = false;
  #muted = false;
  #packetSize = FIRST_PACKET_SIZE;
  #connection: Connection | undefined;
  #bulk: BulkLoad | undefined;
  readonly #gone = new AbortController();

  constructor(socket: Socket, server: TdsServer, record: SessionRecord) {
    this.#socket = socket;
    this.#stream = socket;
    this.#server = server;
    this.record = record;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#ended());
    socket.once('data', (chunk: Buffer) => this.#firstBytes(chunk));
  }

  /** Cuts the connection with a reset. */
  cut(): void {
    this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #firstBytes(chunk: Buffer): void {
    if (isTlsRecord(chunk[0])) {
      const { secureContext, encryption } = this.#server;
      if (secureContext === undefined || encryption === 'refused' || encryption === 'off') this.#socket.destroy();
      else this.#secured(strictTls(this.#socket, secureContext, chunk));
      return;
    }
    this.#socket.on('data', this.#arrived);
    this.#arrived(chunk);
  }

  #secured(tls: TLSSocket): void {
    tls.on('error', () => this.#socket.destroy());
    tls.on('secure', () => {
      this.record.encrypted = true;
    });
    tls.on('data', this.#arrived);
    this.#splitter = new PacketSplitter();
    this.#stream = tls;
  }

  readonly #arrived = (chunk: Buffer): void => {
    if (this.#stream === this.#socket && this.record.plain.length < PLAIN_KEPT)
      this.record.plain = Buffer.concat([this.record.plain, chunk]);
    try {
      for (const packet of this.#splitter.push(chunk)) this.#take(packet);
    } catch (error) {
      this.#broken(error);
    }
  };

  #take(packet: Packet): void {
    if (packet.type === PACKET.attention) {
      this.#attentionArrived();
      return;
    }
    if (packet.type === PACKET.bulkLoad && !packet.ignored) {
      try {
        this.#bulk?.push(packet.data);
      } catch (error) {
        if (!(error instanceof Dropped)) throw error;
        this.cut();
        return;
      }
    } else {
      this.#gathered.push(packet.data);
    }
    if (!packet.last) return;
    const data = Buffer.concat(this.#gathered);
    this.#gathered = [];
    const message = { type: packet.type, ignored: packet.ignored, reset: packet.reset, data };
    this.#work = this.#work.then(() => this.#handle(message)).catch((error) => this.#broken(error));
  }

  #attentionArrived(): void {
    this.#attention = true;
    if (this.#running !== undefined) this.#running.abort();
    else this.#work = this.#work.then(() => this.#acknowledgeAttention());
  }

  async #acknowledgeAttention(): Promise<void> {
    if (!this.#attention) return;
    this.#attention = false;
    await this.#send(done({ attention: true }));
  }

  async #handle(message: Message): Promise<void> {
    if (this.#gone.signal.aborted) return;
    this.#running = new AbortController();
    const running = this.#running.signal;
    const signal = this.#server.finishesWithoutClient ? running : AbortSignal.any([running, this.#gone.signal]);
    try {
      if (message.type === PACKET.prelogin) await this.#prelogin(message.data, signal);
      else if (message.type === PACKET.login) await this.#login(readLogin(message.data), signal);
      else await this.#request(message, signal);
    } catch (error) {
      if (error instanceof Muted) this.#muted = true;
      else if (!(error instanceof Dropped)) throw error;
      // What was told by half has to arrive; a reset would overtake it.
      else if (error.torn === undefined) this.cut();
      else this.#socket.destroySoon();
    } finally {
      this.#running = undefined;
    }
    await this.#acknowledgeAttention();
  }

  async #prelogin(data: Buffer, signal: AbortSignal): Promise<void> {
    const asked = encryptionAsked(data);
    await this.#server.faults.pass('prelogin', 'before', signal);
    const answer = this.#stream === this.#socket ? this.#server.encryptionFor(asked) : 'notSupported';
    const { secureContext } = this.#server;
    await this.#send(preloginAnswer(answer));
    if ((answer === 'on' || answer === 'required') && secureContext !== undefined) {
      this.#socket.off('data', this.#arrived);
      this.#secured(tunnelledTls(this.#socket, secureContext));
    }
  }

  async #login(login: LoginRequest, signal: AbortSignal): Promise<void> {
    const { record } = this;
    this.#packetSize = login.packetSize;
    record.login = login;
    try {
      await this.#server.faults.pass('login', 'before', signal);
      this.#connection = this.#server.logIn(login);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      record.refused = error.number;
      const errors = [errorToken(error)];
      if (error.number === 4060) errors.push(errorToken(new SqlError(18456, `Login failed for user '${login.user}'.`)));
      await this.#send(Buffer.concat([...errors, done({ error: true })]));
      this.#socket.end();
      return;
    }
    record.loggedIn = true;
    await this.#server.faults.pass('login', 'after', signal);
    await this.#answer('login', loginAccepted(login), signal);
  }

  async #request(message: Message, signal: AbortSignal): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw new Error('a request before the login');
    if (message.reset) connection.reset();
    const before = message.reset ? connectionReset() : Buffer.alloc(0);
    if (message.ignored) {
      this.#bulk = undefined;
      await this.#send(Buffer.concat([before, done()]));
    } else if (message.type === PACKET.bulkLoad) {
      await this.#rows(connection, signal);
    } else if (message.type === PACKET.batch) {
      await this.#batch(connection, before, readBatch(message.data), signal);
    } else if (message.type === PACKET.rpc) {
      await this.#sql(connection, before, readCall(message.data), signal);
    } else {
      throw new Error(`a message of type ${message.type}`);
    }
  }

  async #batch(connection: Connection, before: Buffer, request: SqlRequest, signal: AbortSignal): Promise<void> {
    const table = bulkTable(request.sql);
    if (table === undefined) {
      await this.#sql(connection, before, request, signal);
      return;
    }
    const at = `insert bulk ${table}`;
    let answer = done();
    try {
      await this.#server.faults.pass(at, 'before', signal);
      this.#bulk = new BulkLoad(connection, table, this.#server.faults.rowsBeforeDrop(`rows ${table}`));
      await this.#server.faults.pass(at, 'after', signal);
    } catch (error) {
      answer = failed(error, false);
    }
    await this.#answer(at, Buffer.concat([before, answer]), signal);
  }

  async #rows(connection: Connection, signal: AbortSignal): Promise<void> {
    const bulk = this.#bulk;
    this.#bulk = undefined;
    if (bulk === undefined) throw new Error('rows without an insert bulk before them');
    const at = `rows ${bulk.table}`;
    let answer: Buffer;
    try {
      await this.#server.faults.pass(at, 'before', signal);
      answer = done({ count: await bulk.finish(connection, signal) });
      await this.#server.faults.pass(at, 'after', signal);
    } catch (error) {
      answer = failed(error, false);
    }
    await this.#answer(at, answer, signal);
  }

  async #sql(connection: Connection, before: Buffer, request: SqlRequest, signal: AbortSignal): Promise<void> {
    const { procedure } = request;
    const results: Result[] = [];
    let end: Buffer;
    try {
      for await (const result of connection.run(request, signal)) results.push(result);
      end = procedure ? Buffer.concat([returnStatus(0), done({ kind: 'doneProc' })]) : done();
    } catch (error) {
      end = failed(error, procedure);
    }
    const tokens = results.map((result) => resultTokens(result, procedure));
    await this.#answer(stepNames(request.sql), Buffer.concat([before, ...tokens, end]), signal);
  }

  /** Sends the answer, unless a fault at this place says otherwise. */
  async #answer(at: string | readonly string[], tokens: Buffer, signal: AbortSignal): Promise<void> {
    try {
      await this.#server.faults.pass(at, 'answer', signal);
    } catch (error) {
      if (error instanceof Dropped && error.torn !== undefined) await this.#tear(tokens, error.torn);
      throw error;
    }
    await this.#send(tokens);
  }

  async #tear(tokens: Buffer, how: 'torn' | 'cut-packet'): Promise<void> {
    const half = tokens.subarray(0, Math.ceil(tokens.length / 2));
    const [packet = Buffer.alloc(0)] = packetsOf(PACKET.answer, how === 'torn' ? half : tokens, this.#packetSize);
    if (how === 'torn') packet.writeUInt8(0, 1);
    await this.#write(how === 'torn' ? packet : packet.subarray(0, Math.ceil(packet.length / 2)));
  }

  async #send(data: Buffer): Promise<void> {
    if (!this.#muted) await this.#write(Buffer.concat(packetsOf(PACKET.answer, data, this.#packetSize)));
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#server.thawed;
    if (!this.#stream.writable) return;
    await new Promise<void>((resolve) => this.#stream.write(bytes, () => resolve()));
  }

  #broken(error: unknown): void {
    if (!this.#gone.signal.aborted)
      this.#server.surprises.push(error instanceof Error ? error : new Error(String(error)));
    this.#socket.destroy();
  }

  #ended(): void {
    this.#gone.abort();
    this.#work = this.#work.finally(() => this.#connection?.close());
    this.#server.forget(this, this.#work);
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
