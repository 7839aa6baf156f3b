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

export class ReadBuffer {
  readonly #cursor = new ByteCursor();
  #bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);

  /** Reads the whole of `descriptor` from its beginning. */
  fill(descriptor: number): ByteCursor {
    let length = 0;
    for (;;) {
      if (length === this.#bytes.length) this.#grow();
      // The kernel hands out some of these files a page at a time: only an empty read is the end.
      const count = readSync(descriptor, this.#bytes, length, this.#bytes.length - length, length);
      if (count === 0) return this.#cursor.load(this.#bytes, length);
      length += count;
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
  #descriptor: number | undefined;
  #absent = false;

  constructor(path: string, buffer: ReadBuffer) {
    this.path = path;
    this.#buffer = buffer;
  }

  /** The file's text as it is now; throws COLLECT_UNREADABLE. */
  read(): ByteCursor {
    try {
      if (this.#descriptor !== undefined) {
        try {
          return this.#buffer.fill(this.#descriptor);
        } catch {
          this.close();
        }
      }
      // A pipe, which can only be there where another root is given, would wait for a writer.
      this.#descriptor = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
      return this.#buffer.fill(this.#descriptor);
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
