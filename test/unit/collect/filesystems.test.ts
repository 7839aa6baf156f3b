import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, open, openSync, rmSync, statfs } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Deadline } from '../../../src/collect/deadline.ts';
import { systemStatfs } from '../../../src/collect/statfs-calls.ts';
import { usageOf } from '../../../src/collect/usage.ts';
import { SystemClock } from '../../../src/lib/clock.ts';
import { FakeStatfs, Tree, USAGE } from './tree.ts';

const TIMEOUT = 1000;
const NETWORK = ['/mnt/archive', '/mnt/archive/disk', '/mnt/dav'];
const LOCAL = ['/', '/boot/efi', '/srv/my data', '/home'];

class Host implements Disposable {
  readonly tree = new Tree('linux-6.8-server');
  readonly statfs = new FakeStatfs();
  readonly collector = this.tree.open({ details: true, timeout: TIMEOUT, statfs: this.statfs.call });

  /** The path a mount point has in this tree. */
  at(point: string): string {
    return `${this.tree.root}${point}`.replace(/\/$/, '');
  }

  /** Reads; time passes only if somebody waits for it. */
  async read() {
    const reading = this.collector.read();
    reading.catch(() => undefined);
    await this.tree.clock.advance(TIMEOUT);
    return reading;
  }

  async mounts(): Promise<string[]> {
    return ((await this.read()).filesystems ?? []).map(({ mount }) => mount);
  }

  [Symbol.dispose](): void {
    this.collector.close();
    this.tree[Symbol.dispose]();
  }
}

describe('the root filesystem', () => {
  it('makes no sample while it is stuck, and is not asked again until it answered', async () => {
    using host = new Host();
    host.statfs.hang(host.at('/'));
    for (let i = 0; i < 3; i++) {
      await expect(host.read()).rejects.toMatchObject({ code: 'COLLECT_REQUIRED', cause: { code: 'COLLECT_STUCK' } });
    }
    expect(host.statfs.asked).toEqual([host.at('/')]);
    expect(host.collector.errors.get('root_filesystem')).toBe(3);
    expect(host.collector.stuckFilesystems).toEqual([host.at('/')]);
    host.statfs.release(host.at('/'));
    await host.tree.clock.advance(0);
    expect(await host.read()).toMatchObject({ disk_percent: 42.11, disk_total_gb: 100 });
    expect(host.collector.stuckFilesystems).toEqual([]);
  });

  it('may take longer than a short time limit, which holds for what a sample can do without', async () => {
    using host = new Host();
    host.collector.setTimeout(50);
    for (const point of ['/', '/srv/my data']) host.statfs.hang(host.at(point));
    const reading = host.collector.read();
    await host.tree.clock.advance(200);
    host.statfs.release(host.at('/'));
    await host.tree.clock.advance(60);
    expect(await reading).toMatchObject({ disk_percent: 42.11 });
  });

  it('is asked at once from its second reading on where its kind answers from memory, and from a thread where not', async () => {
    using tree = new Tree('linux-6.8-server');
    for (const [type, threads, atOnce] of [
      [0xef53, 1, 2],
      [0x6969, 3, 0],
    ] as const) {
      const asked = { threads: 0, atOnce: 0 };
      const answer = (how: keyof typeof asked) => () => {
        asked[how]++;
        return { ...USAGE, type };
      };
      const statfs = async () => answer('threads')();
      const collector = tree.open({ statfs, statfsNow: answer('atOnce') });
      for (let n = 0; n < 3; n++) expect(await collector.read()).toMatchObject({ disk_percent: 42.11 });
      collector.close();
      expect(asked).toEqual({ threads, atOnce });
    }
  });

  it('answered in time where it was this process that was kept waiting', async () => {
    const clock = new SystemClock();
    const deadline = new Deadline(clock, 20);
    const waiting = new Int32Array(new SharedArrayBuffer(4));
    const call = new Promise((resolve) => {
      // Two turns on: the deadline's timer runs. Both it and the answer come while the loop stands still.
      setImmediate(() =>
        setImmediate(() => {
          statfs('/', resolve);
          Atomics.wait(waiting, 0, 0, 1000);
        }),
      );
    });
    expect(await deadline.answerOf(call.then(() => 'answered'))).toBe('answered');
    deadline.end();
  });

  it('does not keep the rest from being read', async () => {
    using host = new Host();
    host.statfs.hang(host.at('/'));
    await expect(host.read()).rejects.toThrow('no disk_percent');
    expect([...host.collector.lastDurations().keys()]).toEqual(
      expect.arrayContaining(['cpu', 'memory', 'network', 'disks', 'pressure', 'load', 'uptime', 'processes']),
    );
    expect([...host.collector.errors.keys()]).toEqual(['root_filesystem']);
  });

  it('makes no sample when it can’t be asked', async () => {
    using tree = new Tree('linux-6.8-server');
    const statfs = () => Promise.reject(Object.assign(new Error('EIO: i/o error, statfs'), { code: 'EIO' }));
    const collector = tree.open({ statfs });
    await expect(collector.read()).rejects.toMatchObject({ code: 'COLLECT_REQUIRED', retryable: true });
    await expect(collector.read()).rejects.toThrow('EIO');
    collector.close();
  });

  it.each([
    { ...USAGE, blocks: Number.NaN },
    { ...USAGE, bfree: -1 },
    { ...USAGE, bsize: Number.POSITIVE_INFINITY, frsize: 0 },
  ])('makes no sample of an answer without sizes', async (answer) => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open({ statfs: async () => answer });
    await expect(collector.read()).rejects.toMatchObject({ cause: { code: 'COLLECT_GARBLED' } });
    collector.close();
  });

  it('is found on this very machine', async () => {
    const usage = usageOf(await systemStatfs('/'));
    expect(usage?.total).toBeGreaterThan(0);
    expect(usage?.percent).toBeLessThanOrEqual(100);
  });
});

describe('usage', () => {
  it('counts in fragments where a filesystem has them, in blocks where the system does not say', () => {
    expect(usageOf(USAGE)).toEqual({ total: 100, used: 40, percent: 42.11 });
    const { frsize: _, ...old } = { ...USAGE, bsize: 4096 };
    expect(usageOf(old)).toEqual({ total: 100, used: 40, percent: 42.11 });
  });

  it('is 0 % of a filesystem without blocks and 100 % of one without room for users', () => {
    expect(usageOf({ ...USAGE, blocks: 0, bfree: 0, bavail: 0 })?.percent).toBe(0);
    expect(usageOf({ ...USAGE, bavail: 0 })?.percent).toBe(100);
    expect(usageOf({ ...USAGE, bavail: 2 ** 64 - 5 })?.percent).toBe(100);
  });

  it('is none of a filesystem that claims more than any reader takes', () => {
    expect(usageOf({ ...USAGE, blocks: 2 ** 64, bfree: 2 ** 63, bavail: 2 ** 63 })).toBeUndefined();
    expect(usageOf({ ...USAGE, blocks: 2 ** 60 / 4096, bfree: 0, bavail: 0 })).toMatchObject({ total: 2 ** 30 });
  });

  it('is never negative when more is said to be free than there is', () => {
    expect(usageOf({ ...USAGE, bfree: USAGE.blocks * 2 })).toMatchObject({ used: 0, percent: 0 });
  });
});

describe('the filesystems of a host', () => {
  it('are all there when all answer, two calls at a time at most', async () => {
    using host = new Host();
    expect(await host.mounts()).toEqual([...LOCAL, ...NETWORK]);
    expect(host.statfs.mostAtOnce).toBeLessThanOrEqual(2);
  });

  it('lose a dead network mount and those after it, until it answers again', async () => {
    using host = new Host();
    host.statfs.hang(host.at('/mnt/archive/disk'));
    expect(await host.mounts()).toEqual([...LOCAL, '/mnt/archive']);
    expect(await host.mounts()).toEqual(LOCAL);
    expect(await host.mounts()).toEqual(LOCAL);
    expect(host.statfs.asked.filter((path) => path === host.at('/mnt/archive/disk'))).toHaveLength(1);
    expect(host.collector.errors.get('filesystem_details')).toBe(3);
    host.statfs.release(host.at('/mnt/archive/disk'));
    await host.tree.clock.advance(0);
    expect(await host.mounts()).toEqual([...LOCAL, ...NETWORK]);
    expect(host.collector.errors.get('filesystem_details')).toBe(3);
  });

  it('keep the root readable when four of them are stuck, and never have more than two calls out', async () => {
    using host = new Host();
    for (const point of ['/boot/efi', '/home', '/mnt/archive', '/mnt/dav']) host.statfs.hang(host.at(point));
    for (let i = 0; i < 5; i++) expect(await host.read()).toMatchObject({ disk_percent: 42.11, load_1: 1.27 });
    expect(host.collector.stuckFilesystems).toEqual([host.at('/boot/efi')]);
    expect(host.statfs.mostAtOnce).toBe(2);
  });

  it('cost samples when a local one hangs beside a dead network mount, until one of them answers', async () => {
    using host = new Host();
    host.statfs.hang(host.at('/mnt/archive'));
    await host.read();
    host.statfs.hang(host.at('/home'));
    await host.read();
    await expect(host.read()).rejects.toMatchObject({ code: 'COLLECT_REQUIRED' });
    await expect(host.read()).rejects.toThrow(host.at('/home'));
    expect(host.statfs.mostAtOnce).toBe(2);
    host.statfs.release(host.at('/mnt/archive'));
    await host.tree.clock.advance(0);
    expect(await host.read()).toMatchObject({ disk_percent: 42.11, filesystems: [] });
  });

  it('leave the root its slot where a dead one was unmounted lazily while it was asked', async () => {
    using host = new Host();
    host.statfs.hang(host.at('/mnt/archive'), host.at('/mnt/dav'));
    await host.read();
    host.tree.edit('proc/1/mountinfo', (table) => table.replaceAll(/^.* \/mnt\/archive.*\n/gm, ''));
    for (let i = 0; i < 3; i++) expect(await host.read()).toMatchObject({ disk_percent: 42.11 });
  });

  it('leave a slot to the root when a local one is stuck', async () => {
    using host = new Host();
    host.statfs.hang(host.at('/home'));
    await host.read();
    for (let i = 0; i < 3; i++) expect(await host.read()).toMatchObject({ disk_percent: 42.11, filesystems: [] });
    expect(host.statfs.asked.filter((path) => NETWORK.some((point) => host.at(point) === path))).toEqual([]);
  });

  it('leave out, without an error, those this user may not see', async () => {
    using tree = new Tree('linux-6.8-server');
    const statfs = async (path: string) => {
      if (path.endsWith('/mnt/dav')) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      return USAGE;
    };
    const collector = tree.open({ details: true, statfs });
    expect((await collector.read()).filesystems).toHaveLength(6);
    expect(collector.errors).toEqual(new Map());
    collector.close();
  });

  it('are read anew when the table of mounts changes', async () => {
    using host = new Host();
    host.tree.edit('proc/1/mountinfo', (text) => text.replace(/^.*my\\040data.*\n/m, ''));
    expect(await host.mounts()).toContain('/exports');
    expect(await host.mounts()).not.toContain('/srv/my data');
  });

  it('are a bounded number, with bounded names', async () => {
    using host = new Host();
    const lines = Array.from({ length: 500 }, (_, i) => `9 1 8:${i} / /${'x'.repeat(400)}${i} rw - ext4 /dev/sd rw`);
    host.tree.write('proc/1/mountinfo', lines.join('\n'));
    const { filesystems } = await host.read();
    expect(filesystems).toHaveLength(64);
    expect(JSON.stringify(filesystems).length).toBeLessThan(64 * 400);
  });
});

it('a name is cut between two characters, never within one', async () => {
  using host = new Host();
  host.tree.edit(
    'proc/1/mountinfo',
    (table) => `${table}70 29 8:32 / /${'x'.repeat(253)}😀/data rw - ext4 /dev/sdc rw\n`,
  );
  const cut = (await host.mounts()).find((mount) => mount.startsWith('/xxx'));
  expect([cut?.length, cut?.isWellFormed()]).toEqual([255, true]);
});

describe('a thread pool that is full of stuck calls', () => {
  it('stops statfs and nothing else', async () => {
    using tree = new Tree('linux-6.8-server');
    const directory = mkdtempSync(join(tmpdir(), 'collect-fifo-'));
    const fifos = [1, 2, 3, 4].map((i) => join(directory, `fifo${i}`));
    for (const fifo of fifos) execFileSync('mkfifo', [fifo]);
    // Opening a pipe that nobody writes waits for ever, as a call on a dead mount does.
    const stuck = fifos.map((fifo) => new Promise<number>((resolve) => open(fifo, 'r', (_, fd) => resolve(fd))));
    const collector = tree.open({ statfs: systemStatfs, clock: new SystemClock(), timeout: 50 });
    try {
      await expect(collector.read()).rejects.toMatchObject({ cause: { code: 'COLLECT_STUCK' } });
      await expect(collector.read()).rejects.toThrow('no disk_percent');
      expect([...collector.errors]).toEqual([['root_filesystem', 2]]);
      expect(collector.lastDurations().size).toBe(9);
    } finally {
      const writers = fifos.map((fifo) => openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
      for (const fd of [...writers, ...(await Promise.all(stuck))]) closeSync(fd);
      rmSync(directory, { recursive: true });
    }
    await expect.poll(() => collector.stuckFilesystems).toEqual([]);
    expect((await collector.read()).disk_total_gb).toBeGreaterThan(0);
    collector.close();
  });
});
