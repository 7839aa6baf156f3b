/**
 * An HTTP or HTTPS server within narrow bounds, for an endpoint that answers short questions.
 *
 * A client gets one answer per connection, and the connection lives for a few seconds in all, whatever the client does
 * with them: send its headers byte by byte, send a body that nobody reads, not read the answer. There is one timer per
 * connection and none beside them. Bodies are never read.
 */
import type { RequestListener, Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { readPem } from '../lib/pem-file.ts';

export interface HttpLimits {
  /** How long a connection may live, ms. */
  readonly connectionMs: number;
  /** At once; one more takes the place of the oldest, so that silent ones keep nobody out. */
  readonly connections: number;
  /** Of the request line and the headers. */
  readonly headerBytes: number;
}

export const HTTP_LIMITS: HttpLimits = { connectionMs: 10_000, connections: 64, headerBytes: 8192 };

export interface TlsFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** PEM texts; undefined: no TLS. */
export type TlsPair = { readonly cert: string; readonly key: string } | undefined;

/** Throws HTTP_TLS_FILE. */
export async function readTls({ cert, key }: TlsFiles): Promise<TlsPair> {
  if (cert === undefined || key === undefined) return undefined;
  const pair = {
    cert: readPem('certificate', 'http.tls.cert', cert, 'HTTP_TLS_FILE'),
    key: readPem('key', 'http.tls.key', key, 'HTTP_TLS_FILE'),
  };
  const { createSecureContext } = await import('node:tls');
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new HostspoolError(
      'HTTP_TLS_FILE',
      `http.tls.cert (${cert}) and http.tls.key (${key}) can't be used together: ${asError(error).message}`,
      { hint: 'the key must be the one that the certificate was made for', cause: error },
    );
  }
  return pair;
}

export interface HttpServerOptions {
  readonly listener: RequestListener;
  readonly tls: TlsPair;
  readonly limits: HttpLimits;
  readonly log: Log;
}

export class HttpServer {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #limits: HttpLimits;
  #certificate: string | undefined;

  private constructor(server: Server, { listener, tls, limits }: HttpServerOptions) {
    this.#server = server;
    this.#limits = limits;
    this.#certificate = tls?.cert;
    server.maxHeadersCount = 100;
    // Who asks first whether to send a body is answered without it.
    server.on('checkContinue', listener);
    server.on('connection', (socket: Duplex) => this.#connected(socket));
    server.on('clientError', (error, socket) => refuse(errorCode(error), socket));
    // What keeps a process alive is its service.
    server.unref();
  }

  /** Listens on `host:port`; rejects with HTTP_ADDRESS_IN_USE or HTTP_LISTEN. */
  static async listen(address: string, given: HttpServerOptions): Promise<HttpServer> {
    const { listener, tls, limits, log } = given;
    const options = {
      maxHeaderSize: limits.headerBytes,
      // The timer of each connection is stricter; Node's own would look at all of them every now and then.
      headersTimeout: 0,
      requestTimeout: 0,
      connectionsCheckingInterval: 86_400_000,
    };
    const server =
      tls === undefined
        ? (await import('node:http')).createServer(options, listener)
        : (await import('node:https')).createServer({ ...options, ...tls, minVersion: 'TLSv1.2' }, listener);
    const bounded = new HttpServer(server, given);
    await bounded.#listen(address);
    // Such as no descriptors left for another connection.
    server.on('error', (error) => log.debug({ event: 'http_error', err: error }));
    return bounded;
  }

  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** The certificate that it shows, PEM; undefined: it speaks plain HTTP. */
  get certificate(): string | undefined {
    return this.#certificate;
  }

  /** Takes another certificate for connections to come. */
  renew(pair: NonNullable<TlsPair>): void {
    (this.#server as TlsServer).setSecureContext({ ...pair, minVersion: 'TLSv1.2' });
    this.#certificate = pair.cert;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #connected(socket: Duplex): void {
    if (this.#sockets.size >= this.#limits.connections) {
      // A question is answered within milliseconds: what has been here longest does not ask.
      const [oldest] = this.#sockets;
      this.#sockets.delete(oldest as Duplex);
      oldest?.destroy();
    }
    this.#sockets.add(socket);
    const deadline = setTimeout(() => socket.destroy(), this.#limits.connectionMs).unref();
    socket.once('close', () => {
      clearTimeout(deadline);
      this.#sockets.delete(socket);
    });
    // A client that goes away in the middle is no error of ours.
    socket.on('error', () => undefined);
  }

  async #listen(address: string): Promise<void> {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    const port = Number(address.slice(colon + 1));
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ host, port }, () => {
          this.#server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw listenError(address, error);
    }
  }
}

function refuse(code: string | undefined, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const status = code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

function listenError(address: string, cause: unknown): HostspoolError {
  const code = errorCode(cause);
  if (code === 'EADDRINUSE') {
    return new HostspoolError('HTTP_ADDRESS_IN_USE', `http.address ${address} is in use by another process`, {
      hint: 'give this one another http.address, or none: --http.address=',
      retryable: true,
      cause,
    });
  }
  return new HostspoolError('HTTP_LISTEN', `can't listen on http.address ${address}: ${asError(cause).message}`, {
    hint: 'http.address must be an address of this machine, and a port that this user may open',
    retryable: code !== 'EACCES',
    cause,
  });
}
