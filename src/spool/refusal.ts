/** What the system says when a spool can't be opened, as an error that says what to do. */
import { statSync } from 'node:fs';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { faultOf } from './faults.ts';
import type { SpoolFiles } from './files.ts';
import type { SpoolPorts } from './ports.ts';

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
 * spool has its tail file beside it, so only a file without one is looked into; one that can't be read is no matter of
 * this, but of the recovery.
 */
export function refuseForeign({ database, tail }: SpoolFiles, ports: SpoolPorts): void {
  const size = statSync(database, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 || statSync(tail, { throwIfNoEntry: false }) !== undefined) return;
  const tables = tablesOf(database, ports);
  if (tables.length === 0 || tables.includes('samples')) return;
  throw new HostspoolError('SPOOL_FOREIGN', `${database} is a database of something else, not a spool`, {
    hint: 'set spool.path to a file of its own; this one was left as it is',
  });
}

function tablesOf(path: string, ports: SpoolPorts): readonly string[] {
  try {
    const database = ports.openDatabase(path, { readonly: true });
    try {
      return database.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
    } finally {
      database.close();
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return [];
  }
}
