/**
 * A TCP proxy before a server, for the faults of a network: nothing listens, connections cut, a side that falls silent
 * without closing (a half-open connection), bytes that come late. The server behind it notices nothing unless its
 * connection is cut.
 *
 *   client ──▶ toServer ──▶ server
 *          ◀── toClient ◀──
 */
import { randomInt } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Direction = 'toServer' | 'toClient';

export interface ProxyOptions {
  /** host:port of the server. */
  readonly target: string;
  /** Port to listen on, on 127.0.0.1; a free one when left out. */
  readonly port?: number;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

export class TcpProxy implements AsyncDisposable {
  readonly #target: { host: string; port: number };
  readonly #links = new Set<Link>();
  readonly #stalled = new Set<Direction>();
  readonly #held: { direction: Direction; release: () => void }[] = [];
  #server: Server | undefined;
  readonly #port: number;
  readonly #delayMs: Record<Direction, number> = { toServer: 0, toClient: 0 };
  readonly #dribble: Record<Direction, number> = { toServer: 0, toClient: 0 };
  #accepted = 0;
  #bytes: Record<Direction, number> = { toServer: 0, toClient: 0 };
  #onBytes: ((direction: Direction, total: number) => void) | undefined;

  private constructor(options: Required<ProxyOptions>) {
    this.#target = hostAndPort(options.target);
    this.#port = options.port;
  }

  static async listen(options: ProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy({ ...options, port: options.port ?? (await freePort()) });
    await proxy.accept();
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#links.size;
  }

  /** Connections ever accepted. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Bytes forwarded so far. */
  get bytes(): Readonly<Record<Direction, number>> {
    return { ...this.#bytes };
  }

  /** Calls `listener` after each forwarded chunk with the direction's total; to fault at an exact place in a stream. */
  onBytes(listener: ((direction: Direction, total: number) => void) | undefined): void {
    this.#onBytes = listener;
  }

  /** Takes connections, again after `refuse`. */
  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: false }, (client) => this.#link(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  /** Nothing listens any more: new connections are refused. Those that are open go on. */
  async refuse(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    // Its `close` event waits for the open connections; it has stopped listening at once.
    server.close();
  }

  /** Cuts every open connection with a reset, in both directions. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#links.clear();
  }

  /** Closes every open connection in order, as a broker does with one that was idle for long. */
  end(): void {
    for (const { client, server } of this.#links) {
      client.end();
      server.end();
    }
  }

  /** From now on nothing is forwarded in these directions; connections stay open and new ones are accepted. */
  stall(...directions: readonly Direction[]): void {
    for (const direction of directionsOf(directions)) this.#stalled.add(direction);
  }

  /** Forwards again, what was held back first. */
  resume(): void {
    this.#stalled.clear();
    for (const held of this.#held.splice(0)) held.release();
  }

  /** Each chunk is forwarded this much later in these directions, ms; both when none is named. */
  delay(ms: number, ...directions: readonly Direction[]): void {
    for (const direction of directionsOf(directions)) this.#delayMs[direction] = ms;
  }

  /** Chunks are cut into pieces of at most so many bytes, each with the delay of its own; 0: they stay whole. */
  dribble(bytes: number, ...directions: readonly Direction[]): void {
    for (const direction of directionsOf(directions)) this.#dribble[direction] = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#onBytes = undefined;
    await this.refuse();
    this.resume();
    this.cut();
  }

  #link(client: Socket): void {
    this.#accepted++;
    const server = connect(this.#target);
    const link = { client, server };
    this.#links.add(link);
    void this.#forward(client, server, 'toServer');
    void this.#forward(server, client, 'toClient');
    const ended = () => {
      this.#links.delete(link);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', ended);
      socket.on('close', ended);
    }
  }

  async #forward(from: Socket, to: Socket, direction: Direction): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; ) {
          if (this.#delayMs[direction] > 0) await delay(this.#delayMs[direction]);
          if (this.#stalled.has(direction)) await this.#resumed(direction);
          const piece = chunk.subarray(at, at + (this.#dribble[direction] || chunk.length));
          at += piece.length;
          this.#bytes[direction] += piece.length;
          if (!to.write(piece)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve));
          this.#onBytes?.(direction, this.#bytes[direction]);
        }
      }
    } catch {
      // A cut: `ended` has closed the other side.
    }
  }

  #resumed(direction: Direction): Promise<void> {
    return new Promise((release) => {
      this.#held.push({ direction, release });
    });
  }
}

function directionsOf(named: readonly Direction[]): readonly Direction[] {
  return named.length === 0 ? ['toServer', 'toClient'] : named;
}

export function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/**
 * Below the range from which Linux gives a port to a connection that goes out: a port of it that is chosen now and
 * bound in some seconds, or given up and bound anew, could be taken by any connection meanwhile.
 */
const PORTS = { first: 15_000, last: 32_000 } as const;
/** Ports are chosen before any of them is bound: none is given twice. */
const given = new Set<number>();

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.last);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
