/**
 * A filesystem of a few megabytes for one spool, so that it alone can be full. Only root may mount one; elsewhere the
 * faults that need it say so and do nothing.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Guard } from '../support/guard.ts';

const MEGABYTES = 32;

export class SmallDisk implements Disposable {
  readonly #directory: string;
  /** However the harness ends, no mount is left. */
  readonly #guard: Guard;
  #mounted = true;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#guard = Guard.unmounting(directory);
  }

  /** Mounts one on a new directory; undefined where that is not allowed. */
  static mount(directory: string): SmallDisk | undefined {
    mkdirSync(directory, { recursive: true });
    try {
      const args = ['-t', 'tmpfs', '-o', `size=${MEGABYTES}m,mode=0700`, 'storm', directory];
      execFileSync('mount', args, { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    return new SmallDisk(directory);
  }

  /** Takes every byte that is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (const size of [65_536, 4096, 512]) {
        const chunk = Buffer.alloc(size, 'x');
        try {
          for (;;) if (writeSync(file, chunk) < size) break;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** Gives it all back. */
  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  get #ballast(): string {
    return join(this.#directory, 'ballast');
  }

  /** The processes that use it must be gone. */
  [Symbol.dispose](): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    this.free();
    // What lies on it goes with it, and may be evidence.
    cpSync(this.#directory, `${this.#directory}-kept`, { recursive: true });
    try {
      execFileSync('umount', ['--lazy', this.#directory], { stdio: 'ignore' });
    } catch {
      // It shows in the list of mounts; nothing else can be done about it here.
    }
    this.#guard[Symbol.dispose]();
  }
}
