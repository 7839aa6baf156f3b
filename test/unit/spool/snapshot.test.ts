import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { spoolFiles } from '../../../src/spool/files.ts';
import { readSnapshot } from '../../../src/spool/snapshot.ts';
import { Spool } from '../../../src/spool/spool.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FIXTURE_AGENT, runIdOf, SpoolFixture } from '../../support/spool-fixture.ts';

const support = join(import.meta.dirname, '../../support');
const clock = new SystemClock();
const isRoot = process.geteuid?.() === 0;
const NOBODY = 65534;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'hostspool-snapshot-'));
  chmodSync(made, 0o755);
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function fixture(): SpoolFixture {
  const made = SpoolFixture.make();
  cleanups.push(() => made.remove());
  return made;
}

function openSpool(path: string, overrides: { clock?: FakeClock; purpose?: 'agent' | 'drain' } = {}): Spool {
  const spool = Spool.open({
    path,
    maxBytes: 32 * 1024 * 1024,
    maxAge: 86_400_000,
    minFree: { bytes: 0 },
    synchronous: 'normal',
    hostname: 'web-01',
    interval: 5000,
    version: '1.2.3',
    purpose: overrides.purpose ?? 'agent',
    clock: overrides.clock ?? clock,
    log: silentLog,
  });
  cleanups.push(() => spool.close(false));
  return spool;
}

interface Progress {
  readonly appended: number;
  readonly refused: number;
  readonly slowest: number;
  readonly runId: string;
}

class AppendingAgent {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  last: Progress | undefined;

  constructor(path: string, ...more: string[]) {
    this.child = spawn(process.execPath, [join(support, 'appending-agent.ts'), path, ...more]);
    this.child.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
    cleanups.push(() => this.child.kill('SIGKILL'));
  }

  async next(): Promise<Progress> {
    const { value } = await this.#lines.next();
    this.last = JSON.parse(value) as Progress;
    return this.last;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    this.child.stdout.resume();
    await once(this.child, 'exit');
  }
}

function statusAs(uid: number, gid: number, path: string, env: NodeJS.ProcessEnv = {}) {
  const script = join(support, 'status-as.ts');
  const printed = execFileSync(process.execPath, [script, String(uid), String(gid), path], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return JSON.parse(printed) as Record<string, unknown>;
}

const ZEROS = new Uint8Array(4096);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(HostspoolError);
    return (error as HostspoolError).code;
  }
  return 'nothing was thrown';
}

describe('a look at a spool beside its agent', () => {
  it('agrees with the agent', () => {
    const path = join(directory(), 'spool.db');
    const spool = openSpool(path);
    const took = Date.now() - 3000;
    for (let n = 0; n < 20; n++) spool.append(spool.identify(), took + n, `{"n":${n}}`);
    spool.saveShipping({ ...spool.shipping(), state: 'backing_off', failures: 3, last_error: 'KAFKA: away' });
    spool.maintain();
    const snapshot = readSnapshot(path, clock);
    expect(snapshot).toMatchObject({
      path,
      source: 'shared',
      spoolId: spool.id,
      bytes: spool.bytes,
      agent: { hostname: 'web-01', pid: process.pid, max_bytes: 32 * 1024 * 1024, interval_ms: 5000 },
      holder: { held: true, knownBy: 'lock', pid: process.pid, ownPid: process.pid },
      run: { runId: spool.runId, lastSeq: 20, lastSampleAt: took + 19, ended: 'open', thisBoot: true },
      shipping: { state: 'backing_off', failures: 3, last_error: 'KAFKA: away' },
      losses: [],
      damage: [],
    });
    expect(snapshot.queue).toMatchObject({
      depth: 20,
      exact: true,
      oldest: { seq: 1, takenAt: took },
      newest: { seq: 20, takenAt: took + 19 },
      runs: [{ runId: spool.runId, samples: 20, firstSeq: 1, lastSeq: 20 }],
    });
  });

  it('knows the last sample of a spool that is empty, by the tail file and its time', () => {
    const path = join(directory(), 'spool.db');
    const spool = openSpool(path);
    for (let n = 0; n < 7; n++) spool.append(spool.identify(), Date.now(), '{}');
    spool.acknowledge(spool.read({ samples: 100, bytes: 1e6 }).at(-1)?.id ?? 0, []);
    const before = Date.now() - 60_000;
    utimesSync(spoolFiles(path).tail, new Date(before), new Date(before));
    const { queue, run } = readSnapshot(path, clock);
    expect(queue?.depth).toBe(0);
    expect(run).toMatchObject({ lastSeq: 7, lastSampleAt: before });
  });

  it('says that no sample was taken yet', () => {
    const path = join(directory(), 'spool.db');
    const spool = openSpool(path);
    expect(readSnapshot(path, clock).run).toMatchObject({ runId: spool.runId, lastSeq: 0, lastSampleAt: null });
  });

  it('tells an end in order from a death', () => {
    const path = join(directory(), 'spool.db');
    const first = openSpool(path);
    first.append(first.identify(), Date.now(), '{}');
    first.close(true);
    expect(readSnapshot(path, clock)).toMatchObject({ run: { ended: 'clean' }, holder: { held: false, pid: null } });
    const second = openSpool(path);
    second.append(second.identify(), Date.now(), '{}');
    second.close(false);
    expect(readSnapshot(path, clock)).toMatchObject({ run: { ended: 'open', lastSeq: 1 }, holder: { held: false } });
  });

  it('is told apart from a drain, which holds the same lock', async () => {
    const path = join(directory(), 'spool.db');
    const agent = openSpool(path);
    agent.append(agent.identify(), Date.now(), '{}');
    agent.close(true);
    const drain = new AppendingAgent(path, 'drain');
    await drain.next();
    const { holder, agent: record } = readSnapshot(path, clock);
    expect(holder).toMatchObject({ held: true, pid: drain.child.pid, ownPid: drain.child.pid });
    expect(record?.pid).toBe(process.pid);
  });

  it('never stands in the way of the agent that appends', async () => {
    const path = join(directory(), 'spool.db');
    const agent = new AppendingAgent(path);
    const begun = await agent.next();
    let looks = 0;
    let greatestLog = 0;
    let lastSeq = 0;
    while ((agent.last?.appended ?? 0) < 8000) {
      await agent.next();
      const { run, holder, queue, damage } = readSnapshot(path, clock);
      expect(damage).toEqual([]);
      expect(holder).toMatchObject({ held: true, pid: agent.child.pid });
      expect(run?.runId).toBe(begun.runId);
      expect(run?.lastSeq).toBeGreaterThanOrEqual(lastSeq);
      expect(queue?.depth).toBeLessThanOrEqual(run?.lastSeq ?? 0);
      lastSeq = run?.lastSeq ?? 0;
      greatestLog = Math.max(greatestLog, statSync(`${path}-wal`).size);
      looks++;
    }
    expect(looks).toBeGreaterThan(20);
    expect(agent.last?.refused).toBe(0);
    // A reader that stayed would keep the log from starting over; it is cut at 4 MiB.
    expect(greatestLog).toBeLessThan(16 * 1024 * 1024);
    await agent.end('SIGTERM');
    expect(readSnapshot(path, clock)).toMatchObject({ holder: { held: false }, run: { ended: 'clean' } });
  });

  it('sees a killed agent as gone at once, and everything it appended', async () => {
    const path = join(directory(), 'spool.db');
    const agent = new AppendingAgent(path);
    while ((agent.last?.appended ?? 0) < 300) await agent.next();
    await agent.end('SIGKILL');
    const { holder, run, queue } = readSnapshot(path, clock);
    expect(holder).toMatchObject({ held: false, pid: null });
    expect(run?.ended).toBe('open');
    expect(queue?.depth).toBeGreaterThanOrEqual(300);
    expect(queue?.newest?.seq).toBeLessThanOrEqual(run?.lastSeq ?? 0);
  });
});

describe('a look at a spool that nobody has open', () => {
  it('leaves no file behind and changes none', () => {
    const made = fixture().run({ run: 1, ended: 'clean' }).samples({ run: 1, first: 1, last: 500 }).stop();
    const names = () => readdirSync(made.directory).map((name) => [name, statSync(join(made.directory, name)).mtimeMs]);
    const before = names();
    expect(readSnapshot(made.path, clock)).toMatchObject({ source: 'file', queue: { depth: 500 } });
    expect(names()).toEqual(before);
  });

  it('reads it at a path with characters that mean something in a URI', () => {
    const made = fixture().samples({ run: 1, first: 1, last: 3 }).stop();
    const odd = join(made.directory, 'a b?c#d%20&mode=rw.db');
    copyFileSync(made.path, odd);
    expect(readSnapshot(odd, clock)).toMatchObject({ source: 'file', queue: { depth: 3 } });
  });

  it('reads what lies only in the log of an agent that died', () => {
    const made = fixture().samples({ run: 1, first: 1, last: 10 });
    const copy = join(directory(), 'spool.db');
    for (const suffix of ['', '-wal']) copyFileSync(made.path + suffix, copy + suffix);
    expect(readSnapshot(copy, clock).queue?.depth).toBe(10);
  });

  it('has nothing to say of an agent that never was', () => {
    const made = fixture().stop();
    expect(readSnapshot(made.path, clock)).toMatchObject({
      spoolId: null,
      agent: null,
      run: null,
      queue: { depth: 0 },
      holder: { held: false },
    });
  });

  it('takes the time of samples of this boot by the monotonic clock', () => {
    const fake = new FakeClock(1_000_000, 500_000, 'boot-7');
    const made = fixture().run({ run: 1, bootId: 'boot-7' }).run({ run: 2, bootId: 'boot-6' }).stop();
    expect(readSnapshot(made.path, fake)).toMatchObject({
      at: 1_000_000,
      monotonicAt: 500_000,
      run: { runId: runIdOf(2), thisBoot: false },
    });
  });
});

describe.runIf(isRoot)('a look by a user of spool.group, who may write nothing', () => {
  function shared(path: string): void {
    chownSync(join(path, '..'), 0, NOBODY);
    chmodSync(join(path, '..'), 0o750);
  }

  it('works beside the agent', async () => {
    const path = join(directory(), 'state', 'spool.db');
    mkdirSync(join(path, '..'));
    shared(path);
    const agent = new AppendingAgent(path, 'agent', String(NOBODY));
    while ((agent.last?.appended ?? 0) < 200) await agent.next();
    expect(statusAs(NOBODY, NOBODY, path)).toMatchObject({ source: 'shared', held: true, pid: agent.child.pid });
    await agent.end('SIGKILL');
    expect(statusAs(NOBODY, NOBODY, path)).toMatchObject({ source: 'shared', held: false, hostname: 'web-01' });
  });

  it('works after the agent stopped in order, when the side files are gone', async () => {
    const path = join(directory(), 'state', 'spool.db');
    mkdirSync(join(path, '..'));
    shared(path);
    const agent = new AppendingAgent(path, 'agent', String(NOBODY));
    while ((agent.last?.appended ?? 0) < 200) await agent.next();
    await agent.end('SIGTERM');
    expect(existsSync(`${path}-shm`)).toBe(false);
    expect(statusAs(NOBODY, NOBODY, path)).toMatchObject({ source: 'file', held: false, hostname: 'web-01' });
  });

  it('works on a log whose side file can’t be made, by a copy that it removes', () => {
    const made = fixture().samples({ run: 1, first: 1, last: 25 });
    const path = join(directory(), 'spool.db');
    for (const suffix of ['', '-wal']) copyFileSync(made.path + suffix, path + suffix);
    const temporary = directory();
    chmodSync(temporary, 0o777);
    expect(statusAs(NOBODY, NOBODY, path, { TMPDIR: temporary })).toMatchObject({ source: 'copy', depth: 25 });
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(join(path, '..')).sort()).toEqual(['spool.db', 'spool.db-wal']);
  });

  it('is refused to everybody else, with a hint', async () => {
    const path = join(directory(), 'state', 'spool.db');
    const spool = openSpool(path);
    spool.append(spool.identify(), Date.now(), '{}');
    expect(statusAs(NOBODY, NOBODY, path)).toMatchObject({ code: 'SPOOL_PERMISSION' });
    chmodSync(join(path, '..'), 0o755);
    expect(statusAs(NOBODY, NOBODY, path)).toMatchObject({ code: 'SPOOL_PERMISSION' });
    spool.close(true);
    expect(statusAs(NOBODY, NOBODY, path)).toMatchObject({ code: 'SPOOL_PERMISSION' });
  });
});

describe('a look at what is no sound spool', () => {
  it('says that there is none', () => {
    expect(codeOf(() => readSnapshot(join(directory(), 'spool.db'), clock))).toBe('SPOOL_MISSING');
    expect(codeOf(() => readSnapshot('/dev/null/spool.db', clock))).toBe('SPOOL_MISSING');
  });

  it('refuses a directory, an empty file, another database and no database', () => {
    const place = directory();
    expect(codeOf(() => readSnapshot(place, clock))).toBe('SPOOL_UNREADABLE');
    const path = join(place, 'spool.db');
    writeFileSync(path, '');
    expect(codeOf(() => readSnapshot(path, clock))).toBe('SPOOL_UNREADABLE');
    writeFileSync(path, 'not a database, but long enough to have been one. '.repeat(200));
    expect(codeOf(() => readSnapshot(path, clock))).toBe('SPOOL_UNREADABLE');
    rmSync(path);
    const other = openSqlite(path);
    other.exec('CREATE TABLE recipes (name TEXT)');
    other.close();
    expect(codeOf(() => readSnapshot(path, clock))).toBe('SPOOL_UNREADABLE');
  });

  it('refuses the spool of a newer hostspool, and leaves it alone', () => {
    const made = fixture();
    made.database.pragma('user_version = 99');
    made.stop();
    const before = readFileSync(made.path);
    expect(codeOf(() => readSnapshot(made.path, clock))).toBe('SPOOL_NEWER_SCHEMA');
    expect(readFileSync(made.path).equals(before)).toBe(true);
  });

  it('tells what can still be read of a damaged one', () => {
    const made = fixture().run({ run: 1 }).state('agent', FIXTURE_AGENT).samples({ run: 1, first: 1, last: 20_000 });
    const root = made.database
      .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'samples'")
      .pluck()
      .get() as number;
    made.stop();
    const bytes = readFileSync(made.path);
    bytes.fill(0x5a, (root - 1) * 4096, root * 4096);
    writeFileSync(made.path, bytes);
    const snapshot = readSnapshot(made.path, clock);
    expect(snapshot.queue).toBeNull();
    expect(snapshot.damage).toHaveLength(1);
    expect(snapshot.damage[0]).toContain('samples');
    expect(snapshot.agent?.hostname).toBe('web-01');
    expect(snapshot.run?.runId).toBe(runIdOf(1));
  });

  it('ends with a snapshot or a clear error, wherever the file is damaged', () => {
    const made = fixture()
      .run({ run: 1 })
      .run({ run: 2 })
      .state('agent', FIXTURE_AGENT)
      .loss('spool_full', 3, 1, 2)
      .samples({ run: 1, first: 1, last: 400 })
      .samples({ run: 2, first: 1, last: 400 })
      .stop();
    const sound = readFileSync(made.path);
    const patch = fc.record({
      at: fc.oneof(fc.nat(200), fc.nat(40_960), fc.nat(sound.length - 1)),
      bytes: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 16 }), fc.constant(ZEROS)),
    });
    const file = join(directory(), 'spool.db');
    let read = 0;
    fc.assert(
      fc.property(fc.array(patch, { minLength: 1, maxLength: 6 }), fc.nat(sound.length), (patches, length) => {
        const damaged = Buffer.from(sound);
        for (const { at, bytes } of patches) damaged.set(bytes.subarray(0, damaged.length - at), at);
        writeFileSync(file, length % 5 === 0 ? damaged.subarray(0, length) : damaged);
        try {
          readSnapshot(file, clock);
          read++;
        } catch (error) {
          if (!(error instanceof HostspoolError)) throw error;
          expect(['SPOOL_UNREADABLE', 'SPOOL_NEWER_SCHEMA', 'SPOOL_PERMISSION']).toContain(error.code);
        } finally {
          for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
        }
      }),
      { numRuns: 400 },
    );
    expect(read).toBeGreaterThan(20);
  });
});
