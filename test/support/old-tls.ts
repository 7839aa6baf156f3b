/** A server that speaks no TLS later than 1.1, as appliances of 2010 do. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { Certificate } from './broker-certificates.ts';

export interface OldTlsServer extends AsyncDisposable {
  readonly port: number;
  /** Handshakes that succeeded. */
  readonly secured: () => number;
}

export async function listenOldTls({ cert, key }: Certificate, alpn?: readonly string[]): Promise<OldTlsServer> {
  let secured = 0;
  const server = createServer({
    cert,
    key,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    // At OpenSSL's usual level it would not offer 1.1 itself.
    ciphers: 'DEFAULT@SECLEVEL=0',
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  });
  server.on('secureConnection', () => secured++);
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    secured: () => secured,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
