/** What keeps a connection from being encrypted or trusted, in words, and what to do about it. */
import { asError, errorCode } from '../../lib/errors.ts';
import { type TlsCause, tlsProblem } from '../../lib/tls-causes.ts';

export interface ServerTlsProblem {
  readonly says: string;
  readonly hint: string;
}

const HINTS: Readonly<Record<TlsCause, string>> = {
  unknownAuthority: 'set sqlserver.ca to the PEM file of the authority that issued the server’s certificate',
  expired: 'renew the server’s certificate; if it is valid, set the clock of this host',
  notYetValid: 'set the clock of this host, or of whoever issued the certificate',
  tooWeak: 'renew the server’s certificate with a key of 2048 bits or more and SHA-256',
  revoked: 'renew the server’s certificate',
  otherName: 'set sqlserver.host to the name in the server’s certificate',
  oldTls: 'enable TLS 1.2 on the server (SQL Server 2016 and later have it)',
  noTls: 'sqlserver.encrypt: strict needs SQL Server 2022 or later; try true',
  wantsCertificate: 'check sqlserver.host and sqlserver.port: SQL Server asks its clients for no certificate',
  other: 'check sqlserver.encrypt and sqlserver.ca against the server’s settings',
};

const NOT_ENCRYPTED: ServerTlsProblem = {
  says: 'the server and sqlserver.encrypt do not agree whether to encrypt; nothing was sent to it',
  hint: 'enable encryption on the server, or set sqlserver.encrypt as the server wants it (false sends everything in plain text)',
};

/** Looks through the error and its causes; undefined where none speaks of TLS. */
export function serverTlsProblem(error: Error): ServerTlsProblem | undefined {
  for (let depth = 0, at: Error | undefined = error; at !== undefined && depth < 8; depth++) {
    const code = errorCode(at) ?? '';
    // The driver's own code.
    if (code === 'EENCRYPT') return NOT_ENCRYPTED;
    const found = tlsProblem(code, at.message);
    if (found !== undefined) return { says: found.says, hint: HINTS[found.cause] };
    const { cause, originalError } = at as { cause?: unknown; originalError?: unknown };
    const next = cause ?? originalError;
    at = next === undefined || next === at ? undefined : asError(next);
  }
  return undefined;
}
