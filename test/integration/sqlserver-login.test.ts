/** How the SQL Server sink gets in, or does not: logins, encryption, trust. What arrived at the server decides. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostspoolError } from '../../src/lib/errors.ts';
import type { SqlServerSettings } from '../../src/sink/sqlserver/connection-settings.ts';
import { CertificateAuthority } from '../support/broker-certificates.ts';
import { listenOldTls } from '../support/old-tls.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import { obfuscated } from '../support/tds/login.ts';
import { BEGAN, loadAll, message, READER } from '../unit/sink/a-load.ts';

const PASSWORD = 'Tr0ub4dor&3-ß';
const authority = new CertificateAuthority();
const stranger = new CertificateAuthority('somebody else');
const certificate = authority.issue({ commonName: 'sql', names: ['localhost', '127.0.0.1'] });

/** What a server of old days takes; at OpenSSL's usual level it would not offer 1.1. */
const OLD = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;

let directory: string;
let ca: string;
let fixture: SqlServerFixture;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sql-login-'));
  ca = join(directory, 'ca.pem');
  writeFileSync(ca, authority.cert);
  fixture = await SqlServerFixture.open({
    server: { password: PASSWORD, tls: certificate },
    settings: { encrypt: 'true', ca },
  });
});

afterEach(async () => {
  const { surprises } = fixture.server;
  await fixture[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
  expect(surprises).toEqual([]);
});

async function attempt(change: Partial<SqlServerSettings> = {}): Promise<HostspoolError | undefined> {
  try {
    await fixture.another(change).readOffsets(READER);
    return undefined;
  } catch (error) {
    return error as HostspoolError;
  }
}

/** Neither as it is typed nor as LOGIN7 writes it. */
function expectPasswordUnseen(): void {
  for (const { plain, login } of fixture.server.records) {
    expect(plain.includes(obfuscated(PASSWORD))).toBe(false);
    expect(plain.includes(Buffer.from(PASSWORD, 'utf16le'))).toBe(false);
    expect(login?.password).toBeUndefined();
  }
}

/** Everything that a log could print of it. */
function said(error: HostspoolError | undefined): string {
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    texts.push(at.message, at.stack ?? '', JSON.stringify(at, Object.getOwnPropertyNames(at)));
  }
  return `${texts.join('\n')}\n${error?.hint}`;
}

describe('encryption', () => {
  it.each(['true', 'strict'] as const)(
    'with encrypt: %s and the CA’s file loads, and nothing of it is plain',
    async (encrypt) => {
      const sink = fixture.another({ encrypt });
      await loadAll(sink, [message(1, 1, { hostname: 'hidden-host' })], null);
      expect(fixture.server.committed.rows()).toHaveLength(1);
      for (const { encrypted, plain } of fixture.server.records) {
        expect(encrypted).toBe(true);
        expect(plain.includes(obfuscated(PASSWORD))).toBe(false);
        expect(plain.includes(Buffer.from('hidden-host', 'utf16le'))).toBe(false);
      }
    },
  );

  it('is not asked of a server that has none when the settings say so', async () => {
    fixture.server.encryption = 'refused';
    expect(await attempt({ encrypt: 'false', ca: undefined })).toBeUndefined();
    expect(fixture.server.records.every(({ encrypted }) => !encrypted)).toBe(true);
  });

  it.each(['refused', 'off'] as const)(
    'that the server answers with “%s” stops before the password',
    async (policy) => {
      fixture.server.encryption = policy;
      const error = await attempt();
      expect(error).toMatchObject({ code: 'SINK_TLS', retryable: false });
      expect(error?.hint).toContain('sqlserver.encrypt');
      expect(fixture.server.records.length).toBeGreaterThan(0);
      expectPasswordUnseen();
    },
  );

  it('strict against a server that does not know it stops before the password', async () => {
    fixture.server.encryption = 'refused';
    const error = await attempt({ encrypt: 'strict' });
    expect(error?.retryable === false || error?.code === 'SINK_UNAVAILABLE').toBe(true);
    expectPasswordUnseen();
  });

  it('that the server requires and the settings do not want is told as that', async () => {
    fixture.server.encryption = 'required';
    expect(await attempt({ encrypt: 'false' })).toMatchObject({ code: 'SINK_TLS', retryable: false });
    expectPasswordUnseen();
  });
});

describe('a server that is not trusted gets no password', () => {
  it.each(['true', 'strict'] as const)('its authority is unknown (encrypt: %s)', async (encrypt) => {
    fixture.server.useCertificate(stranger.issue({ commonName: 'sql', names: ['localhost'] }));
    const error = await attempt({ encrypt });
    expect(error).toMatchObject({ code: 'SINK_TLS', retryable: false });
    expect(error?.hint).toContain('sqlserver.ca');
    expectPasswordUnseen();
  });

  it.each(['true', 'strict'] as const)('its certificate is for another name (encrypt: %s)', async (encrypt) => {
    fixture.server.useCertificate(authority.issue({ commonName: 'sql', names: ['other.example'] }));
    const error = await attempt({ encrypt });
    expect(error).toMatchObject({ code: 'SINK_TLS', retryable: false });
    expect(error?.message).toContain('another name');
    expectPasswordUnseen();
  });

  it('its certificate has expired', async () => {
    const names = { commonName: 'sql', names: ['localhost'] };
    fixture.server.useCertificate(authority.issue({ ...names, notAfter: new Date(Date.now() - 1000) }));
    const error = await attempt();
    expect(error).toMatchObject({ code: 'SINK_TLS', retryable: false });
    expect(error?.message).toContain('expired');
    expectPasswordUnseen();
  });

  it('unless the settings say that any certificate will do', async () => {
    fixture.server.useCertificate(stranger.issue({ commonName: 'sql', names: ['other.example'] }));
    expect(await attempt({ trust_server_certificate: true, ca: undefined })).toBeUndefined();
    expect(fixture.server.records.every(({ encrypted }) => encrypted)).toBe(true);
  });

  it.each([
    ['is not there', undefined],
    ['is no certificate', 'a letter'],
  ])('and a CA file that %s is named before any server is asked', async (_what, text) => {
    const path = join(directory, 'other.pem');
    if (text !== undefined) writeFileSync(path, text);
    const error = await attempt({ ca: path });
    expect(error).toMatchObject({ code: 'SINK_TLS_FILE', retryable: false });
    expect(error?.message).toContain(path);
    expect(fixture.server.records).toEqual([]);
  });

  it.each(['true', 'strict'] as const)('nor when it speaks no TLS later than 1.1 (encrypt: %s)', async (encrypt) => {
    await using old = await listenOldTls(certificate, ['tds/8.0']);
    if (encrypt === 'strict') {
      const error = await attempt({ encrypt, port: old.port });
      expect(error).toMatchObject({ code: 'SINK_TLS', retryable: false });
      expect(error?.message).toContain('1.2 at least');
      expect(old.secured()).toBe(0);
    } else {
      fixture.server.secureContext = createSecureContext({ ...certificate, maxVersion: 'TLSv1.1', ...OLD });
      expect(await attempt({ encrypt })).toMatchObject({ code: 'SINK_TLS' });
      expectPasswordUnseen();
    }
  });

  it('and a renewed CA file is taken without a restart', async () => {
    writeFileSync(ca, stranger.cert);
    const sink = fixture.another();
    await expect(sink.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_TLS' });
    writeFileSync(ca, authority.cert);
    expect(await sink.readOffsets(READER)).toEqual(new Map());
    expect(sink.certificates).toEqual([{ setting: 'sqlserver.ca', use: 'trusted', pem: authority.cert }]);
  });
});

describe('renewed access', () => {
  it('is used from the next load on: the connection that is open is replaced, and nothing is lost', async () => {
    const { server, sink, settings } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    const before = server.records.length;
    server.password = 'the-next-one';
    sink.renew({ ...settings, password: 'the-next-one' });
    expect(await loadAll(sink, [message(1, 2)], 1)).toMatchObject({ kind: 'committed', inserted: 1 });
    expect(server.records.length).toBeGreaterThan(before);
    const after = server.records.length;
    // Nothing new: nothing is replaced.
    sink.renew({ ...settings, password: 'the-next-one' });
    expect(await loadAll(sink, [message(1, 3)], 2)).toMatchObject({ kind: 'committed', inserted: 1 });
    expect(server.records.length).toBe(after);
    expect(server.committed.rows()).toHaveLength(3);
  });

  it('keeps the authorities in use while a new file is no good, and says so for as long as it lasts', async () => {
    const { server, sink, settings } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    writeFileSync(ca, 'half a fi');
    sink.renew(settings);
    expect(sink.accessProblem).toContain('sqlserver.ca');
    server.cut();
    await server.settled();
    await expect(loadAll(sink, [message(1, 2)], 1)).rejects.toThrow();
    expect(await loadAll(sink, [message(1, 2)], 1)).toMatchObject({ kind: 'committed', inserted: 1 });
    writeFileSync(ca, authority.cert);
    sink.renew(settings);
    expect(sink.accessProblem).toBeUndefined();
  });
});

describe('a login', () => {
  it('names itself as the settings say, and the database', async () => {
    expect(await attempt({ application_name: 'hostspool on w1' })).toBeUndefined();
    expect(fixture.server.records.at(-1)?.login).toMatchObject({
      application: 'hostspool on w1',
      database: 'monitoring',
      user: 'hostspool',
      password: PASSWORD,
    });
  });

  it('with the wrong password is refused, told as that, and not worth repeating soon', async () => {
    const error = await attempt({ password: `${PASSWORD}!` });
    expect(error).toMatchObject({ code: 'SINK_LOGIN', retryable: false });
    expect(error?.hint).toContain('sqlserver.password');
    expect(said(error)).not.toContain(PASSWORD);
  });

  it('to a database that is not there is told as that', async () => {
    const error = await attempt({ database: 'elsewhere' });
    expect(error).toMatchObject({ code: 'SINK_DATABASE_MISSING', retryable: false });
    expect(error?.message).toContain('elsewhere');
    expect(said(error)).not.toContain(PASSWORD);
  });

  it.each([
    [40613, 'SINK_UNAVAILABLE', true],
    [40197, 'SINK_UNAVAILABLE', true],
    [18456, 'SINK_LOGIN', false],
    [18486, 'SINK_LOGIN', false],
    [4064, 'SINK_DATABASE_MISSING', false],
    [916, 'SINK_PERMISSION', false],
    [17142, 'SINK_UNAVAILABLE', true],
  ])('that the server answers with %i is %s', async (number, code, retryable) => {
    fixture.server.faults.add({ at: 'login', do: 'error', number, times: Number.POSITIVE_INFINITY });
    expect(await attempt()).toMatchObject({ code, retryable });
  });

  it('is told rightly to each of several that wait for one', async () => {
    fixture.server.faults.add({ at: 'login', do: 'error', number: 40613, times: Number.POSITIVE_INFINITY });
    const { sink } = fixture;
    const asked = [sink.readOffsets(READER), sink.readHoles(READER), sink.readUnexplained(), sink.listHosts()];
    for (const result of await Promise.allSettled(asked))
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'SINK_UNAVAILABLE', retryable: true } });
  });

  it('that was revoked and given back goes on without a restart', async () => {
    const { server, sink } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    server.password = 'another';
    server.cut();
    await server.settled();
    await expect(loadAll(sink, [message(1, 2)], 1)).rejects.toThrow();
    await expect(loadAll(sink, [message(1, 2)], 1)).rejects.toMatchObject({ code: 'SINK_LOGIN' });
    server.password = PASSWORD;
    expect(await loadAll(sink, [message(1, 2)], 1)).toMatchObject({ kind: 'committed', inserted: 1 });
  });

  it.each(['user', 'password'] as const)('without sqlserver.%s is refused before any server is asked', async (name) => {
    const error = await attempt({ [name]: undefined });
    expect(error).toMatchObject({ code: 'SINK_SETTINGS', retryable: false });
    expect(error?.message).toContain(`sqlserver.${name}`);
    expect(fixture.server.records).toEqual([]);
  });
});

describe('a server that cannot be reached', () => {
  it('since nothing listens, is worth waiting for, and found again', async () => {
    const { server, sink } = fixture;
    server.refuse();
    const error = await sink.readOffsets(READER).catch((thrown: unknown) => thrown as HostspoolError);
    expect(error).toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
    expect(said(error as HostspoolError)).not.toContain(PASSWORD);
    await server.accept();
    expect(await sink.readOffsets(READER)).toEqual(new Map());
  });

  it('since its name is unknown, is worth waiting for', async () => {
    expect(await attempt({ host: 'nowhere.invalid' })).toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
  });

  it('for a long time, is found again by the first attempt that can', async () => {
    const { server, sink } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    server.refuse();
    server.cut();
    for (let failures = 0; failures < 12; failures++)
      await expect(sink.readOffsets(READER)).rejects.toMatchObject({ retryable: true });
    await server.accept();
    expect((await sink.readOffsets(READER)).get(0)).toMatchObject({ next: 1, began_at: BEGAN });
    expect(await loadAll(sink, [message(1, 2)], 1)).toMatchObject({ inserted: 1 });
  });

  it('by one of several addresses, is found by another (multi_subnet_failover)', async () => {
    expect(await attempt({ multi_subnet_failover: true })).toBeUndefined();
  });
});
