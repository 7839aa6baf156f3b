/**
 * A proxy before a server that spoils what the server says: at a byte of its choice the answer ends, turns into something
 * else, or stops coming. What the client says is passed on as it is.
 *
 * Bytes are counted over all connections since `tamper`; the fault happens once.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { hostAndPort } from './proxy.ts';

export type Tampering =
  /** The connection is closed when so many bytes have been passed on. */
  | { readonly do: 'cut'; readonly at: number }
  /** From there on nothing comes; the connection stays open. */
  | { readonly do: 'silence'; readonly at: number }
  /** These bytes take the place of as many. */
  | { readonly do: 'overwrite'; readonly at: number; readonly bytes: Uint8Array }
  /** These bytes come beside the others. */
  | { readonly do: 'insert'; readonly at: number; readonly bytes: Uint8Array };

export class TamperingProxy implements AsyncDisposable {
  readonly #target: { host: string; port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #tampering: Tampering | undefined;
  #passed = 0;

  private constructor(target: string) {
    this.#target = hostAndPort(target);
    this.#server = createServer((client) => this.#link(client));
  }

  /** `port`: where the server says that it is; a free one when left out. */
  static async listen(target: string, port = 0): Promise<TamperingProxy> {
    const proxy = new TamperingProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Bytes that the server has said since the last `tamper`. */
  get passed(): number {
    return this.#passed;
  }

  /** Whether the fault is still to come. */
  get isArmed(): boolean {
    return this.#tampering !== undefined;
  }

  /** From now on; undefined: nothing is spoilt any more. */
  tamper(tampering?: Tampering): void {
    this.#tampering = tampering;
    this.#passed = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #link(client: Socket): void {
    const server = connect(this.#target);
    let isSilent = false;
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk) => {
      if (isSilent) return;
      const from = this.#passed;
      this.#passed += chunk.length;
      const tampering = this.#tampering;
      if (tampering === undefined || tampering.at > this.#passed) return void client.write(chunk);
      const at = Math.max(0, tampering.at - from);
      this.#tampering = undefined;
      client.write(spoilt(chunk, at, tampering));
      if (tampering.do === 'cut') client.end();
      if (tampering.do === 'silence') isSilent = true;
    });
  }
}

function spoilt(chunk: Buffer, at: number, tampering: Tampering): Buffer {
  const before = chunk.subarray(0, at);
  switch (tampering.do) {
    case 'overwrite':
      return Buffer.concat([before, tampering.bytes, chunk.subarray(at + tampering.bytes.length)]);
    case 'insert':
      return Buffer.concat([before, tampering.bytes, chunk.subarray(at)]);
    default:
      return before;
  }
}
