/**
 * How far a server can be reached, one step at a time: its name, a connection, TLS. For whoever wants to know at which
 * of them it fails; nothing is sent to the server but what a handshake needs.
 *
 * Everything ends when its signal aborts, save for a name that is being resolved: the system's resolver can't be
 * stopped, so it is left alone and its answer is not waited for.
 */
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type PeerCertificate } from 'node:tls';

export interface HostAndPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, an IPv6 address in brackets. */
export function splitAddress(address: string): HostAndPort {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) };
}

export function joinAddress({ host, port }: HostAndPort): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The addresses behind a name, as the system resolves it; rejects with its error, or the signal's reason. */
export async function resolveHost(host: string, signal: AbortSignal): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const found = await untilAborted(lookup(host, { all: true }), signal);
  return [...new Set(found.map(({ address }) => address))];
}

export interface TcpFacts {
  /** The address that took the connection. */
  readonly address: string;
  /** Until the connection was there, ms. */
  readonly milliseconds: number;
}

/** Connects and closes. Rejects with the system's error, or the signal's reason. */
export async function reachTcp({ host, port }: HostAndPort, signal: AbortSignal): Promise<TcpFacts> {
  const began = performance.now();
  const socket = connect({ host, port, noDelay: true });
  try {
    await opened(socket, 'connect', signal);
    return { address: socket.remoteAddress ?? host, milliseconds: performance.now() - began };
  } finally {
    socket.destroy();
  }
}

export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** DNS names and addresses that it stands for, as OpenSSL writes them. */
  readonly names: string;
  /** ms since the epoch. */
  readonly validFrom: number;
  readonly validTo: number;
}

export interface TlsFacts {
  /** `TLSv1.3`. */
  readonly version: string;
  readonly certificate: CertificateFacts;
  /** The code of what is wrong with the certificate; undefined: it is trusted, and for this name. */
  readonly problem: string | undefined;
}

/**
 * Shakes hands and closes, whatever the certificate: what is wrong with it is part of the answer. Rejects with the
 * system's error where there was no handshake, or the signal's reason.
 */
export async function reachTls(at: HostAndPort, options: ConnectionOptions, signal: AbortSignal): Promise<TlsFacts> {
  const name = isIP(at.host) === 0 ? { servername: at.host } : {};
  // No secret goes to a peer that is not trusted: nothing is sent after the handshake at all.
  const socket = connectTls({ ...name, ...options, ...at, rejectUnauthorized: false });
  try {
    await opened(socket, 'secureConnect', signal);
    const { authorized, authorizationError } = socket;
    return {
      version: socket.getProtocol() ?? 'unknown',
      certificate: certificateFacts(socket.getPeerCertificate()),
      problem: authorized ? undefined : String(authorizationError),
    };
  } finally {
    socket.destroy();
  }
}

export function certificateFacts(certificate: PeerCertificate): CertificateFacts {
  return {
    subject: commonName(certificate.subject),
    issuer: commonName(certificate.issuer),
    names: certificate.subjectaltname ?? '',
    validFrom: Date.parse(certificate.valid_from),
    validTo: Date.parse(certificate.valid_to),
  };
}

function commonName(name: PeerCertificate['subject'] | undefined): string {
  const { CN, O } = name ?? {};
  return [CN ?? O ?? 'no name'].flat().join(', ');
}

async function opened(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once(event, resolve);
  // Stays: what comes after the answer is known concerns nobody.
  socket.on('error', reject);
  await untilAborted(promise, signal);
}

function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).then(() => signal.removeEventListener('abort', stop));
  });
}
