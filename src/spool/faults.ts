/**
 * What an error of SQLite or the system means for the spool.
 *
 *   full        no space: the reserve may help, later there may be room again
 *   damaged     the file is not what was written: it is set aside and what can be read carried over
 *   unwritable  anything else of the disk: read-only, I/O error, permissions; sampling goes on, holes are remembered
 *
 * An error that is none of these is a mistake in the program and is not for the spool to swallow.
 */
import { errorCode } from '../lib/errors.ts';

export type Fault = 'full' | 'damaged' | 'unwritable';

/** SHMSIZE: the shared-memory file of the WAL could not be given its blocks. */
const FULL: ReadonlySet<string> = new Set(['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT']);

const UNWRITABLE =
  /^(SQLITE_(IOERR|READONLY|CANTOPEN|PERM|AUTH|BUSY|LOCKED|PROTOCOL|NOLFS|NOMEM)|(EIO|ENXIO|EROFS|EACCES|EPERM|ENOENT|EMFILE|ENFILE|EFBIG|ESTALE|ENOMEM|ENODEV|ELOOP|ENAMETOOLONG)$)/;

export function faultOf(error: unknown): Fault | undefined {
  const code = errorCode(error);
  if (code === undefined) return undefined;
  if (FULL.has(code)) return 'full';
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return 'damaged';
  return UNWRITABLE.test(code) ? 'unwritable' : undefined;
}
