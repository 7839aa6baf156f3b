/**
 * Making a directory with those above it, one after the other: mkdir's own way of doing so goes round for ever where
 * the system says that what it just made is not there, as below /proc.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from './errors.ts';

/** Makes what is missing; answers the topmost that it made, undefined if nothing was missing. Throws the system's errors. */
export function makeDirectories(directory: string, mode = 0o777): string | undefined {
  const missing: string[] = [];
  for (let next = directory; !existsSync(next) && dirname(next) !== next; next = dirname(next)) missing.unshift(next);
  for (const each of missing) {
    try {
      mkdirSync(each, mode);
    } catch (error) {
      // Somebody else may have made it just now.
      if (errorCode(error) !== 'EEXIST' || statSync(each, { throwIfNoEntry: false })?.isDirectory() !== true)
        throw error;
    }
  }
  return missing[0];
}
