/**
 * Reading the files that settings come from: the YAML file and the files of secrets. Both are small regular files of
 * UTF-8 text; anything else is a mistake that must not block the start (a pipe), fill the memory (a device) or turn up
 * half decoded.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { asError, errorCode } from '../lib/errors.ts';

export type FileText =
  | { readonly text: string; readonly worldReadable: boolean }
  | { readonly problem: string; readonly missing: boolean };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read by this user',
  EPERM: 'it may not be read by this user',
  ELOOP: 'its symbolic links go round in a circle',
  ENAMETOOLONG: 'its name is too long',
};

/** The text of a file of at most `limit` bytes, or what is wrong with it. */
export function readSmallFile(path: string, limit: number): FileText {
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
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text.includes('\0')) return failed('it is not UTF-8 text');
    return { text, worldReadable: (stat.mode & 0o004) !== 0 };
  } catch (error) {
    return failed(error instanceof TypeError ? 'it is not UTF-8 text' : reason(error));
  } finally {
    closeSync(file);
  }
}

function failed(problem: string, missing = false): FileText {
  return { problem, missing };
}

function readUpTo(file: number, limit: number): Uint8Array {
  // Not by the size that the system tells: some file systems tell 0, and the file may be growing.
  const buffer = Buffer.alloc(limit);
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(file, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

function reason(error: unknown): string {
  const code = errorCode(error) ?? '';
  return Object.hasOwn(REASONS, code) ? (REASONS[code] as string) : asError(error).message;
}
