import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { settingsSchema } from '../../../src/config/schema.ts';
import { KafkaAccess } from '../../../src/kafka/access.ts';
import type { Log, LogFields } from '../../../src/lib/log.ts';
import { CertificateAuthority } from '../../support/broker-certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'hostspool-access-'));
afterAll(() => rmSync(directory, { recursive: true }));

const authority = new CertificateAuthority();
const path = (name: string) => join(directory, name);
const files = { ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem') };
const logged: (LogFields & { level: string })[] = [];
const write = (level: string) => (fields: LogFields) => void logged.push({ level, ...fields });
const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };

function settings(password = 'first', tls: Record<string, unknown> = { enabled: true, ...files }) {
  const sasl = { mechanism: 'scram-sha-512', username: 'u', password };
  return settingsSchema.parse({ kafka: { brokers: 'a:1', tls, sasl } }).kafka;
}

function issue(): void {
  const client = authority.issue({ commonName: 'client' });
  writeFileSync(files.ca, authority.cert);
  writeFileSync(files.cert, client.cert);
  writeFileSync(files.key, client.key);
}

beforeEach(() => {
  issue();
  logged.length = 0;
});

describe('the access to the brokers', () => {
  it('asks for TLS 1.2 and a certificate that holds, whatever Node’s own defaults are', () => {
    const { tls } = new KafkaAccess(settings(), log).credentials();
    expect(tls).toMatchObject({ minVersion: 'TLSv1.2', rejectUnauthorized: true });
  });

  it('is the same after a renewal that found nothing new', () => {
    const access = new KafkaAccess(settings(), log);
    const { version } = access.credentials();
    access.renew(settings());
    expect(access.version).toBe(version);
    expect(logged).toEqual([]);
  });

  it('is another with another password, other files or new content of them, and tells no secret', () => {
    const access = new KafkaAccess(settings(), log);
    const versions = [access.credentials().version];
    access.renew(settings('second-password'));
    versions.push(access.version);
    issue();
    access.renew(settings('second-password'));
    versions.push(access.version);
    access.renew(settings('second-password', { enabled: true, ca: files.ca }));
    versions.push(access.version);
    expect(new Set(versions).size).toBe(4);
    expect(access.credentials()).toMatchObject({ sasl: { password: 'second-password' } });
    expect(access.credentials().tls).not.toHaveProperty('key');
    expect(logged.map(({ event }) => event)).toEqual(Array(3).fill('kafka_access_renewed'));
    expect(JSON.stringify(logged)).not.toMatch(/second-password|PRIVATE/);
  });

  it('names the certificates that are in use, not those that only lie there, and no key', () => {
    const access = new KafkaAccess(settings(), log);
    expect(access.certificates).toEqual([]);
    const { tls } = access.credentials();
    const inUse = (cert: unknown) => [
      { setting: 'kafka.tls.ca', use: 'trusted', pem: authority.cert },
      { setting: 'kafka.tls.cert', use: 'shown', pem: cert },
    ];
    issue();
    expect(access.certificates).toEqual(inUse(tls?.cert));
    access.renew(settings());
    const renewed = access.credentials().tls?.cert;
    expect(renewed).not.toBe(tls?.cert);
    expect(access.certificates).toEqual(inUse(renewed));
    writeFileSync(files.cert, 'half a fi');
    access.renew(settings());
    expect(access.certificates).toEqual(inUse(renewed));
  });

  it('keeps to brokers and TLS at all, which need a restart', () => {
    const access = new KafkaAccess(settings(), log);
    access.credentials();
    access.renew(settings('first', { enabled: false }));
    expect(access.credentials().tls).toBeDefined();
  });

  it.each(['ca', 'cert', 'key'] as const)(
    'keeps the certificates in use while a new %s is no good, says so once, and for as long as it lasts',
    (name) => {
      const access = new KafkaAccess(settings(), log);
      const good = access.credentials();
      writeFileSync(files[name], 'half a fi');
      access.renew(settings());
      access.renew(settings());
      expect(access.credentials()).toEqual(good);
      expect(logged).toEqual([
        expect.objectContaining({ level: 'error', event: 'kafka_tls_not_renewed', err: expect.anything() }),
      ]);
      expect(access.problem).toContain(`kafka.tls.${name}`);
      issue();
      access.renew(settings());
      expect(access.problem).toBeUndefined();
      expect(access.version).toBeGreaterThan(good.version);
    },
  );

  it('is refused where the files were never good', () => {
    writeFileSync(files.cert, 'nothing');
    const access = new KafkaAccess(settings(), log);
    expect(() => access.credentials()).toThrow(expect.objectContaining({ code: 'KAFKA_TLS_FILE' }));
  });
});
