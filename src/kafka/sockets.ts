/**
 * The sockets of one kafkajs instance, so that it can be ended for certain.
 *
 * kafkajs' own disconnect waits for the answers to its requests: on a half-open connection for ever. And a connection
 * that timed out while it was made stays behind until the system gives it up. Here every socket is known; `destroy`
 * ends them all at once, which rejects what waits on them, and lets no new one be made: kafkajs reconnects while it
 * fails.
 *
 * It also knows the brokers' names that kafkajs can't hold: it splits `[::1]:9092` at its first colon. Such an address
 * goes into its configuration under an alias without colons and is put back when the socket is made.
 */
import { connect, isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';
import { tlsModule } from '../lib/tls-module.ts';

/** The idle time after which the system probes a connection, ms: less than what firewalls commonly forget after. */
const KEEP_ALIVE_MS = 60_000;

export class Sockets {
  readonly #open = new Set<Socket>();
  readonly #aliases = new Map<string, string>();
  #destroyed = false;

  /** Sockets that are open or being made. */
  get size(): number {
    return this.#open.size;
  }

  /** `host:port` as kafkajs can hold it. */
  alias(broker: string): string {
    const bracketed = /^\[(.+)\]:(\d+)$/.exec(broker);
    if (bracketed === null) return broker;
    const [, address = '', port = ''] = bracketed;
    const alias = `ipv6_${address.replaceAll(':', '-')}`;
    this.#aliases.set(alias, address);
    return `${alias}:${port}`;
  }

  readonly factory: ISocketFactory = ({ host: name, port, ssl, onConnect }) => {
    if (this.#destroyed) throw new Error('the connection was given up');
    const host = this.#aliases.get(name) ?? name;
    const socket =
      ssl === undefined || ssl === null
        ? connect({ host, port, noDelay: true }, onConnect)
        : tlsModule()
            .connect({ ...serverName(host), ...(ssl as ConnectionOptions), host, port }, onConnect)
            .setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  };

  /** Ends every socket now and for ever; what waits for an answer on one is rejected. */
  destroy(): void {
    this.#destroyed = true;
    for (const socket of this.#open) socket.destroy(new Error('the connection was given up'));
  }
}

/** An address has no server name to ask for; a certificate is then held against the address. */
function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
