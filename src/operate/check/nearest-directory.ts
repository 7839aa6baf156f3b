/**
 * The first look at a place on a filesystem, which can be left alone when it does not end: a dead mount answers nobody,
 * and a look that waits for it would keep the whole process. What looks further comes after it.
 */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, HostspoolError } from '../../lib/errors.ts';

/** The nearest that is there, of the directory of `path` and those above it. Waits for a mount that is dead. */
export async function nearestDirectory(path: string): Promise<string> {
  let nearest = dirname(path);
  while ((await found(nearest)) === undefined && dirname(nearest) !== nearest) nearest = dirname(nearest);
  return nearest;
}

/** undefined where there is nothing, or this user may not see whether there is. */
export async function found(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errorCode(error) ?? '')) return undefined;
    throw new HostspoolError('SPOOL_OPEN', `${path} can't be looked at (${errorCode(error)})`, {
      hint: 'look at the disk or the mount',
      cause: error,
    });
  }
}
