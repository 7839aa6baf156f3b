/** What keeps a connection from being encrypted or trusted, in words, and what to do about it. */
import { asError, errorCode } from '../../lib/errors.ts';

export interface TlsProblem {
  readonly says: string;
  readonly hint: string;
}

const UNKNOWN_AUTHORITY: TlsProblem = {
  says: 'its certificate comes from an authority that is not trusted here',
  hint: 'set sqlserver.ca to the PEM file of the authority that issued the server’s certificate',
};
const OLD_TLS: TlsProblem = {
  says: 'it speaks no TLS that is new enough: 1.2 at least',
  hint: 'enable TLS 1.2 on the server (SQL Server 2016 and later have it)',
};

const PROBLEMS: Readonly<Record<string, TlsProblem>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: {
    says: 'its certificate has expired',
    hint: 'renew the server’s certificate; if it is valid, set the clock of this host',
  },
  CERT_NOT_YET_VALID: {
    says: 'its certificate is not valid yet',
    hint: 'set the clock of this host, or of whoever issued the certificate',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    says: 'its certificate is for another name',
    hint: 'set sqlserver.host to the name in the server’s certificate',
  },
  EENCRYPT: {
    says: 'the server and sqlserver.encrypt do not agree whether to encrypt; nothing was sent to it',
    hint: 'enable encryption on the server, or set sqlserver.encrypt as the server wants it (false sends everything in plain text)',
  },
  ERR_SSL_UNSUPPORTED_PROTOCOL: OLD_TLS,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: OLD_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: {
    says: 'it does not begin with TLS on this port',
    hint: 'sqlserver.encrypt: strict needs SQL Server 2022 or later; try true',
  },
};

const TLS_CODE = /^(ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|UNABLE_TO_)/;

/** Looks through the error and its causes; undefined where none speaks of TLS. */
export function tlsProblem(error: Error): TlsProblem | undefined {
  for (let depth = 0, at: Error | undefined = error; at !== undefined && depth < 8; depth++) {
    const code = errorCode(at) ?? '';
    const known = PROBLEMS[code];
    if (known !== undefined) return known;
    // Met while something was written it has no code of its own.
    if (code === 'EPROTO' && /protocol version|unsupported protocol/.test(at.message)) return OLD_TLS;
    if (TLS_CODE.test(code)) {
      return {
        says: at.message.trim(),
        hint: 'check sqlserver.encrypt and sqlserver.ca against the server’s settings',
      };
    }
    const { cause, originalError } = at as { cause?: unknown; originalError?: unknown };
    const next = cause ?? originalError;
    at = next === undefined || next === at ? undefined : asError(next);
  }
  return undefined;
}
