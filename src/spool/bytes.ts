/** Reading a file of which any part may be unreadable. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from '../lib/errors.ts';

export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /**
   * Fills `into` from `position` on; what lies behind the end is zero. Answers whether the bytes could be had: false
   * for a bad sector, never a throw.
   */
  read(into: Buffer, position: number): boolean;
  close(): void;
}

export class FileBytes implements ByteSource {
  readonly size: number;
  readonly #file: number;

  private constructor(file: number, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** A missing file has no bytes. Throws what the system says to any other that can't be opened. */
  static open(path: string): ByteSource {
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return new MemoryBytes(Buffer.alloc(0));
      throw error;
    }
    return new FileBytes(file, fstatSync(file).size);
  }

  read(into: Buffer, position: number): boolean {
    into.fill(0);
    try {
      for (let done = 0; done < into.length; ) {
        const count = readSync(this.#file, into, done, into.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

export class MemoryBytes implements ByteSource {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(into: Buffer, position: number): boolean {
    into.fill(0);
    this.#bytes.copy(into, 0, position);
    return true;
  }

  close(): void {}
}
