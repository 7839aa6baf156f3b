/**
 * The SQLite database of local mode and of a writer that loads one. Only its beginning is read: opening it would leave
 * files beside it that belong to whoever looked. An older schema is brought up to date when it is opened.
 */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, HostspoolError } from '../../lib/errors.ts';
import { type Check, failed, type Outcome, ok } from './check.ts';
import { type CheckContext, FILE_LIMIT_MS, SILENT } from './context.ts';
import { nearestDirectory } from './nearest-directory.ts';

const MAGIC = 'SQLite format 3\0';

export function sqliteCheck({ settings: { sqlite } }: CheckContext): Check {
  return {
    name: 'sqlite',
    limit: FILE_LIMIT_MS,
    waitsFor: `the filesystem of ${sqlite.path}`,
    ifSilent: SILENT.disk,
    run: () => checkSqlite(sqlite.path),
  };
}

async function checkSqlite(path: string): Promise<Outcome> {
  const directory = await nearestDirectory(path);
  await mayWrite(directory, constants.W_OK | constants.X_OK);
  const beginning = await beginningOf(path);
  const detail = { path, exists: beginning !== undefined };
  if (beginning === undefined) return ok(`${path} is not there yet and can be made`, detail);
  if (beginning !== '' && beginning !== MAGIC) {
    const hint = 'set sqlite.path to a file of its own, or move this one away';
    return failed('SINK_CORRUPT', `${path} is no SQLite database`, hint, detail);
  }
  await mayWrite(path, constants.R_OK | constants.W_OK);
  return ok(directory === dirname(path) ? path : `${path} can be made`, detail);
}

async function mayWrite(path: string, mode: number): Promise<void> {
  try {
    await access(path, mode);
  } catch (error) {
    const code = errorCode(error);
    const why = code === 'EROFS' ? 'its filesystem is read-only' : `this user (uid ${process.geteuid?.()}) may not`;
    throw new HostspoolError('SINK_READ_ONLY', `${path} can't be written: ${why}`, {
      hint: 'let this user write the database file and its directory, or set sqlite.path',
      cause: error,
    });
  }
}

/** undefined: there is no such file. */
async function beginningOf(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(MAGIC.length);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new HostspoolError('SINK_UNAVAILABLE', `${path} can't be read (${code})`, {
      hint: 'let this user read and write the file, or set sqlite.path to a file',
      cause: error,
    });
  }
}
