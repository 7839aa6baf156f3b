/**
 * Asks the kernel how full a filesystem is, without ever being held by one that does not answer.
 *
 *     start(path) ─▶ outstanding ─▶ answered, or failed: the slot is free again
 *                        └─▶ stuck: keeps its slot, is never asked a second time until it returns
 *
 * statfs on a dead mount can last for ever, and Node runs it on one of four threads that nothing can take back: four
 * stuck calls would stop every other file operation of the process. So there is one outstanding call per path and two
 * in all, and who asks for more is refused at once.
 */
import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** What statfs(2) says. The three counts are in units of `frsize` bytes, or of `bsize` where a system has no frsize. */
export interface FilesystemUsage {
  /** Magic number of the kind of filesystem. */
  readonly type?: number;
  readonly bsize: number;
  readonly frsize?: number;
  readonly blocks: number;
  /** Free blocks, those reserved for root included. */
  readonly bfree: number;
  /** Blocks available to users. */
  readonly bavail: number;
}

export type Statfs = (path: string) => Promise<FilesystemUsage>;

export const systemStatfs: Statfs = (path) => statfs(path);

/** The same, at once. */
export type StatfsNow = (path: string) => FilesystemUsage;

export const systemStatfsNow: StatfsNow = (path) => statfsSync(path);

/**
 * ext2 to ext4, btrfs, f2fs and tmpfs: their answer is in memory, and waits for no device. Not XFS: between Linux 5.14
 * and 5.18 it first has inodes written that were deleted.
 */
const ANSWERS_FROM_MEMORY = new Set([0xef53, 0x9123683e, 0xf2f52010, 0x01021994]);

/** Whether another call on what gave this answer may be made without fear of waiting. */
export function answersAtOnce({ type }: FilesystemUsage): boolean {
  return type !== undefined && ANSWERS_FROM_MEMORY.has(type);
}

const SLOTS = 2;

export class StatfsCalls {
  readonly #statfs: Statfs;
  readonly #outstanding = new Set<string>();

  constructor(statfs: Statfs) {
    this.#statfs = statfs;
  }

  /** Paths whose call has not returned. */
  get outstanding(): ReadonlySet<string> {
    return this.#outstanding;
  }

  /** Begins a call; undefined where the last one on this path, or any two, have not returned. */
  start(path: string): Promise<FilesystemUsage> | undefined {
    if (this.#outstanding.has(path) || this.#outstanding.size >= SLOTS) return undefined;
    this.#outstanding.add(path);
    return this.#run(path);
  }

  async #run(path: string): Promise<FilesystemUsage> {
    try {
      return await this.#statfs(path);
    } finally {
      this.#outstanding.delete(path);
    }
  }
}
