/** The checks of this host: settings, spool, SQLite, HTTP, on real files. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireHostRoot } from '../../../../src/collect/host-root.ts';
import { loadSettings } from '../../../../src/config/load.ts';
import { SystemClock } from '../../../../src/lib/clock.ts';
import { HostspoolError } from '../../../../src/lib/errors.ts';
import { silentLog } from '../../../../src/lib/log.ts';
import { check } from '../../../../src/operate/check/plan.ts';
import { Spool } from '../../../../src/spool/spool.ts';
import { CertificateAuthority } from '../../../support/broker-certificates.ts';
import { failures, found, runCheck } from '../../../support/check-worlds.ts';

let directory: string;
const inside = (name: string) => join(directory, name);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'check-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Local mode needs nothing but the host. */
function local(flags: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}) {
  return runCheck({ mode: 'local', 'spool.path': inside('state/spool.db'), 'spool.min_free': '0', ...flags }, env);
}

describe('a host that is in order', () => {
  it('is said to be, and nothing was made on it', async () => {
    const report = await local();
    expect(failures(report)).toEqual([]);
    expect(report).toMatchObject({ mode: 'local', counts: { failed: 0, skipped: 0 } });
    expect(found(report, 'spool').finding).toContain('is not there yet and can be made');
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('collect.host_root', () => {
  it('that is no host’s root is found before the agent is started with it', async () => {
    mkdirSync(inside('empty'));
    const report = await local({ 'collect.host_root': inside('empty'), 'collect.hostname': 'web-1' });
    expect(failures(report)).toEqual(['host_root COLLECT_HOST_ROOT']);
  });

  it('that is one is said to be', async () => {
    const flags = { config: '/dev/null', mode: 'local', 'http.address': '', 'collect.host_root': '/host' };
    const load = () => loadSettings({ flags: { ...flags, 'collect.hostname': 'web-1' }, env: {} });
    const asked: string[] = [];
    const requireHostRoot = (root: string) => void asked.push(root);
    const clock = new SystemClock();
    const report = await check({ load, limit: 15_000, log: silentLog, clock, requireHostRoot });
    expect(found(report, 'host_root')).toMatchObject({ state: 'ok', detail: { path: '/host' } });
    expect(asked).toEqual(['/host']);
  });
});

describe('settings', () => {
  it('that are wrong are the only finding, with every line', async () => {
    const report = await local({ 'collect.interval': 'often', 'spool.max_age': 'long' });
    expect(report).toMatchObject({ state: 'failed', mode: null, counts: { failed: 1, ok: 0 } });
    const { code, finding } = found(report, 'settings');
    expect(code).toBe('SETTINGS_INVALID');
    expect(finding).toMatch(/collect\.interval.*\n.*spool\.max_age/s);
  });

  it('that lack what the mode needs are told as that', async () => {
    const report = await local({ mode: 'agent' });
    expect(failures(report)).toEqual(['settings KAFKA_BROKERS_MISSING']);
  });

  it('that are doubtful are a warning', async () => {
    const report = await local({ 'http.address': '0.0.0.0:0' });
    expect(found(report, 'settings')).toMatchObject({ state: 'warning', code: 'SETTINGS_DOUBTFUL' });
  });

  it('are no finding where the command line itself is wrong', async () => {
    const load = () => {
      throw new HostspoolError('USAGE', 'what?');
    };
    const checking = check({ load, limit: 1000, log: silentLog, clock: new SystemClock(), requireHostRoot });
    await expect(checking).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('a spool', () => {
  const path = () => inside('state/spool.db');

  function open(): Spool {
    return Spool.open({
      path: path(),
      maxBytes: 64 * 1024 ** 2,
      maxAge: 86_400_000,
      minFree: { bytes: 0 },
      synchronous: 'normal',
      hostname: 'web-1',
      interval: 5000,
      version: '1.0.0',
      purpose: 'agent',
      clock: new SystemClock(),
      log: silentLog,
    });
  }

  it('that an agent has open is in order', async () => {
    const spool = open();
    try {
      const report = await local();
      expect(found(report, 'spool')).toMatchObject({ state: 'ok', detail: { held_by_pid: process.pid } });
    } finally {
      spool.close(true);
    }
  });

  it('that is there is looked into and left as it is', async () => {
    open().close(true);
    const before = readdirSync(inside('state')).map((name) => [name, statSync(inside(`state/${name}`)).mtimeMs]);
    expect(found(await local(), 'spool')).toMatchObject({ state: 'ok', detail: { held_by_pid: null } });
    const after = readdirSync(inside('state')).map((name) => [name, statSync(inside(`state/${name}`)).mtimeMs]);
    expect(after).toEqual(before);
  });

  it('that is another program’s file, or below a file, has failed, and what rests on it is left out', async () => {
    mkdirSync(inside('state'));
    writeFileSync(path(), 'a text of somebody');
    const foreign = await local();
    expect(failures(foreign)).toEqual(['spool SPOOL_FOREIGN']);
    expect(found(foreign, 'spool.space')).toMatchObject({ state: 'skipped', rests_on: 'spool' });
    const below = await local({ 'spool.path': inside('state/spool.db/deeper/spool.db') });
    expect(failures(below)).toEqual(['spool SPOOL_PERMISSION', 'sqlite SINK_READ_ONLY']);
    expect(found(below, 'spool').finding).toContain('not a directory');
  });

  it('where nothing can be made has failed', async () => {
    const report = await local({ 'spool.path': '/proc/hostspool/spool.db', 'sqlite.path': inside('metrics.db') });
    // Root is told that it may write there, anybody else that he may not.
    expect(failures(report).join()).toMatch(/^spool(.filesystem SPOOL_FILESYSTEM| SPOOL_(PERMISSION|READ_ONLY))$/);
  });

  it('of a group that nobody knows has failed', async () => {
    expect(failures(await local({ 'spool.group': 'nobodys-group' }))).toEqual(['spool SPOOL_GROUP']);
  });

  it('that is damaged is a warning: the agent starts and mends it', async () => {
    open().close(true);
    writeFileSync(path(), Buffer.alloc(40_960, 7));
    expect(found(await local(), 'spool')).toMatchObject({ state: 'warning', code: 'SPOOL_UNREADABLE' });
  });
});

describe('the SQLite database', () => {
  it('that is no database has failed, and is left as it is', async () => {
    const path = inside('metrics.db');
    writeFileSync(path, 'a text of somebody else');
    expect(failures(await local({ 'sqlite.path': path }))).toEqual(['sqlite SINK_CORRUPT']);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it('that is a directory has failed', async () => {
    expect(failures(await local({ 'sqlite.path': directory }))).toEqual(['sqlite SINK_UNAVAILABLE']);
  });
});

describe('the endpoint', () => {
  it('that is free or off is in order; one that is in use, or no address of this host, is a warning', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      expect(found(await local({ 'http.address': '127.0.0.1:0' }), 'http').state).toBe('ok');
      expect(found(await local({ 'http.address': '' }), 'http').finding).toBe('off');
      const taken = await local({ 'http.address': `127.0.0.1:${port}` });
      expect(found(taken, 'http')).toMatchObject({ state: 'warning', code: 'HTTP_ADDRESS_IN_USE' });
      const foreign = await local({ 'http.address': '192.0.2.1:9464' });
      expect(found(foreign, 'http')).toMatchObject({ state: 'warning', code: 'HTTP_LISTEN' });
    } finally {
      other.close();
    }
  });

  it('has its certificate looked at', async () => {
    const authority = new CertificateAuthority();
    const one = authority.issue({ commonName: 'web-1' });
    const other = authority.issue({ commonName: 'web-2' });
    writeFileSync(inside('one.pem'), one.cert);
    writeFileSync(inside('one.key'), one.key);
    writeFileSync(inside('other.key'), other.key);
    const http = (key: string) => ({
      'http.address': '127.0.0.1:0',
      'http.tls.cert': inside('one.pem'),
      'http.tls.key': inside(key),
    });
    expect(found(await local(http('one.key')), 'http')).toMatchObject({
      state: 'ok',
      detail: { certificate_days_left: 29 },
    });
    for (const key of ['other.key', 'none.key']) {
      expect(found(await local(http(key)), 'http')).toMatchObject({ state: 'warning', code: 'HTTP_TLS_FILE' });
    }
  });
});
