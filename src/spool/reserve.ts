/**
 * Space kept for the moment when the disk is full. On a full disk SQLite can't even delete, since that too goes
 * through its log; unlinking this file gives back enough for a few hundred transactions.
 *
 * It is really written, with bytes that no filesystem can compress or leave out.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';

/** Size of the file, in bytes. */
export const RESERVE_BYTES = 4 * 1024 * 1024;

/** Free space at which it is made again, in bytes: with it made, as much is left. */
export const ROOM_FOR_RESERVE = 2 * RESERVE_BYTES;

const CHUNK = 256 * 1024;

export class Reserve {
  readonly #path: string;
  readonly #mode: number;

  constructor(path: string, mode: number) {
    this.#path = path;
    this.#mode = mode;
  }

  /** Whether it is there to be spent. The file system is asked: a recovery may have spent it, or a person. */
  get made(): boolean {
    try {
      return statSync(this.#path).size === RESERVE_BYTES;
    } catch {
      return false;
    }
  }

  /** Gives the space back; answers whether there was any. */
  spend(): boolean {
    return this.made && this.#unlink();
  }

  /** Makes it again; answers whether it could be written whole. */
  make(): boolean {
    if (this.made) return true;
    let file: number | undefined;
    try {
      file = openSync(this.#path, 'w', this.#mode);
      const chunk = Buffer.alloc(CHUNK);
      for (let written = 0; written < RESERVE_BYTES; ) {
        written += writeSync(file, randomFillSync(chunk), 0, Math.min(CHUNK, RESERVE_BYTES - written));
      }
      fsyncSync(file);
      return true;
    } catch {
      this.#unlink();
      return false;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  #unlink(): boolean {
    try {
      unlinkSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }
}
