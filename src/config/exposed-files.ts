/**
 * Files that settings name and that too many people may touch: private keys that everybody may read, and a spool in a
 * directory where everybody may put links in the place of its files. Said, not refused: whoever set it may know why.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ResolvedSettings } from './resolve.ts';

const READ_BY_ALL = 0o004;
const WRITTEN_BY_ALL = 0o002;

export function exposedFiles({ mode, spool, kafka, http }: ResolvedSettings): string[] {
  const warnings: string[] = [];
  for (const [name, path] of [
    ['kafka.tls.key', kafka.tls.key],
    ['http.tls.key', http.tls.key],
  ] as const) {
    if (path !== undefined && isOpen(path, READ_BY_ALL)) {
      warnings.push(`${path}, the private key of ${name}, may be read by everybody: chmod o-r`);
    }
  }
  const directory = dirname(spool.path);
  if (mode !== 'writer' && isOpen(directory, WRITTEN_BY_ALL)) {
    warnings.push(
      `${directory}, the directory of spool.path, may be written by everybody, who can put links in the place of its files: give the spool a directory of its own`,
    );
  }
  return warnings;
}

/** One that is not there, or can't be looked at, is for whoever opens it to tell. */
function isOpen(path: string, bit: number): boolean {
  try {
    return (statSync(path).mode & bit) !== 0;
  } catch {
    return false;
  }
}
