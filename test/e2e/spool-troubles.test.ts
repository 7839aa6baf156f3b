import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

/** An agent whose broker is away, so that everything stays in the spool. */
function start(spool: string, more: readonly string[] = []): RunningExecutable {
  return new RunningExecutable([
    '--config=/dev/null',
    '--kafka.brokers=127.0.0.1:1',
    '--collect.interval=100ms',
    '--http.address=',
    '--log.level=debug',
    '--spool.min_free=0',
    `--spool.path=${spool}`,
    ...more,
  ]);
}

interface Status {
  readonly severity: string;
  readonly spool: {
    readonly depth: number;
    readonly runs: readonly { readonly run_id: string; readonly samples: number }[];
  };
  readonly agent: { readonly last_seq: number };
  readonly losses: readonly { readonly reason: string; readonly samples: number }[];
}

function status(spool: string): Status {
  return JSON.parse(runExecutable(['status', '--json', `--spool=${spool}`]).stdout) as Status;
}

const lost = ({ losses }: Status) => losses.reduce((sum, { samples }) => sum + samples, 0);

/** A spool with this many samples of a run that ended; answers its path. */
async function spoolWith(scratch: Scratch, samples: number): Promise<string> {
  const spool = scratch.file('spool.db');
  await using agent = start(spool);
  await until(() => agent.taken().length >= samples, `${samples} samples were taken`);
  expect(await agent.end('SIGTERM')).toBe(0);
  return spool;
}

describe('an agent and a spool in trouble', () => {
  it.each([
    ['cut short', (spool: string) => truncateSync(spool, 9000)],
    ['filled with garbage', (spool: string) => writeFileSync(spool, Buffer.alloc(40_000, 0xa5))],
    ['overwritten at its head', overwriteHead],
    ['emptied', (spool: string) => truncateSync(spool, 0)],
  ])(
    'starts on a spool that was %s, sets it aside, and has every sample in the spool or on record as lost',
    async (_, damage) => {
      using scratch = new Scratch();
      const spool = await spoolWith(scratch, 20);
      const before = status(spool);
      rmSync(`${spool}-wal`, { force: true });
      damage(spool);
      await using agent = start(spool);
      await until(() => agent.taken().length >= 5, 'the agent samples');
      const after = status(spool);
      const carriedOver = after.spool.runs.find(({ run_id }) => run_id === before.spool.runs[0]?.run_id)?.samples ?? 0;
      expect(carriedOver + lost(after)).toBeGreaterThanOrEqual(before.spool.depth);
      expect(agent.lines.some(({ level, event }) => level === 'error' && event?.startsWith('spool_'))).toBe(true);
      expect(await agent.end('SIGTERM')).toBe(0);
    },
  );

  it('leaves a spool of a newer version as it is, and says so', async () => {
    using scratch = new Scratch();
    const spool = await spoolWith(scratch, 3);
    const database = openSqlite(spool);
    database.pragma('user_version = 999');
    database.close();
    const { code, stdout, stderr } = runExecutable([
      '--config=/dev/null',
      '--kafka.brokers=127.0.0.1:1',
      `--spool.path=${spool}`,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('SPOOL_NEWER_SCHEMA');
    // Whoever collects the log sees why it ended, too.
    const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ level: 'error', event: 'ended_by_error', err: { code: 'SPOOL_NEWER_SCHEMA' } });
    expect(readdirSync(scratch.path).filter((name) => name.includes('corrupt'))).toEqual([]);
    expect(runExecutable(['status', `--spool=${spool}`]).code).toBe(3);
  });

  it.skipIf(!isRoot)('is refused the spool of another user (needs root)', async () => {
    using scratch = new Scratch();
    const spool = await spoolWith(scratch, 3);
    chmodSync(scratch.path, 0o755);
    const { code, stderr } = runExecutable(
      ['--config=/dev/null', '--kafka.brokers=127.0.0.1:1', `--spool.path=${spool}`],
      { uid: NOBODY },
    );
    expect(code).toBe(1);
    expect(stderr).toContain('SPOOL_PERMISSION');
  });

  it.skipIf(!isRoot)('says that the disk is read-only (needs root)', () => {
    using scratch = new Scratch();
    using disk = new Tmpfs(scratch, '16m');
    disk.remount('ro');
    const { code, stderr } = runExecutable([
      '--config=/dev/null',
      '--kafka.brokers=127.0.0.1:1',
      `--spool.path=${join(disk.path, 'spool.db')}`,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('SPOOL_READ_ONLY');
  });

  it.skipIf(!isRoot)(
    'goes on sampling on a disk that a neighbour fills, and accounts for what it could not store (needs root)',
    async () => {
      using scratch = new Scratch();
      using disk = new Tmpfs(scratch, '24m');
      chownSync(disk.path, 0, 0);
      const spool = join(disk.path, 'spool.db');
      await using agent = start(spool);
      await until(() => agent.taken().length >= 10, 'samples are stored');
      const neighbour = join(disk.path, 'neighbour');
      fill(neighbour);
      const filledAt = agent.taken().length;
      await until(() => agent.taken().length >= filledAt + 40, 'it goes on sampling');
      rmSync(neighbour);
      await until(() => readdirSync(disk.path).includes('spool.reserve'), 'the reserve is there again');
      await until(() => agent.taken().length >= filledAt + 60, 'samples are stored again');
      expect(await agent.end('SIGTERM')).toBe(0);
      const after = status(spool);
      expect(after.spool.depth + lost(after)).toBe(agent.taken().length);
      expect(after.agent.last_seq).toBe(agent.taken().length);
    },
  );
});

function overwriteHead(spool: string): void {
  const file = openSync(spool, 'r+');
  writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, 0);
  closeSync(file);
}

/** Writes until nothing more goes. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (const block of [Buffer.alloc(1 << 20), Buffer.alloc(4096), Buffer.alloc(1)]) {
      for (;;) {
        try {
          if (writeSync(file, block) < block.length) break;
        } catch {
          break;
        }
      }
    }
  } finally {
    closeSync(file);
  }
}

/** A small disk of its own. */
class Tmpfs implements Disposable {
  readonly path: string;

  constructor(scratch: Scratch, size: string) {
    this.path = scratch.file('disk');
    mkdirSync(this.path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.path]);
  }

  remount(option: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${option}`, this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['-l', this.path]);
  }
}
