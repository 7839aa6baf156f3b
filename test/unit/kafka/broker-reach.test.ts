/** How the certificate of a broker is judged and told, against listeners that show odd ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { reachBrokerTls } from '../../../src/kafka/broker-reach.ts';
import { certificateProblem } from '../../../src/kafka/tls-errors.ts';
import { CertificateAuthority } from '../../support/broker-certificates.ts';
import { load } from '../config/scratch.ts';

const authority = new CertificateAuthority();
const closing: (() => void)[] = [];
let ca: string;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reach-'));
  ca = join(directory, 'ca.pem');
  writeFileSync(ca, authority.cert);
});

afterEach(() => {
  for (const close of closing.splice(0)) close();
  rmSync(directory, { recursive: true });
});

async function messageAbout(options: TlsOptions): Promise<string> {
  const server = createServer(options).on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => void server.close());
  const flags = { 'kafka.tls.enabled': true, 'kafka.tls.ca': ca };
  const { kafka } = load({ flags }).settings;
  const { port } = server.address() as AddressInfo;
  const reached = reachBrokerTls(kafka, `127.0.0.1:${port}`, AbortSignal.timeout(60_000));
  return reached.then(
    () => 'trusted',
    (error: Error) => error.message,
  );
}

it('of a certificate with hundreds of names the first ones are told', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `web-${index}.example.com`);
  const message = await messageAbout(authority.issue({ commonName: 'web', names }));
  expect(message).toContain('DNS:web-0.example.com, ');
  expect(message).toContain('DNS:web-9.example.com and 290 more)');
  expect(message).not.toContain('web-10.example.com');
});

it('one that is refused without a name of the reason is told as most likely too weak', () => {
  const { says, hint } = certificateProblem('UNSPECIFIED');
  expect(says).toContain('too weak');
  expect(hint).toContain('2048 bits');
});
