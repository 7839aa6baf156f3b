/** Which file a path names: one that is open may be moved, deleted or replaced, and its path then says something else. */
import { statSync } from 'node:fs';

export class FileIdentity {
  readonly #device: bigint;
  readonly #inode: bigint;

  private constructor(device: bigint, inode: bigint) {
    this.#device = device;
    this.#inode = inode;
  }

  /** Of the file at this path; undefined where there is none. Throws what the system says where it can't be asked. */
  static of(path: string): FileIdentity | undefined {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found === undefined ? undefined : new FileIdentity(found.dev, found.ino);
  }

  /** Whether the path still names this file. Where the system does not say, nothing speaks against it: true. */
  isAt(path: string): boolean {
    try {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false });
      return found !== undefined && found.dev === this.#device && found.ino === this.#inode;
    } catch {
      return true;
    }
  }
}
