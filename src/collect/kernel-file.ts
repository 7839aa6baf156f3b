/**
 * A file of /proc that is read at every sample: opened once, read from its beginning again and again.
 *
 * Read synchronously on purpose. The kernel makes these texts from memory, in microseconds, and never waits for a
 * device; through Node's thread pool they would queue behind file-system calls that a dead mount keeps there for ever.
 *
 * A read that fails on a descriptor that once worked (a container's /proc file whose server was replaced) is tried once
 * more on a new one. All files share one buffer, which grows to the largest: what a cursor shows is gone at the next
 * read.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errorCode, HostspoolError } from '../lib/errors.ts';
import { ByteCursor } from './byte-cursor.ts';

const FIRST_SIZE = 16 * 1024;
/** Far beyond any host (thousands of interfaces make some hundred KiB); a file that grows past it is not what we think. */
const LARGEST_SIZE = 16 * 1024 * 1024;

/** Codes that say: this kernel does not have it, and will not have it at the next sample either. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS']);

/**
 * A first read that brings less than this brought all. The kernel makes these texts a page at a time and stops where
 * the next entry does not fit: behind less than half a page that would be one of more than half a page. A table of
 * mounts may have such entries, and that of disks, where one entry is a disk with all its partitions.
 */
const CERTAINLY_WHOLE = 2048;

export class ReadBuffer {
  readonly #cursor = new ByteCursor();
  #bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);

  /** Reads the whole of `descriptor` from its beginning. `longEntries`: one of them may be longer than half a page. */
  fill(descriptor: number, longEntries: boolean): ByteCursor {
    let length = 0;
    for (;;) {
      if (length === this.#bytes.length) this.#grow();
      const count = readSync(descriptor, this.#bytes, length, this.#bytes.length - length, length);
      length += count;
      const isWhole = length === count && count < CERTAINLY_WHOLE && !longEntries;
      // Otherwise only an empty read is the end.
      if (count === 0 || isWhole) return this.#cursor.load(this.#bytes, length);
    }
  }

  #grow(): void {
    const size = this.#bytes.length * 2;
    if (size > LARGEST_SIZE) throw new RangeError(`larger than ${LARGEST_SIZE} bytes`);
    const bytes = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(bytes);
    this.#bytes = bytes;
  }
}

export class KernelFile {
  readonly path: string;
  readonly #buffer: ReadBuffer;
  readonly #longEntries: boolean;
  #descriptor: number | undefined;
  #absent = false;

  constructor(path: string, buffer: ReadBuffer, longEntries = false) {
    this.path = path;
    this.#buffer = buffer;
    this.#longEntries = longEntries;
  }

  /** The file's text as it is now; throws COLLECT_UNREADABLE. */
  read(): ByteCursor {
    try {
      if (this.#descriptor !== undefined) {
        try {
          return this.#buffer.fill(this.#descriptor, this.#longEntries);
        } catch {
          this.close();
        }
      }
      // A pipe, which can only be there where another root is given, would wait for a writer.
      this.#descriptor = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
      return this.#buffer.fill(this.#descriptor, this.#longEntries);
    } catch (cause) {
      this.close();
      const reason = errorCode(cause) ?? String(cause);
      throw new HostspoolError('COLLECT_UNREADABLE', `${this.path} cannot be read: ${reason}`, {
        hint: 'the collectors need /proc and /sys as the kernel shows them; a service’s sandboxing may hide them',
        retryable: true,
        cause,
      });
    }
  }

  /** As read(), but undefined where this kernel has no such file; that is found out once and not asked again. */
  readIfPresent(): ByteCursor | undefined {
    if (this.#absent) return undefined;
    try {
      return this.read();
    } catch (error) {
      if (!ABSENT.has(errorCode((error as HostspoolError).cause) ?? '')) throw error;
      this.#absent = true;
      return undefined;
    }
  }

  /** What a collector throws when the text is not what the kernel writes. `missing` names what was looked for. */
  garbled(missing: string): HostspoolError {
    return new HostspoolError('COLLECT_GARBLED', `${this.path} shows no ${missing}`, { retryable: true });
  }

  close(): void {
    if (this.#descriptor === undefined) return;
    try {
      closeSync(this.#descriptor);
    } catch {
      // Nothing was written: there is nothing to lose.
    }
    this.#descriptor = undefined;
  }
}
