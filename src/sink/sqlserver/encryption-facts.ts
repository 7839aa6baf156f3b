/** What the driver knows of the encryption of a connection: it keeps the TLS socket in another place for each way. */
import { TLSSocket } from 'node:tls';
import type { Connection } from 'tedious';
import { type CertificateFacts, certificateFacts } from '../../lib/reach.ts';

export interface EncryptionFacts {
  /** `TLSv1.3`; null: everything goes in plain text. */
  readonly version: string | null;
  readonly certificate: CertificateFacts | undefined;
}

interface Inside {
  readonly socket?: unknown;
  readonly messageIo?: { readonly securePair?: { readonly cleartext?: unknown } };
}

export function encryptionFacts(connection: Connection): EncryptionFacts {
  const { socket, messageIo } = connection as unknown as Inside;
  const secured = [messageIo?.securePair?.cleartext, socket].find((each) => each instanceof TLSSocket);
  if (!(secured instanceof TLSSocket)) return { version: null, certificate: undefined };
  const certificate = secured.getPeerCertificate();
  return {
    version: secured.getProtocol(),
    certificate: certificate.valid_to === undefined ? undefined : certificateFacts(certificate),
  };
}
