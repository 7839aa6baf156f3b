/** What the system says when a spool can't be opened, as an error that says what to do. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { faultOf } from './faults.ts';
import type { SpoolFiles } from './files.ts';
import { APPLICATION_ID, PAGE_SIZE } from './schema.ts';

/** The system's refusal as an error that says what to do; undefined for anything but a refusal. */
export function refusal(path: string, cause: unknown): HostspoolError | undefined {
  switch (errorCode(cause)) {
    case 'EROFS':
    case 'SQLITE_READONLY':
    case 'SQLITE_READONLY_DIRECTORY':
      return new HostspoolError('SPOOL_READ_ONLY', `${path} is on a read-only filesystem`, {
        hint: 'set spool.path to a place on a writable filesystem, or remount this one writable',
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new HostspoolError('SPOOL_PERMISSION', `this process (uid ${process.geteuid?.()}) may not write ${path}`, {
        hint: 'make the directory and the files in it belong to the user that hostspool runs as, or set spool.path',
        cause,
      });
    case 'ENOTDIR':
    case 'EISDIR':
    case 'EEXIST':
      return new HostspoolError('SPOOL_PERMISSION', `${path} can't be a spool: a part of the path is not a directory`, {
        hint: 'set spool.path to a file in a directory',
        cause,
      });
    default:
      return undefined;
  }
}

/** What stands in the way of opening, as an error that says what to do. */
export function openingError(path: string, error: unknown): unknown {
  if (error instanceof HostspoolError || faultOf(error) === undefined) return error;
  return (
    refusal(path, error) ??
    new HostspoolError('SPOOL_OPEN', `the spool ${path} could not be opened: ${asError(error).message}`, {
      hint: 'look at the disk, or set spool.path to another place',
      retryable: true,
      cause: error,
    })
  );
}

/**
 * Throws SPOOL_FOREIGN if the path names another program's SQLite database, or a text: a slip in spool.path must not
 * touch it. A spool has its tail file beside it, so only a file without one is looked into, and only its beginning:
 * SQLite would leave files of its own beside it. One that can't be read is no matter of this, but of the recovery, and
 * so is one that is neither: it may be a spool that was damaged at its beginning.
 */
export function refuseForeign({ database, tail }: SpoolFiles): void {
  if (statSync(tail, { throwIfNoEntry: false }) !== undefined) return;
  const beginning = beginningOf(database);
  const what = isForeignDatabase(beginning) ? 'database' : isText(beginning) ? 'text file' : undefined;
  if (what === undefined) return;
  throw new HostspoolError('SPOOL_FOREIGN', `${database} is a ${what} of something else, not a spool`, {
    hint: 'set spool.path to a file of its own; this one was left as it is',
  });
}

/** How every SQLite database begins. */
const MAGIC = Buffer.from('SQLite format 3\0');
const HEADER_BYTES = 100;
const APPLICATION_ID_AT = 68;

function isForeignDatabase(beginning: Buffer): boolean {
  if (beginning.length < HEADER_BYTES || !beginning.subarray(0, MAGIC.length).equals(MAGIC)) return false;
  return beginning.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID;
}

/** A whole page of a database without a control character: no damage makes that by chance. */
function isText(beginning: Buffer): boolean {
  if (beginning.length === 0) return false;
  try {
    // What is cut in the middle of a character at the end is no error.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(beginning, { stream: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a text has not
    return !/[\u0000-\u0008\u000e-\u001a\u001c-\u001f\u007f]/.test(text);
  } catch {
    return false;
  }
}

/** Its first page, or all of it where it is shorter; nothing where it can't be read. */
function beginningOf(path: string): Buffer {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const page = Buffer.alloc(PAGE_SIZE);
    return page.subarray(0, readSync(file, page, 0, PAGE_SIZE, 0));
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return Buffer.alloc(0);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
