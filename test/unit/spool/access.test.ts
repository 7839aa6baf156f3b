import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { appendSamples, LiveSpool, notesOf } from '../../support/live-spool.ts';

const PROCESS = join(import.meta.dirname, '../../support/spool-process.ts');
const NOBODY = 65_534;
const root = process.geteuid?.() === 0;

let fixture: LiveSpool;
let umask: number;
beforeEach(() => {
  fixture = new LiveSpool();
  umask = process.umask();
});
afterEach(() => {
  process.umask(umask);
  fixture.remove();
});

function refusal(action: () => unknown): HostspoolError {
  try {
    action();
  } catch (error) {
    if (error instanceof HostspoolError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const modes = (directory: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(directory)
      .sort()
      .map((name) => [name, (statSync(join(directory, name)).mode & 0o7777).toString(8)]),
  );

describe('permissions', () => {
  const FILES = ['spool.db', 'spool.db-shm', 'spool.db-wal', 'spool.lock', 'spool.reserve', 'spool.seq'];

  it.each([0o000, 0o022, 0o077, 0o777])('are the owner’s alone, side files included, under umask %o', (mask) => {
    process.umask(mask);
    const spool = fixture.open({ path: join(fixture.directory, 'made/here/spool.db') });
    process.umask(umask);
    appendSamples(spool, 3);
    expect(modes(join(fixture.directory, 'made/here'))).toEqual(Object.fromEntries(FILES.map((name) => [name, '600'])));
    expect(modes(fixture.directory)).toEqual({ made: '700' });
    expect(modes(join(fixture.directory, 'made'))).toEqual({ here: '700' });
  });

  it.runIf(root)('let one group read where it is set, and nobody write', () => {
    process.umask(0o077);
    const spool = fixture.open({ path: join(fixture.directory, 'made/spool.db'), group: '4242' });
    appendSamples(spool, 3);
    expect(modes(join(fixture.directory, 'made'))).toEqual(Object.fromEntries(FILES.map((name) => [name, '640'])));
    expect(modes(fixture.directory)).toEqual({ made: '750' });
    for (const name of FILES) expect(statSync(join(fixture.directory, 'made', name)).gid).toBe(4242);
  });

  it('are set again on files that had others', () => {
    fixture.open().close(true);
    for (const name of readdirSync(fixture.directory)) chmodSync(join(fixture.directory, name), 0o666);
    fixture.open();
    expect(Object.values(modes(fixture.directory)).every((mode) => mode === '600')).toBe(true);
  });

  it('are not changed on a directory that was there', () => {
    mkdirSync(join(fixture.directory, 'theirs'), { mode: 0o755 });
    chmodSync(join(fixture.directory, 'theirs'), 0o755);
    fixture.open({ path: join(fixture.directory, 'theirs/spool.db') });
    expect(modes(fixture.directory)).toEqual({ theirs: '755' });
  });

  it('refuse a group that does not exist, by its name', () => {
    const error = refusal(() => fixture.open({ group: 'no-such-group' }));
    expect([error.code, error.message]).toEqual(['SPOOL_GROUP', expect.stringContaining('no-such-group')]);
  });
});

describe('a spool that is not ours to write', () => {
  /** Opens it in a process of an unprivileged user. */
  const tryAsNobody = (path: string): string =>
    spawnSync(process.execPath, [PROCESS, 'try', path], { uid: NOBODY, gid: NOBODY, encoding: 'utf8' }).stdout.trim();

  it.runIf(root)('is refused in a directory that can’t be written', () => {
    chmodSync(fixture.directory, 0o755);
    expect(tryAsNobody(fixture.path)).toMatch(/^SPOOL_PERMISSION .*uid 65534.*\| .*belong to the user/);
    expect(readdirSync(fixture.directory)).toEqual([]);
  });

  it.runIf(root)('is refused where the directory can’t be made', () => {
    chmodSync(fixture.directory, 0o755);
    expect(tryAsNobody(join(fixture.directory, 'a/b/spool.db'))).toMatch(/^SPOOL_PERMISSION /);
  });

  it.runIf(root)('is refused when it belongs to somebody else, who is named', () => {
    fixture.open().close(true);
    chmodSync(fixture.directory, 0o777);
    expect(tryAsNobody(fixture.path)).toMatch(/^SPOOL_PERMISSION .*spool\.db belongs to uid 0, .*uid 65534 \| .*chown/);
  });

  it.runIf(root)('keeps its owner when root opens it, so that he can open it again', () => {
    chownSync(fixture.directory, NOBODY, NOBODY);
    expect(tryAsNobody(fixture.path)).toBe('ok');
    rmSync(fixture.path.replace('.db', '.reserve'));
    const spool = fixture.open();
    appendSamples(spool, 3);
    for (const name of readdirSync(fixture.directory)) {
      expect([name, statSync(join(fixture.directory, name)).uid]).toEqual([name, NOBODY]);
    }
    spool.close(true);
    expect(tryAsNobody(fixture.path)).toBe('ok');
  });

  it.runIf(root)('is recovered where its group is one that its owner can’t give, which may then not read it', () => {
    chownSync(fixture.directory, NOBODY, NOBODY);
    const path = join(fixture.directory, 'spool.db');
    expect(tryAsNobody(path)).toBe('ok');
    for (const name of readdirSync(fixture.directory)) chownSync(join(fixture.directory, name), NOBODY, 0);
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0xc3));
    expect(tryAsNobody(path)).toBe('ok');
    const setAside = readdirSync(fixture.directory).filter((name) => name.startsWith('spool.db.corrupt-'));
    expect(setAside).toHaveLength(1);
    const { uid, gid, mode } = statSync(path);
    expect([uid, gid, mode & 0o7777]).toEqual([NOBODY, NOBODY, 0o600]);
  });

  it.runIf(root)('is refused on a read-only filesystem', () => {
    const disk = join(fixture.directory, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      return;
    }
    try {
      fixture.open({ path: join(disk, 'spool.db') }).close(true);
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const error = refusal(() => fixture.open({ path: join(disk, 'spool.db') }));
      expect([error.code, error.hint]).toEqual(['SPOOL_READ_ONLY', expect.stringContaining('spool.path')]);
      expect(refusal(() => fixture.open({ path: join(disk, 'new/spool.db') })).code).toBe('SPOOL_READ_ONLY');
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });

  it('is refused where something else is in the way', () => {
    mkdirSync(fixture.path);
    expect(refusal(() => fixture.open()).code).toBe('SPOOL_PERMISSION');
    writeFileSync(join(fixture.directory, 'file'), '');
    expect(refusal(() => fixture.open({ path: join(fixture.directory, 'file/spool.db') })).code).toBe(
      'SPOOL_PERMISSION',
    );
  });

  it('is refused below /proc, where no directory can be made, and not tried for ever', () => {
    const path = '/proc/hostspool/below/spool.db';
    const tried = spawnSync(process.execPath, [PROCESS, 'try', path], { encoding: 'utf8', timeout: 60_000 });
    expect(tried.stdout).toMatch(/^SPOOL_(OPEN|PERMISSION)/);
  });
});

describe('the lock', () => {
  it('refuses a second process with the id of the first, and is free after kill -9', async () => {
    const holder = spawn(process.execPath, [PROCESS, 'hold', fixture.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => holder.once('close', resolve));
    const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('held');
    const error = refusal(() => fixture.open());
    expect([error.code, error.message, error.hint]).toEqual([
      'SPOOL_LOCKED',
      expect.stringContaining(`process ${holder.pid}`),
      expect.stringContaining('spool.path'),
    ]);
    expect(refusal(() => fixture.open({ purpose: 'drain' })).code).toBe('SPOOL_LOCKED');
    holder.kill('SIGKILL');
    await ended;
    expect(appendSamples(fixture.open(), 1)).toHaveLength(1);
  });

  it('refuses a second spool in the same process, and is kept through that', () => {
    const first = fixture.open();
    expect(refusal(() => fixture.open()).message).toContain(`process ${process.pid}`);
    expect(refusal(() => fixture.open()).code).toBe('SPOOL_LOCKED');
    expect(spawnSync(process.execPath, [PROCESS, 'try', fixture.path], { encoding: 'utf8' }).stdout).toMatch(
      /^SPOOL_LOCKED/,
    );
    first.close(true);
    fixture.open();
  });

  it('is let go when opening fails', () => {
    fixture.open().close(true);
    fixture.tamper('PRAGMA user_version = 99');
    expect(refusal(() => fixture.open()).code).toBe('SPOOL_NEWER_SCHEMA');
    fixture.tamper('PRAGMA user_version = 1');
    fixture.open();
  });
});

describe('a lock file that is no database any more', () => {
  const lock = () => fixture.path.replace('.db', '.lock');
  const overwrite = () => writeFileSync(lock(), Buffer.alloc(4096, 0xa5));

  it('is emptied, and keeps others out again', () => {
    fixture.open().close(true);
    overwrite();
    const spool = fixture.open();
    expect(statSync(lock()).size).toBe(0);
    expect(fixture.events('warn')).toEqual(['spool_lock_restored']);
    expect(appendSamples(spool, 1)).toHaveLength(1);
    expect(refusal(() => fixture.open()).code).toBe('SPOOL_LOCKED');
  });

  it('still keeps others out when it was overwritten under its holder, and is left alone', async () => {
    const holder = spawn(process.execPath, [PROCESS, 'hold', fixture.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => holder.once('close', resolve));
    try {
      const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe('held');
      overwrite();
      expect(refusal(() => fixture.open()).code).toBe('SPOOL_LOCKED');
      expect(statSync(lock()).size).toBe(4096);
    } finally {
      holder.kill('SIGKILL');
      await ended;
    }
    fixture.open();
  });
});

describe('a lock file that is deleted under its holder', () => {
  const lock = () => fixture.path.replace('.db', '.lock');

  it('lets no second process in, which is told who holds the spool', async () => {
    const holder = spawn(process.execPath, [PROCESS, 'hold', fixture.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => holder.once('close', resolve));
    try {
      const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe('held');
      rmSync(lock());
      for (const purpose of ['agent', 'drain'] as const) {
        const error = refusal(() => fixture.open({ purpose }));
        expect([error.code, error.message]).toEqual(['SPOOL_LOCKED', expect.stringContaining(`process ${holder.pid}`)]);
      }
    } finally {
      holder.kill('SIGKILL');
      await ended;
    }
    fixture.open();
  });

  it('is made again, so that it keeps others out', () => {
    const spool = fixture.open();
    rmSync(lock());
    fixture.clock.pass(1000);
    appendSamples(spool, 1);
    expect(fixture.events('warn')).toEqual(['spool_lock_restored']);
    expect(refusal(() => fixture.open()).code).toBe('SPOOL_LOCKED');
  });

  it('ends the one that lost the spool, before it gives a number, when another got in all the same', () => {
    // In one process the second can't see the first by its process id, as in another pid namespace.
    const first = fixture.open();
    appendSamples(first, 2);
    rmSync(lock());
    const second = fixture.open();
    fixture.clock.pass(1000);
    expect(refusal(() => first.identify()).code).toBe('SPOOL_LOCKED');
    first.close(false);
    appendSamples(second, 1);
    const read = second.read({ samples: 10, bytes: 1e6 });
    expect(read.map(({ identity }) => [identity.run_id, identity.seq])).toEqual([
      [first.runId, 1],
      [first.runId, 2],
      [second.runId, 1],
    ]);
    expect(notesOf(second)).toEqual([{ kind: 'run_ended', run_id: first.runId, last_seq: 2, clean: false }]);
  });
});

describe('a file of something else at the spool’s path', () => {
  it('is refused and left as it is, with nothing new beside it', () => {
    const other = openSqlite(fixture.path);
    other.exec('PRAGMA journal_mode = WAL; CREATE TABLE photos (id INTEGER PRIMARY KEY)');
    other.close();
    const before = readFileSync(fixture.path);
    expect(refusal(() => fixture.open())).toMatchObject({ code: 'SPOOL_FOREIGN' });
    expect(readdirSync(fixture.directory)).toEqual(['spool.db']);
    expect(readFileSync(fixture.path)).toEqual(before);
  });

  it.each(['kafka:\n  brokers: [k:9092]\n', 'ä€😀 '.repeat(2000)])(
    'is refused as well where it is a text, and left as it is: %.20j',
    (text) => {
      writeFileSync(fixture.path, text, { mode: 0o644 });
      for (const purpose of ['agent', 'drain'] as const) {
        expect(refusal(() => fixture.open({ purpose }))).toMatchObject({ code: 'SPOOL_FOREIGN' });
      }
      expect(readdirSync(fixture.directory)).toEqual(['spool.db']);
      expect(readFileSync(fixture.path, 'utf8')).toBe(text);
      expect(statSync(fixture.path).mode & 0o777).toBe(0o644);
    },
  );

  it('is not what a spool looks like that came without its tail file', () => {
    appendSamples(fixture.open(), 1);
    fixture.closeAll();
    rmSync(fixture.path.replace('.db', '.seq'));
    expect(fixture.open().depth).toBe(1);
  });
});

describe('a spool of a newer hostspool', () => {
  it('is refused, and left as it is', () => {
    const spool = fixture.open();
    appendSamples(spool, 3);
    spool.close(true);
    fixture.tamper('PRAGMA user_version = 7');
    const before = readFileSync(fixture.path);
    const error = refusal(() => fixture.open());
    expect([error.code, error.message]).toEqual(['SPOOL_NEWER_SCHEMA', expect.stringMatching(/version 7.*up to 1/)]);
    expect(readFileSync(fixture.path).equals(before)).toBe(true);
    expect(existsSync(`${fixture.path}-wal`)).toBe(false);
    expect(readdirSync(fixture.directory).filter((name) => name.includes('corrupt'))).toEqual([]);
  });
});
