/** What can be done about what keeps a connection to a broker from being encrypted or trusted. */
import { type TlsCause, tlsProblem } from '../lib/tls-causes.ts';

const HINTS: Readonly<Record<TlsCause, string>> = {
  unknownAuthority: 'set kafka.tls.ca to the PEM file of the authority that issued the brokers’ certificates',
  expired: 'renew the broker’s certificate; if it is valid, set the clock of this host',
  notYetValid: 'set the clock of this host, or of whoever issued the certificate',
  tooWeak: 'renew the broker’s certificate with a key of 2048 bits or more and SHA-256',
  revoked: 'renew the broker’s certificate',
  otherName: 'name the brokers in kafka.brokers (and in their advertised.listeners) as their certificates do',
  oldTls: 'enable TLS 1.2 or 1.3 on the broker’s listener (ssl.enabled.protocols)',
  noTls: 'set kafka.tls.enabled to false, or kafka.brokers to the port of a TLS listener',
  wantsCertificate: 'set kafka.tls.cert and kafka.tls.key to a certificate that the broker trusts',
  other: 'check kafka.tls.enabled, kafka.tls.ca, kafka.tls.cert and kafka.tls.key against the broker’s listener',
};

export interface BrokerTlsProblem {
  readonly says: string;
  readonly hint: string;
}

/** Of the error of a socket; undefined where it does not speak of TLS. */
export function brokerTlsProblem(code: string, message: string): BrokerTlsProblem | undefined {
  const found = tlsProblem(code, message.replace(/^Connection error: /, ''));
  return found === undefined ? undefined : { says: found.says, hint: HINTS[found.cause] };
}

/** Why a certificate is not trusted, by the code that verifying it gave, whatever that is. */
export function certificateProblem(code: string): BrokerTlsProblem {
  return brokerTlsProblem(code, code) ?? { says: code, hint: HINTS.other };
}
