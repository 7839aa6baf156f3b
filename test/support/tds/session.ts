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
import { answer, type Outlet } from './answer.ts';
import { Dispatcher, type Message } from './dispatcher.ts';
import { Dropped, Ended, Muted } from './faults.ts';
import { type LoginRequest, readLogin } from './login.ts';
import { PACKET, type Packet, PacketSplitter, packetsOf } from './packets.ts';
import { encryptionAsked, preloginAnswer } from './prelogin.ts';
import type { SessionRecord, TdsServer } from './server.ts';
import { SqlError } from './sql-error.ts';
import { isTlsRecord, strictTls, tunnelledTls } from './tls.ts';
import { done, errorToken, loginAccepted } from './tokens.ts';

/** Enough of what came in plain to see whether a secret was in it. */
const PLAIN_KEPT = 65_536;
const FIRST_PACKET_SIZE = 4096;

export class Session implements Outlet {
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
  #dispatcher: Dispatcher | undefined;
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

  get packetSize(): number {
    return this.#packetSize;
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
        this.#dispatcher?.rowsArrived(packet.data);
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
    await this.send(done({ attention: true }));
  }

  async #handle(message: Message): Promise<void> {
    if (this.#gone.signal.aborted) return;
    this.#running = new AbortController();
    const ends = [this.#running.signal, this.#server.finishesWithoutClient ? this.#server.stopping : this.#gone.signal];
    const signal = AbortSignal.any(ends);
    try {
      if (message.type === PACKET.prelogin) await this.#prelogin(message.data, signal);
      else if (message.type === PACKET.login) await this.#login(readLogin(message.data), signal);
      else if (this.#dispatcher !== undefined) await this.#dispatcher.handle(message, signal);
      else throw new Error('a request before the login');
    } catch (error) {
      if (error instanceof Muted) this.#muted = true;
      else if (error instanceof Ended) this.#socket.destroySoon();
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
    await this.send(preloginAnswer(answer));
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
      this.#dispatcher = new Dispatcher(this.#server, this.#server.logIn(login), this);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      record.refused = error.number;
      const errors = [errorToken(error)];
      if (error.number === 4060) errors.push(errorToken(new SqlError(18456, `Login failed for user '${login.user}'.`)));
      await this.send(Buffer.concat([...errors, done({ error: true })]));
      this.#socket.end();
      return;
    }
    record.loggedIn = true;
    await this.#server.faults.pass('login', 'after', signal);
    await answer(this.#server.faults, this, 'login', loginAccepted(login), signal);
  }

  async send(data: Buffer): Promise<void> {
    if (!this.#muted) await this.write(Buffer.concat(packetsOf(PACKET.answer, data, this.#packetSize)));
  }

  async write(bytes: Buffer): Promise<void> {
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
    this.#work = this.#work.finally(() => this.#dispatcher?.close());
    this.#server.forget(this, this.#work);
  }
}
