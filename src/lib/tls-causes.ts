/** What stands behind the codes of TLS errors, in words. What to do about it is for whoever names the server. */
const SAYS = {
  unknownAuthority: 'its certificate comes from an authority that is not trusted here',
  expired: 'its certificate has expired',
  notYetValid: 'its certificate is not valid yet',
  tooWeak: 'its certificate, or one above it, is refused, most likely as too weak (an RSA key below 2048 bits, SHA-1)',
  revoked: 'its certificate has been revoked',
  otherName: 'its certificate is for another name',
  oldTls: 'it speaks no TLS that is new enough: 1.2 at least',
  noTls: 'it does not begin with TLS on this port',
  wantsCertificate: 'it does not accept this client’s certificate, or wants one and got none',
} as const;

/** `other`: about TLS, and only the error's own message says what. */
export type TlsCause = keyof typeof SAYS | 'other';

export interface TlsProblem {
  readonly cause: TlsCause;
  readonly says: string;
}

const CAUSES: Readonly<Record<string, keyof typeof SAYS>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknownAuthority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknownAuthority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknownAuthority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknownAuthority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknownAuthority',
  CERT_SIGNATURE_FAILURE: 'unknownAuthority',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'notYetValid',
  // Node has no name for these.
  UNSPECIFIED: 'tooWeak',
  CERT_REVOKED: 'revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'otherName',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'oldTls',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'oldTls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'noTls',
};

const TLS_CODE = /^(ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|UNABLE_TO_)/;

/** Of the error of a socket; undefined where it does not speak of TLS. */
export function tlsProblem(code: string, message: string): TlsProblem | undefined {
  if (Object.hasOwn(CAUSES, code)) return problem(CAUSES[code] as keyof typeof SAYS);
  // Met while something was written it has no code of its own.
  if (code === 'EPROTO' && /protocol version|unsupported protocol/.test(message)) return problem('oldTls');
  // The server's side of the handshake: alerts about what it was shown. Their names differ between TLS versions.
  if (/_ALERT_.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) return problem('wantsCertificate');
  return TLS_CODE.test(code) ? { cause: 'other', says: message.trim() } : undefined;
}

function problem(cause: keyof typeof SAYS): TlsProblem {
  return { cause, says: SAYS[cause] };
}
