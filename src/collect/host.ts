/**
 * The host, read once: every collector, joined into one reading.
 *
 *     statfs of the root begins ─▶ the collectors over /proc, one after the other ─▶ statfs awaited ─▶ details
 *
 * The root's statfs runs on another thread while /proc is read, unless it is of a kind that answers from memory. What
 * reads /proc can't hang and is not timed; what asks a filesystem can, and gets `timeout` ms in all; the root's statfs, without which there is no sample, gets longer
 * where that is very short, since a late sample is better than none. Nothing here starts a process, and nothing but
 * statfs goes through the thread pool.
 *
 * A collector that fails costs its own fields: that is counted by collector and logged at its first failure and its
 * recovery. Without one of the nine required fields there is no sample: read() throws, and whoever samples counts it.
 */
import { existsSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { Histogram } from '../lib/histogram.ts';
import type { Log } from '../lib/log.ts';
import type { HostReading, RequiredMetrics } from '../sample/sample.ts';
import type { Collector, Fields, SlowCollector } from './collector.ts';
import { CpuCollector } from './cpu.ts';
import { Deadline } from './deadline.ts';
import { DisksCollector } from './disks.ts';
import { Failures } from './failures.ts';
import { FilesystemDetailsCollector } from './filesystem-details.ts';
import { KernelFile, ReadBuffer } from './kernel-file.ts';
import { LoadCollector } from './load.ts';
import { MemoryCollector } from './memory.ts';
import { NetworkCollector } from './network.ts';
import { PressureCollector } from './pressure.ts';
import { ProcessesCollector } from './processes.ts';
import { RootFilesystemCollector } from './root-filesystem.ts';
import { type Statfs, StatfsCalls, type StatfsNow, systemStatfs, systemStatfsNow } from './statfs-calls.ts';
import { UptimeCollector } from './uptime.ts';

export interface HostCollectorOptions {
  /** Prefix of /proc, /sys and of every mount point: `/`, or where another host's root is mounted. */
  readonly root?: string;
  /** Whether to fill `filesystems`, `interfaces` and `disks`. */
  readonly details: boolean;
  /** How long filesystems may take to answer, ms per reading. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The system call, for tests; from another thread, and at once. */
  readonly statfs?: Statfs;
  readonly statfsNow?: StatfsNow;
}

/** Each required field and the collector that has it. */
const REQUIRED: Readonly<Record<keyof RequiredMetrics, string>> = {
  cpu_percent: 'cpu',
  memory_percent: 'memory',
  memory_used_mb: 'memory',
  memory_total_mb: 'memory',
  disk_percent: 'root_filesystem',
  disk_used_gb: 'root_filesystem',
  disk_total_gb: 'root_filesystem',
  network_bytes_sent: 'network',
  network_bytes_recv: 'network',
};
const REQUIRED_FIELDS = Object.entries(REQUIRED) as [keyof RequiredMetrics, string][];

/** A file of /proc is read in tens of microseconds; a filesystem may take as long as it is given. Seconds. */
const DURATION_BOUNDS = [0.0001, 0.001, 0.01, 0.1, 1, 10];

/** Least time limit of what a sample can't do without, ms. One that hangs costs it once: it is not asked again. */
const LEAST_FOR_REQUIRED_MS = 250;

export class HostCollector {
  readonly #collectors: readonly Collector[];
  readonly #rootFilesystem: RootFilesystemCollector;
  readonly #details: readonly SlowCollector[];
  readonly #calls: StatfsCalls;
  #timeout: number;
  readonly #clock: Clock;
  readonly #failures: Failures;
  readonly #lastDurations = new Map<string, number>();
  readonly #durations = new Map<string, Histogram>();

  private constructor(options: HostCollectorOptions) {
    const { details, clock } = options;
    const root = (options.root ?? '/').replace(/\/+$/, '');
    const buffer = new ReadBuffer();
    const file = (path: string) => new KernelFile(`${root}${path}`, buffer);
    this.#collectors = [
      new CpuCollector(file('/proc/stat')),
      new MemoryCollector(file('/proc/meminfo'), file('/proc/zoneinfo')),
      new NetworkCollector(file(perProcess(root, 'net/dev')), details),
      new DisksCollector(new KernelFile(`${root}/proc/diskstats`, buffer, true), `${root}/sys/block`, details),
      new PressureCollector(file('/proc/pressure/cpu'), file('/proc/pressure/memory'), file('/proc/pressure/io')),
      new LoadCollector(file('/proc/loadavg')),
      new UptimeCollector(file('/proc/uptime')),
      new ProcessesCollector(`${root}/proc`, clock),
    ];
    this.#calls = new StatfsCalls(options.statfs ?? systemStatfs);
    const statfsNow = options.statfsNow ?? (options.statfs === undefined ? systemStatfsNow : undefined);
    this.#rootFilesystem = new RootFilesystemCollector(this.#calls, statfsNow, root === '' ? '/' : root);
    const pathOf = (point: string) => (root === '' ? point : `${root}${point}`.replace(/\/$/, ''));
    const mountTable = new KernelFile(`${root}${perProcess(root, 'mountinfo')}`, buffer, true);
    this.#details = details ? [new FilesystemDetailsCollector(mountTable, this.#calls, pathOf)] : [];
    this.#timeout = options.timeout;
    this.#clock = clock;
    this.#failures = new Failures(options.log);
  }

  /** Takes the readings that later ones are compared with; what can't be read yet is tried again at each sample. */
  static open(options: HostCollectorOptions): HostCollector {
    return new HostCollector(options);
  }

  /** How often each collector failed since the start; one that never did is not there. */
  get errors(): ReadonlyMap<string, number> {
    return this.#failures.counts;
  }

  /** Filesystems whose statfs has not returned. They also keep a process from ending by itself. */
  get stuckFilesystems(): readonly string[] {
    return [...this.#calls.outstanding];
  }

  /** Another time limit from now on, ms. */
  setTimeout(timeout: number): void {
    this.#timeout = timeout;
  }

  /** How long each collector took at the last reading, ms. */
  lastDurations(): ReadonlyMap<string, number> {
    return this.#lastDurations;
  }

  /** How long each collector has taken since the start, in seconds. */
  get durations(): ReadonlyMap<string, Histogram> {
    return this.#durations;
  }

  /** Reads the host now; throws COLLECT_REQUIRED, naming field and cause, where a required field can't be had. */
  async read(): Promise<HostReading> {
    const { atOnce } = this.#rootFilesystem;
    if (atOnce === undefined || this.#details.length > 0) return this.#readWaiting(atOnce);
    const reading = this.#readProc();
    Object.assign(reading, this.#readNow(atOnce));
    this.#checkRequired(reading);
    return reading;
  }

  /** Where a filesystem may keep it waiting. */
  async #readWaiting(atOnce: Collector | undefined): Promise<HostReading> {
    const deadline = new Deadline(this.#clock, this.#timeout);
    const required = new Deadline(this.#clock, Math.max(this.#timeout, LEAST_FOR_REQUIRED_MS));
    try {
      const rootFilesystem =
        atOnce === undefined ? this.#readSlowly(this.#rootFilesystem, required) : this.#readNow(atOnce);
      const reading = this.#readProc();
      Object.assign(reading, await rootFilesystem);
      this.#checkRequired(reading);
      for (const collector of this.#details) Object.assign(reading, await this.#readSlowly(collector, deadline));
      return reading;
    } finally {
      deadline.end();
      required.end();
    }
  }

  #readProc(): Fields {
    const reading: Fields = {};
    for (const collector of this.#collectors) Object.assign(reading, this.#readNow(collector));
    return reading;
  }

  #readNow(collector: Collector): Fields {
    const startedAt = this.#clock.monotonic();
    try {
      const fields = collector.collect();
      this.#failures.succeeded(collector.name);
      return fields;
    } catch (error) {
      this.#failures.failed(collector.name, asError(error));
      return {};
    } finally {
      this.#took(collector.name, this.#clock.monotonic() - startedAt);
    }
  }

  async #readSlowly(collector: SlowCollector, deadline: Deadline): Promise<Fields> {
    const startedAt = this.#clock.monotonic();
    try {
      const { fields, problem } = await collector.collect(deadline);
      if (problem === undefined) this.#failures.succeeded(collector.name);
      else this.#failures.failed(collector.name, problem);
      return fields;
    } catch (error) {
      this.#failures.failed(collector.name, asError(error));
      return {};
    } finally {
      this.#took(collector.name, this.#clock.monotonic() - startedAt);
    }
  }

  #took(collector: string, ms: number): void {
    this.#lastDurations.set(collector, ms);
    let durations = this.#durations.get(collector);
    if (durations === undefined) {
      durations = new Histogram(DURATION_BOUNDS);
      this.#durations.set(collector, durations);
    }
    durations.observe(ms / 1000);
  }

  #checkRequired(reading: Fields): asserts reading is HostReading {
    for (const [field, collector] of REQUIRED_FIELDS) {
      if (Number.isFinite(reading[field])) continue;
      const cause = this.#failures.lastOf(collector);
      throw new HostspoolError('COLLECT_REQUIRED', `no ${field}: ${cause?.message ?? 'not a number'}`, {
        ...(cause instanceof HostspoolError && cause.hint !== undefined ? { hint: cause.hint } : {}),
        retryable: true,
        cause,
      });
    }
  }

  close(): void {
    for (const collector of [...this.#details, this.#rootFilesystem, ...this.#collectors].reverse()) collector.close();
  }
}

/** The file of this process, or under another root of that host's first process: `self` would still be this one. */
function perProcess(root: string, name: string): string {
  return root !== '' && existsSync(`${root}/proc/1/${name}`) ? `/proc/1/${name}` : `/proc/self/${name}`;
}
