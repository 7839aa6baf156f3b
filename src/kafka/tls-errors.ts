/** What stands behind the codes of TLS errors, in words, and what to do about it. */
interface TlsProblem {
  readonly says: string;
  readonly hint: string;
}

const UNKNOWN_AUTHORITY: TlsProblem = {
  says: 'its certificate comes from an authority that is not trusted here',
  hint: 'set kafka.tls.ca to the PEM file of the authority that issued the brokers’ certificates',
};
const WANTS_CERTIFICATE: TlsProblem = {
  says: 'it does not accept this client’s certificate, or wants one and got none',
  hint: 'set kafka.tls.cert and kafka.tls.key to a certificate that the broker trusts',
};
const OLD_TLS: TlsProblem = {
  says: 'it speaks no TLS that is new enough: 1.2 at least',
  hint: 'enable TLS 1.2 or 1.3 on the broker’s listener (ssl.enabled.protocols)',
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
    hint: 'renew the broker’s certificate; if it is valid, set the clock of this host',
  },
  CERT_NOT_YET_VALID: {
    says: 'its certificate is not valid yet',
    hint: 'set the clock of this host, or of whoever issued the certificate',
  },
  // Node has no name for these.
  UNSPECIFIED: {
    says: 'its certificate, or one above it, is refused, most likely as too weak (an RSA key below 2048 bits, SHA-1)',
    hint: 'renew the broker’s certificate with a key of 2048 bits or more and SHA-256',
  },
  CERT_REVOKED: { says: 'its certificate has been revoked', hint: 'renew the broker’s certificate' },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    says: 'its certificate is for another name',
    hint: 'name the brokers in kafka.brokers (and in their advertised.listeners) as their certificates do',
  },
  ERR_SSL_UNSUPPORTED_PROTOCOL: OLD_TLS,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: OLD_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: {
    says: 'it does not speak TLS on this port',
    hint: 'set kafka.tls.enabled to false, or kafka.brokers to the port of a TLS listener',
  },
};

/** Whether the code of a socket's error speaks of TLS. */
export function isTlsCode(code: string): boolean {
  return Object.hasOwn(PROBLEMS, code) || /^(ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|UNABLE_TO_)/.test(code);
}

export function describeTlsProblem(code: string, message: string): TlsProblem {
  const known = PROBLEMS[code];
  if (known !== undefined) return known;
  // Met while something was written it has no code of its own.
  if (code === 'EPROTO' && /protocol version|unsupported protocol/.test(message)) return OLD_TLS;
  // The broker's side of the handshake: alerts about what we showed it. Their names differ between TLS versions.
  if (/_ALERT_.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) return WANTS_CERTIFICATE;
  return {
    says: message.replace(/^Connection error: /, '').trim(),
    hint: 'check kafka.tls.enabled, kafka.tls.ca, kafka.tls.cert and kafka.tls.key against the broker’s listener',
  };
}
