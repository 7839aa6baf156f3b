/**
 * A host made of files: a copy of a fixture tree of /proc and /sys that a test may change between two readings, and a
 * statfs whose answers the test decides.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HostCollector, type HostCollectorOptions } from '../../../src/collect/host.ts';
import type { FilesystemUsage } from '../../../src/collect/statfs-calls.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

export const FIXTURES = join(import.meta.dirname, 'fixtures');
export const TREES = [
  'linux-6.8-server',
  'linux-4.9-no-psi',
  'linux-3.10-no-memavailable',
  'container-cgroup2',
] as const;

/** 100 GiB, 60 of them free, 55 of these for users. */
export const USAGE: FilesystemUsage = {
  bsize: 1_048_576,
  frsize: 4096,
  blocks: 26_214_400,
  bfree: 15_728_640,
  bavail: 14_417_920,
};

export class Tree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'collect-tree-'));
  readonly clock = new FakeClock();

  constructor(fixture: (typeof TREES)[number]) {
    cpSync(join(FIXTURES, fixture), this.root, { recursive: true });
  }

  open(options: Partial<HostCollectorOptions> = {}): HostCollector {
    const { root, clock } = this;
    return HostCollector.open({
      root,
      details: false,
      timeout: 1000,
      clock,
      log: silentLog,
      statfs: async () => USAGE,
      ...options,
    });
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** Writes in place: a descriptor that is open on it sees the new text, as with /proc. */
  write(path: string, text: string | Uint8Array): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  edit(path: string, change: (text: string) => string): void {
    this.write(path, change(this.read(path)));
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Filesystems that answer when they are let. */
export class FakeStatfs {
  readonly asked: string[] = [];
  readonly #hanging = new Set<string>();
  readonly #waiting = new Map<string, () => void>();
  #most = 0;
  #now = 0;

  /** The most calls that were ever out at one time. */
  get mostAtOnce(): number {
    return this.#most;
  }

  readonly call = async (path: string): Promise<FilesystemUsage> => {
    this.asked.push(path);
    this.#most = Math.max(this.#most, ++this.#now);
    try {
      if (this.#hanging.has(path)) await new Promise<void>((resolve) => this.#waiting.set(path, resolve));
      return USAGE;
    } finally {
      this.#now--;
    }
  };

  hang(...paths: string[]): void {
    for (const path of paths) this.#hanging.add(path);
  }

  /** Lets a filesystem answer again, the call that hangs on it first. */
  release(path: string): void {
    this.#hanging.delete(path);
    this.#waiting.get(path)?.();
    this.#waiting.delete(path);
  }
}

/** A `cpu` line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice. */
export function cpuLine(...ticks: number[]): string {
  return `cpu  ${ticks.join(' ')}\n`;
}
