/** The certificates of a PEM file that is in use, and until when it serves. */
import { X509Certificate } from 'node:crypto';

export interface CertificateFile {
  /** Which names it: `kafka.tls.cert`. */
  readonly setting: string;
  /** `shown`: this side’s own, with those above it; `trusted`: authorities. */
  readonly use: 'shown' | 'trusted';
  readonly pem: string;
}

const BLOCK = /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[\s\S]+?-----END \1?CERTIFICATE-----/g;

/**
 * The certificate that decides until when the file serves. Shown: the first of the chain to end. Trusted: the last to
 * end, since old authorities stay in such a file beside those that take their place. undefined: the file holds none.
 */
export function decidingCertificate({ use, pem }: Omit<CertificateFile, 'setting'>): X509Certificate | undefined {
  const isBefore = (one: X509Certificate, other: X509Certificate) => one.validToDate < other.validToDate;
  return certificatesIn(pem).reduce<X509Certificate | undefined>((deciding, next) => {
    if (deciding === undefined) return next;
    return (use === 'shown' ? isBefore(next, deciding) : isBefore(deciding, next)) ? next : deciding;
  }, undefined);
}

function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(BLOCK) ?? [pem]).flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      // TLS passes over it too.
      return [];
    }
  });
}
