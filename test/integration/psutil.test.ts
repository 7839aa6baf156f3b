/**
 * Field by field against psutil, on this host and on the fixture trees.
 *
 * Values of a live host move between two looks at it. Counters and CPU times only grow, so ours must lie between two
 * readings of psutil's, taken before and after: no noise breaks that. Levels (memory, load, processes) may go either
 * way and are compared in rounds, until one of them finds the host quiet enough; a wrong meaning fails every round.
 */
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostCollector } from '../../src/collect/host.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { HostReading } from '../../src/sample/sample.ts';
import { Psutil, type PsutilReading, preparePsutil } from '../support/psutil.ts';
import { TREES, Tree } from '../unit/collect/tree.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const ROUNDS = 40;
/** Half of the last digit that we send; psutil's percentages have one decimal. */
const HALF_CENT = 0.005_01;
const HALF_TENTH = 0.05 + HALF_CENT;
/** A load's fixed point, in the kernel's `linux/sched/loadavg.h`. */
const FIXED_1 = 2048;

const missing = preparePsutil();
if (missing !== undefined) process.stderr.write(`the comparison with psutil is skipped: ${missing}\n`);

/**
 * The two decimals of `/proc/loadavg`, which the kernel cuts off after adding a little less than half of the last one,
 * `FIXED_1 / 200` in whole numbers (`fs/proc/loadavg.c`). psutil asks sysinfo(2), which has every bit of the load.
 */
const loadavgOf = (load: number) => Math.floor((100 * (load * FIXED_1 + Math.floor(FIXED_1 / 200))) / FIXED_1) / 100;

interface Round {
  readonly before: PsutilReading;
  readonly ours: HostReading;
  readonly after: PsutilReading;
}

describe.skipIf(missing !== undefined)(`psutil (${missing ?? 'on this host'})`, () => {
  let psutil: Psutil;
  beforeAll(() => {
    psutil = Psutil.open();
  });
  afterAll(() => psutil?.close());

  const openCollector = () =>
    HostCollector.open({ details: true, timeout: 5000, clock: new SystemClock(), log: silentLog });

  async function takeRound(): Promise<Round> {
    const collector = openCollector();
    try {
      const before = await psutil.read();
      const ours = await collector.read();
      return { before, ours, after: await psutil.read() };
    } finally {
      collector.close();
    }
  }

  /** Passes when `compare` does in one of the rounds. */
  async function agreeing(compare: (round: Round) => void): Promise<void> {
    for (let left = ROUNDS; ; left--) {
      const round = await takeRound();
      try {
        return compare(round);
      } catch (difference) {
        if (left === 1) throw difference;
      }
    }
  }

  it('agrees on memory and swap', async () => {
    await agreeing(({ before, ours, after }) => {
      const between = (value: number | undefined, of: (reading: PsutilReading) => number, slack: number) => {
        expect(value).toBeGreaterThanOrEqual(Math.min(of(before), of(after)) - slack);
        expect(value).toBeLessThanOrEqual(Math.max(of(before), of(after)) + slack);
      };
      expect(ours.memory_total_mb).toBeCloseTo(before.memory.total / MIB, 1);
      // psutil's own process and ours come and go with a few pages.
      between(ours.memory_used_mb, ({ memory }) => memory.used / MIB, 1);
      between(ours.memory_available_mb, ({ memory }) => memory.available / MIB, 1);
      between(ours.memory_percent, ({ memory }) => memory.percent, HALF_TENTH);
      expect(ours.swap_total_mb).toBeCloseTo(before.swap.total / MIB, 1);
      between(ours.swap_used_mb, ({ swap }) => swap.used / MIB, 1);
      between(ours.swap_percent, ({ swap }) => swap.percent, HALF_TENTH);
    });
  });

  it('agrees on the root filesystem', async () => {
    await agreeing(({ before, ours, after }) => {
      expect(Math.abs(ours.disk_total_gb - before.disk.total / GIB)).toBeLessThanOrEqual(HALF_CENT);
      const used = [before.disk.used / GIB, after.disk.used / GIB];
      expect(ours.disk_used_gb).toBeGreaterThanOrEqual(Math.min(...used) - 0.01);
      expect(ours.disk_used_gb).toBeLessThanOrEqual(Math.max(...used) + 0.01);
      expect(Math.abs(ours.disk_percent - before.disk.percent)).toBeLessThanOrEqual(HALF_TENTH);
    });
  });

  it('agrees on the network, loopback left out', async () => {
    const { before, ours, after } = await takeRound();
    const sum = ({ interfaces }: PsutilReading, counter: 'sent' | 'recv') =>
      Object.entries(interfaces).reduce((total, [name, io]) => (name === 'lo' ? total : total + io[counter]), 0);
    expect(ours.network_bytes_sent).toBeGreaterThanOrEqual(sum(before, 'sent'));
    expect(ours.network_bytes_sent).toBeLessThanOrEqual(sum(after, 'sent'));
    expect(ours.network_bytes_recv).toBeGreaterThanOrEqual(sum(before, 'recv'));
    expect(ours.network_bytes_recv).toBeLessThanOrEqual(sum(after, 'recv'));
    expect(ours.interfaces?.map(({ name }) => name)).toEqual(
      Object.keys(before.interfaces).filter((name) => name !== 'lo'),
    );
  });

  it('agrees on each disk', async () => {
    const { before, ours, after } = await takeRound();
    for (const { name, ...counters } of ours.disks ?? []) {
      for (const [counter, value] of Object.entries(counters) as [keyof typeof counters, number][]) {
        expect(value, `${name} ${counter}`).toBeGreaterThanOrEqual(before.disks[name]?.[counter] ?? Number.NaN);
        expect(value, `${name} ${counter}`).toBeLessThanOrEqual(after.disks[name]?.[counter] ?? Number.NaN);
      }
    }
  });

  it('agrees on CPU shares over one span', async () => {
    const collector = openCollector();
    const outerStart = await psutil.read();
    await collector.read().catch(() => undefined);
    const innerStart = await psutil.read();
    const busyUntil = performance.now() + 400;
    while (performance.now() < busyUntil);
    await delay(600);
    const innerEnd = await psutil.read();
    const ours = await collector.read();
    const outerEnd = await psutil.read();
    collector.close();

    const grown = (from: PsutilReading, to: PsutilReading, ...states: string[]) =>
      states.reduce((sum, state) => sum + Math.max(0, (to.cpu[state] ?? 0) - (from.cpu[state] ?? 0)), 0);
    const busyStates = ['user', 'nice', 'system', 'irq', 'softirq', 'steal'];
    const all = [...busyStates, 'idle', 'iowait'];
    // Our span holds the inner one and lies within the outer one; idle and iowait may each err by some ticks.
    const slack = 2;
    const expectShare = (value: number | undefined, ...states: string[]) => {
      const most = (100 * grown(outerStart, outerEnd, ...states)) / grown(innerStart, innerEnd, ...all);
      const least = (100 * grown(innerStart, innerEnd, ...states)) / grown(outerStart, outerEnd, ...all);
      expect(value).toBeGreaterThanOrEqual(least - slack);
      expect(value).toBeLessThanOrEqual(most + slack);
    };
    expect(grown(innerStart, innerEnd, ...busyStates)).toBeGreaterThan(0.1);
    expectShare(ours.cpu_percent, ...busyStates);
    expectShare(ours.cpu_user_percent, 'user');
    expectShare(ours.cpu_system_percent, 'system');
    expectShare(ours.cpu_iowait_percent, 'iowait');
    expectShare(ours.cpu_steal_percent, 'steal');
    expect(ours.cpu_count).toBe(innerStart.cpu_count);
  });

  it('agrees on load, uptime and processes', async () => {
    await agreeing(({ before, ours, after }) => {
      expect([ours.load_1, ours.load_5, ours.load_15]).toEqual(before.load.map(loadavgOf));
      expect(ours.process_count).toBe(before.processes);
      // psutil's boot time has whole seconds.
      expect(ours.uptime_seconds).toBeGreaterThanOrEqual(before.uptime - 1.5);
      expect(ours.uptime_seconds).toBeLessThanOrEqual(after.uptime + 1.5);
    });
  });

  it('knows every filesystem on a disk that we list', async () => {
    await agreeing(({ before, ours }) => {
      const known = new Set(before.partitions);
      const local = ours.filesystems?.filter(({ device, mount }) => device.startsWith('/dev/') && mount !== '/') ?? [];
      expect(local.filter(({ mount }) => !known.has(mount))).toEqual([]);
      expect(ours.filesystems?.[0]?.mount).toBe('/');
    });
  });

  it.each(TREES)('agrees on the fixture tree %s', async (name) => {
    using tree = new Tree(name);
    const proc = join(tree.root, 'proc');
    // Where psutil looks; ours has it per process.
    if (name === 'linux-6.8-server' || name === 'container-cgroup2') symlinkSync('1/net', join(proc, 'net'));
    else cpSync(join(proc, 'self/net'), join(proc, 'net'), { recursive: true });
    const theirs = await psutil.read(proc);
    const collector = tree.open({ details: true });
    const ours = await collector.read();
    collector.close();

    expect(ours.memory_total_mb).toBeCloseTo(theirs.memory.total / MIB, 1);
    expect(Math.abs(ours.memory_used_mb - theirs.memory.used / MIB)).toBeLessThanOrEqual(HALF_CENT);
    expect(Math.abs((ours.memory_available_mb ?? -1) - theirs.memory.available / MIB)).toBeLessThanOrEqual(HALF_CENT);
    expect(Math.abs(ours.memory_percent - theirs.memory.percent)).toBeLessThanOrEqual(HALF_TENTH);
    expect(Math.abs((ours.swap_used_mb ?? -1) - theirs.swap.used / MIB)).toBeLessThanOrEqual(HALF_CENT);
    expect(Math.abs((ours.swap_percent ?? -1) - theirs.swap.percent)).toBeLessThanOrEqual(HALF_TENTH);
    const { lo: _, ...interfaces } = theirs.interfaces;
    expect(
      Object.fromEntries(
        (ours.interfaces ?? []).map(({ name: key, bytes_sent, bytes_recv, errors, drops }) => [
          key,
          { sent: bytes_sent, recv: bytes_recv, errors, drops },
        ]),
      ),
    ).toEqual(interfaces);
    for (const { name: disk, ...counters } of ours.disks ?? []) expect(theirs.disks[disk]).toEqual(counters);
    expect(ours.process_count).toBe(theirs.processes);
  });
});
