/** What the system says when a spool can't be opened, as an error that says what to do. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { faultOf } from './faults.ts';
import type { SpoolFiles } from './files.ts';
import { APPLICATION_ID } from './schema.ts';

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
 * Throws SPOOL_FOREIGN if the path names another program's SQLite database: a slip in spool.path must not touch it. A
 * spool has its tail file beside it, so only a file without one is looked into, and only its header: SQLite would leave
 * files of its own beside it. One that can't be read is no matter of this, but of the recovery.
 */
export function refuseForeign({ database, tail }: SpoolFiles): void {
  if (statSync(tail, { throwIfNoEntry: false }) !== undefined) return;
  const header = headerOf(database);
  if (header?.subarray(0, MAGIC.length).equals(MAGIC) !== true) return;
  if (header.readUInt32BE(APPLICATION_ID_AT) === APPLICATION_ID) return;
  throw new HostspoolError('SPOOL_FOREIGN', `${database} is a database of something else, not a spool`, {
    hint: 'set spool.path to a file of its own; this one was left as it is',
  });
}

/** How every SQLite database begins. */
const MAGIC = Buffer.from('SQLite format 3\0');
const HEADER_BYTES = 100;
const APPLICATION_ID_AT = 68;

function headerOf(path: string): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const header = Buffer.alloc(HEADER_BYTES);
    return readSync(file, header, 0, HEADER_BYTES, 0) === HEADER_BYTES ? header : undefined;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
