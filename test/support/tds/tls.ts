/**
 * TLS on a TDS connection. Up to TDS 7.4 the handshake travels inside PRELOGIN packets, each message of the client
 * answered by exactly one, and what comes after it is plain TLS:
 *
 *   client                       TunnelledTls                       TLSSocket
 *   PRELOGIN[client hello] ────▶ unwrapped ───────────────────────▶
 *          ◀──── PRELOGIN[hello, certificate, …]  gathered and wrapped ◀──
 *   PRELOGIN[key, finished] ───▶
 *          ◀──── PRELOGIN[finished]
 *   TLS records ───────────────▶ as they are, from here on both ways
 *
 * A packet begins with 0x12, a TLS record with 0x14 to 0x17; so the stream itself says when the tunnel has ended.
 * TDS 8.0 has no tunnel: the connection begins with TLS, like any other.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { PACKET, PacketSplitter, packetsOf } from './packets.ts';

const ALPN = ['tds/8.0'];
const PACKET_SIZE = 4096;

export function isTlsRecord(first: number | undefined): boolean {
  return first !== undefined && first >= 0x14 && first <= 0x17;
}

export function tunnelledTls(socket: Socket, secureContext: SecureContext): TLSSocket {
  return new TLSSocket(new Tunnel(socket, true), { isServer: true, secureContext });
}

/** `early` is what has been read from the socket already. */
export function strictTls(socket: Socket, secureContext: SecureContext, early: Buffer): TLSSocket {
  const stream = new Tunnel(socket, false);
  stream.push(early);
  return new TLSSocket(stream, { isServer: true, secureContext, ALPNProtocols: ALPN });
}

class Tunnel extends Duplex {
  readonly #socket: Socket;
  readonly #splitter = new PacketSplitter();
  #inTunnel: boolean;
  #gathered: Buffer[] = [];

  constructor(socket: Socket, inTunnel: boolean) {
    super();
    this.#socket = socket;
    this.#inTunnel = inTunnel;
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  #arrived(chunk: Buffer): void {
    if (this.#inTunnel && isTlsRecord(chunk[0])) this.#inTunnel = false;
    if (this.#inTunnel) for (const { data } of this.#splitter.push(chunk)) this.push(data);
    else this.push(chunk);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (!this.#inTunnel) {
      this.#socket.write(chunk, () => done());
      return;
    }
    if (this.#gathered.length === 0) setImmediate(() => this.#flush());
    this.#gathered.push(chunk);
    done();
  }

  /** One message for all that TLS had to say at once. */
  #flush(): void {
    const data = Buffer.concat(this.#gathered);
    this.#gathered = [];
    if (this.#socket.writable)
      for (const packet of packetsOf(PACKET.prelogin, data, PACKET_SIZE)) this.#socket.write(packet);
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done();
  }
}
