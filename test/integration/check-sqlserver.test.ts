/** `hostspool check` in broken worlds: the database's side, against the TDS double with TLS. Kafka is not there at all. */

import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { CheckReport } from '../../src/operate/check/plan.ts';
import { Migrator } from '../../src/sink/sqlserver/migrator.ts';
import { CertificateAuthority } from '../support/broker-certificates.ts';
import { found, runCheck } from '../support/check-worlds.ts';
import { Scratch } from '../support/executable.ts';
import { freePort } from '../support/proxy.ts';
import { sqlServerSettings } from '../support/sqlserver-fixture.ts';
import { TdsServer } from '../support/tds/server.ts';

const PASSWORD = 'Tr0ub4dor&3';
const authority = new CertificateAuthority();
const certificate = authority.issue({ commonName: 'sql', names: ['localhost', '127.0.0.1'] });
const scratch = new Scratch();
let server: TdsServer;

beforeAll(() => writeFileSync(scratch.file('ca.pem'), authority.cert));
afterAll(() => scratch[Symbol.dispose]());

beforeEach(async () => {
  server = await TdsServer.listen({ password: PASSWORD, tls: certificate });
  const settings = sqlServerSettings(server.port, { password: PASSWORD });
  const migrator = new Migrator({ settings, log: silentLog, clock: new SystemClock() });
  await migrator.migrate();
  await migrator.close();
});

afterEach(async () => {
  const { surprises } = server;
  await server[Symbol.asyncDispose]();
  expect(surprises).toEqual([]);
});

interface World {
  readonly flags?: Readonly<Record<string, string>>;
  readonly password?: string;
  readonly limit?: number;
}

/** Nothing of Kafka is there: its failure is one, and known. */
async function writer({ flags = {}, password = PASSWORD, limit }: World = {}): Promise<CheckReport> {
  const given = {
    mode: 'writer',
    'kafka.brokers': '127.0.0.1:1',
    'sqlserver.host': 'localhost',
    'sqlserver.port': String(server.port),
    'sqlserver.user': 'hostspool',
    'sqlserver.ca': scratch.file('ca.pem'),
  };
  return runCheck({ ...given, ...flags }, { HOSTSPOOL_SQLSERVER_PASSWORD: password }, limit);
}

/** The database's own failures, and that what rests on one is left out. */
function expectOnly(report: CheckReport, name: string, code: string): void {
  const ofDatabase = report.checks.filter((each) => each.name.startsWith('sqlserver'));
  const failed = ofDatabase.filter(({ state }) => state === 'failed');
  expect(failed.map((each) => `${each.name} ${each.code}`)).toEqual([`${name} ${code}`]);
  expect(found(report, name).hint).toBeTruthy();
  for (const { state, rests_on } of ofDatabase) if (state === 'skipped') expect(rests_on).toBe(name);
  expect(JSON.stringify(report)).not.toContain(PASSWORD);
}

describe('a server that is in order', () => {
  it.each(['true', 'strict'])('is said to be, and to be really encrypted (encrypt: %s)', async (encrypt) => {
    const report = await writer({ flags: { 'sqlserver.encrypt': encrypt } });
    const ofDatabase = report.checks.filter(({ name }) => name.startsWith('sqlserver'));
    expect(ofDatabase.map(({ state, name, finding }) => `${name} ${state === 'ok' ? state : finding}`)).toEqual([
      'sqlserver.name ok',
      'sqlserver.tcp ok',
      'sqlserver.login ok',
      'sqlserver.encryption ok',
      'sqlserver.database ok',
      'sqlserver.schema ok',
      'sqlserver.rights ok',
    ]);
    const { detail } = found(report, 'sqlserver.encryption');
    expect(detail).toMatchObject({ encrypted: true, server_says: true, certificate_days_left: 29 });
    expect(detail.tls_version).toMatch(/^TLSv1\.[23]$/);
  });

  it('may keep to itself whether it encrypts', async () => {
    server.faults.add({ at: 'check-encryption', do: 'error', number: 300 });
    const report = await writer();
    expect(found(report, 'sqlserver.encryption')).toMatchObject({ state: 'ok', detail: { server_says: null } });
  });
});

describe('a server that is not there', () => {
  it('has a name that nobody knows', async () => {
    const report = await writer({ flags: { 'sqlserver.host': 'sql.invalid' } });
    expectOnly(report, 'sqlserver.name', 'SINK_UNAVAILABLE');
  });

  it('has a port on which nothing listens', async () => {
    const report = await writer({ flags: { 'sqlserver.port': String(await freePort()) } });
    expectOnly(report, 'sqlserver.tcp', 'SINK_UNAVAILABLE');
    expect(found(report, 'sqlserver.tcp').finding).toContain('connection refused');
  });

  it('takes connections and says nothing, and the check ends all the same', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const report = await writer({ flags: { 'sqlserver.port': String(port) }, limit: 2000 });
    silent.close();
    expectOnly(report, 'sqlserver.login', 'SINK_TIMEOUT');
  });
});

describe('a server that is not trusted', () => {
  const issued = { commonName: 'sql', names: ['localhost'] };

  it.each([
    [
      'of an authority that nobody knows',
      () => new CertificateAuthority('a stranger').issue(issued),
      'not trusted here',
    ],
    ['for another name', () => authority.issue({ ...issued, names: ['other.example'] }), 'for another name'],
    ['that has expired', () => authority.issue({ ...issued, notAfter: new Date(Date.now() - 1000) }), 'has expired'],
  ])('shows a certificate %s', async (_what, issue, says) => {
    server.useCertificate(issue());
    const report = await writer();
    expectOnly(report, 'sqlserver.login', 'SINK_TLS');
    expect(found(report, 'sqlserver.login').finding).toContain(says);
  });

  it.each([
    ['certificate', 40, 6, 6],
    ['authority', 5, 40, 5],
  ])('has a %s that runs out in days', async (_what, ofAuthority, ofServer, left) => {
    const day = 86_400_000;
    const from = new Date(Date.now() - 100 * day);
    const until = (days: number) => ({ notBefore: from, notAfter: new Date(Date.now() + (days + 0.5) * day) });
    const another = new CertificateAuthority('another', until(ofAuthority));
    writeFileSync(scratch.file('another.pem'), another.cert);
    server.useCertificate(another.issue({ ...issued, ...until(ofServer) }));
    const report = await writer({ flags: { 'sqlserver.ca': scratch.file('another.pem') } });
    expect(found(report, 'sqlserver.encryption')).toMatchObject({
      state: 'warning',
      code: 'SINK_TLS_EXPIRES',
      hint: expect.stringContaining(ofAuthority < ofServer ? 'sqlserver.ca' : 'server’s certificate'),
      detail: { certificate_days_left: left },
    });
  });

  it('does not encrypt', async () => {
    server.encryption = 'refused';
    expectOnly(await writer(), 'sqlserver.login', 'SINK_TLS');
  });

  it('may be used all the same, and that is said', async () => {
    const any = await writer({ flags: { 'sqlserver.trust_server_certificate': 'true' } });
    expect(found(any, 'sqlserver.encryption')).toMatchObject({ state: 'warning', code: 'SINK_NOT_TRUSTED' });
    const plain = await writer({ flags: { 'sqlserver.encrypt': 'false' } });
    expect(found(plain, 'sqlserver.encryption')).toMatchObject({
      state: 'warning',
      code: 'SINK_NOT_ENCRYPTED',
      detail: { encrypted: false, server_says: false },
    });
  });
});

describe('a login', () => {
  it('is refused', async () => {
    const report = await writer({ password: 'Zauberwort-7' });
    expectOnly(report, 'sqlserver.login', 'SINK_LOGIN');
    expect(JSON.stringify(report)).not.toContain('Zauberwort');
  });

  it('finds no database, and may not make it', async () => {
    server.rights = { createTables: true, createDatabases: false };
    expectOnly(
      await writer({ flags: { 'sqlserver.database': 'moniter' } }),
      'sqlserver.login',
      'SINK_DATABASE_MISSING',
    );
  });

  it('finds no database, which a writer would make', async () => {
    const report = await writer({ flags: { 'sqlserver.database': 'moniter' } });
    expect(found(report, 'sqlserver.login')).toMatchObject({ state: 'warning', code: 'SINK_DATABASE_MISSING' });
    expect(found(report, 'sqlserver.schema')).toMatchObject({ state: 'skipped', rests_on: 'sqlserver.login' });
    expect(server.store.has('moniter')).toBe(false);
  });

  it('lacks rights', async () => {
    server.rights = { ...server.rights, denied: ['INSERT on runs', 'DELETE on server_metrics'] };
    const report = await writer();
    expectOnly(report, 'sqlserver.rights', 'SINK_PERMISSION');
    expect(found(report, 'sqlserver.rights').detail).toEqual({ missing: ['INSERT on runs'] });
    const expiring = await writer({ flags: { 'writer.retention': '30d' } });
    expect(found(expiring, 'sqlserver.rights').finding).toContain('INSERT on runs, DELETE on server_metrics');
  });
});

describe('a database', () => {
  const ledger = (sql: string) => {
    const handle = server.store.open('monitoring');
    handle.exec(sql);
    handle.close();
  };

  it('has the schema of a newer version', async () => {
    ledger("INSERT INTO schema_migrations (version, name) VALUES (99, 'future')");
    expectOnly(await writer(), 'sqlserver.schema', 'SINK_NEWER_SCHEMA');
  });

  it('lacks a part of the schema that the writer may not make', async () => {
    ledger('DELETE FROM schema_migrations WHERE version = 4');
    server.rights = { createTables: false, createDatabases: false };
    expectOnly(await writer(), 'sqlserver.schema', 'SINK_SCHEMA_OLD');
    server.rights = { createTables: true, createDatabases: false };
    expectOnly(await writer({ flags: { 'writer.migrate': 'false' } }), 'sqlserver.schema', 'SINK_SCHEMA_OLD');
    const report = await writer();
    expect(found(report, 'sqlserver.schema')).toMatchObject({ state: 'warning', code: 'SINK_SCHEMA_OLD' });
    expect(server.count('claim-migration')).toBe(4);
  });

  it('has no tables at all', async () => {
    server.store.create('empty');
    server.rights = { createTables: false, createDatabases: false };
    const report = await writer({ flags: { 'sqlserver.database': 'empty' } });
    expectOnly(report, 'sqlserver.schema', 'SINK_SCHEMA_MISSING');
  });

  it('is read-only, or has another idea of the time', async () => {
    server.clockAhead = 3_600_000;
    expect(found(await writer(), 'sqlserver.database')).toMatchObject({
      state: 'warning',
      code: 'SINK_CLOCK',
      finding: expect.stringMatching(/^the server’s clock is (1h|59m59).* ahead of this host’s$/),
    });
    server.readOnly = true;
    expectOnly(await writer(), 'sqlserver.database', 'SINK_READ_ONLY');
  });
});
