/** What a process takes of its machine, as the kernel tells. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

export interface Usage {
  /** Seconds since the beginning. */
  readonly at: number;
  /** With the pages of its own file, which come and go. */
  readonly residentMiB: number;
  /** Memory that no file stands behind: V8's heap, buffers, stacks, SQLite's caches. */
  readonly anonymousMiB: number;
  readonly descriptors: number;
}

/** What SQLite keeps of a file at the most, as better-sqlite3 builds it. */
const CACHE_MIB = 16;

/** The same without the pages of a file that SQLite may keep: they are more with each sample, up to its bound. */
export function withoutCache(usage: Usage, path: string): Usage {
  const cached = Math.min(CACHE_MIB, (statSync(path, { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20);
  return { ...usage, residentMiB: usage.residentMiB - cached, anonymousMiB: usage.anonymousMiB - cached };
}

/** Undefined where the process is gone. */
export function usageOf(pid: number, at: number): Usage | undefined {
  try {
    const memory = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(memory)?.[1]) / 1024;
    const usage = { residentMiB: mib('Rss'), anonymousMiB: mib('Anonymous') };
    if (!Number.isFinite(usage.residentMiB + usage.anonymousMiB)) return undefined;
    return { at, ...usage, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}
