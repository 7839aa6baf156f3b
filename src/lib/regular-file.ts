/**
 * Reading a small regular file that somebody else names. Anything else under that name is a mistake that must neither
 * block the process (a pipe) nor fill its memory (a device).
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { asError, errorCode } from './errors.ts';

export type RegularFile =
  | { readonly bytes: Buffer; readonly worldReadable: boolean }
  | { readonly problem: string; readonly missing: boolean };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read by this user',
  EPERM: 'it may not be read by this user',
  ELOOP: 'its symbolic links go round in a circle',
  ENAMETOOLONG: 'its name is too long',
};

const CHUNK = 64 * 1024;

/** The content of a file of at most `limit` bytes, or what is wrong with it. */
export function readRegularFile(path: string, limit: number): RegularFile {
  let file: number;
  try {
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return failed(reason(error), ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? ''));
  }
  try {
    const stat = fstatSync(file);
    if (stat.isDirectory()) return failed('it is a directory');
    if (!stat.isFile()) return failed('it is not a regular file');
    const bytes = readUpTo(file, limit + 1);
    if (bytes.length > limit) return failed(`it is larger than ${limit / 1024} KiB`);
    return { bytes, worldReadable: (stat.mode & 0o004) !== 0 };
  } catch (error) {
    return failed(reason(error));
  } finally {
    closeSync(file);
  }
}

function failed(problem: string, missing = false): RegularFile {
  return { problem, missing };
}

function readUpTo(file: number, limit: number): Buffer {
  // Not by the size that the system tells: some file systems tell 0, and the file may be growing.
  const chunks: Buffer[] = [];
  let left = limit;
  while (left > 0) {
    const chunk = Buffer.alloc(Math.min(CHUNK, left));
    const count = readSync(file, chunk, 0, chunk.length, null);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    left -= count;
  }
  return Buffer.concat(chunks);
}

function reason(error: unknown): string {
  const code = errorCode(error) ?? '';
  return Object.hasOwn(REASONS, code) ? (REASONS[code] as string) : asError(error).message;
}
