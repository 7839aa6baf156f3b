/**
 * Opening a spool to look at it: beside a running agent or without one, with or without the right to write anything,
 * and without ever changing the spool's own files.
 *
 *   -wal absent or empty, no -shm   the file holds everything and nobody has it open: it is read as an immutable file,
 *                                   since SQLite would first make -wal and -shm beside it. Afterwards it is checked
 *                                   that nothing changed meanwhile; if so, it starts over                     "file"
 *   otherwise                       as one more reader of the write-ahead log, in one short transaction; a reader that
 *                                   may not write uses the side files that are there                          "shared"
 *   that is refused                 (a log without its -shm, in a directory we may not write, or on a read-only
 *                                   disk): file and log are copied to a private directory and read there      "copy"
 *
 * Each of them reads one consistent moment of the truth; none waits for the agent's locks, and none makes it wait: in
 * WAL mode a reader delays only the truncation of the log, and only as long as it reads.
 *
 * The immutable reading and the copy open and close the file behind SQLite's back, which would drop the locks that
 * this process holds on it. So a process that has the spool open must not look at it this way; beside it the -wal file
 * exists and its own SQLite is asked.
 */
import { constants, copyFileSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { errorCode, HostspoolError } from '../lib/errors.ts';
import { openSqlite } from '../lib/sqlite.ts';
import type { SpoolFiles } from './files.ts';

export type SnapshotSource = 'shared' | 'file' | 'copy';

export type SqlValue = number | string | Uint8Array;

/** The little of SQLite that a look at the spool needs. Statements are prepared once. */
export interface Queries {
  one<Row>(sql: string, ...parameters: readonly SqlValue[]): Row | undefined;
  all<Row>(sql: string, ...parameters: readonly SqlValue[]): Row[];
}

export interface Look<Value> {
  readonly source: SnapshotSource;
  readonly value: Value;
}

/** How long the agent's recovery of its log may keep a reader waiting, ms. */
const BUSY_TIMEOUT_MS = 1000;

/** Most bytes of file and log that are copied. */
export const COPY_LIMIT_BYTES = 256 * 1024 * 1024;

/** Attempts at a file that changes while it is read. */
const ATTEMPTS = 5;

/** Reads the spool in one transaction; throws SPOOL_PERMISSION, SPOOL_UNREADABLE, or what `read` throws. */
export function lookInto<Value>(files: SpoolFiles, read: (queries: Queries) => Value): Look<Value> {
  for (let attempt = 1; ; attempt++) {
    const look = isAtRest(files) ? readFile(files, read) : readShared(files, read);
    if (look !== undefined) return look;
    if (attempt === ATTEMPTS) {
      throw new HostspoolError('SPOOL_UNREADABLE', `the spool ${files.database} changes while it is read`, {
        hint: 'try again',
        retryable: true,
      });
    }
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** Whether the file alone holds everything, and nobody seems to have it open. */
function isAtRest(files: SpoolFiles): boolean {
  return (sizeOf(files.wal) ?? 0) === 0 && sizeOf(files.shm) === undefined;
}

/** Tells two moments of a file apart. */
function moment(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'absent' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}

/** Undefined if something wrote to it meanwhile. */
function readFile<Value>(files: SpoolFiles, read: (queries: Queries) => Value): Look<Value> | undefined {
  const before = moment(files.database);
  const unchanged = () => isAtRest(files) && moment(files.database) === before;
  let database: DatabaseSync | undefined;
  try {
    const url = pathToFileURL(files.database);
    url.searchParams.set('immutable', '1');
    database = new DatabaseSync(url, { readOnly: true });
    const value = read(queriesOf(database));
    return unchanged() ? { source: 'file', value } : undefined;
  } catch (error) {
    if (!unchanged()) return undefined;
    throw withSqliteCode(error);
  } finally {
    database?.close();
  }
}

/** Undefined if the log went away while it was opened. */
function readShared<Value>(files: SpoolFiles, read: (queries: Queries) => Value): Look<Value> | undefined {
  try {
    return { source: 'shared', value: readWithLog(files.database, read) };
  } catch (error) {
    if (!/^SQLITE_(READONLY|CANTOPEN|PERM)/.test(errorCode(error) ?? '')) throw error;
    return isAtRest(files) ? undefined : readCopy(files, read);
  }
}

function readWithLog<Value>(path: string, read: (queries: Queries) => Value): Value {
  const database = openSqlite(path, { readonly: true, busyTimeout: BUSY_TIMEOUT_MS });
  try {
    database.exec('BEGIN');
    return read(queriesOf(database));
  } finally {
    database.close();
  }
}

/** Undefined if file and log were not copied in one moment: a checkpoint moved pages from one to the other. */
function readCopy<Value>(files: SpoolFiles, read: (queries: Queries) => Value): Look<Value> | undefined {
  const bytes = (sizeOf(files.database) ?? 0) + (sizeOf(files.wal) ?? 0);
  const temporary = tmpdir();
  const { bavail, bsize } = statfsSync(temporary);
  if (bytes > COPY_LIMIT_BYTES || bytes > (bavail * bsize) / 2) {
    throw new HostspoolError(
      'SPOOL_UNREADABLE',
      `the spool ${files.database} has a log that this user can't read in place, and is too large to copy to ${temporary}`,
      { hint: 'run it as the user whose spool it is, or copy spool.db and spool.db-wal to a writable directory' },
    );
  }
  const directory = mkdtempSync(join(temporary, 'hostspool-status-'));
  try {
    const copy = join(directory, 'spool.db');
    const before = moment(files.database);
    copyFileSync(files.database, copy, constants.COPYFILE_FICLONE);
    copyFileSync(files.wal, `${copy}-wal`, constants.COPYFILE_FICLONE);
    if (moment(files.database) !== before) return undefined;
    return { source: 'copy', value: readWithLog(copy, read) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Statement {
  get(...parameters: readonly SqlValue[]): unknown;
  all(...parameters: readonly SqlValue[]): unknown[];
}

/** Asks an open database. */
export function queriesOf(database: { prepare(sql: string): unknown }): Queries {
  const statements = new Map<string, Statement>();
  const statement = (sql: string): Statement => {
    let prepared = statements.get(sql);
    if (prepared === undefined) {
      prepared = database.prepare(sql) as Statement;
      statements.set(sql, prepared);
    }
    return prepared;
  };
  const coded = <Value>(run: () => Value): Value => {
    try {
      return run();
    } catch (error) {
      throw withSqliteCode(error);
    }
  };
  return {
    one: <Row>(sql: string, ...parameters: readonly SqlValue[]) =>
      coded(() => statement(sql).get(...parameters) as Row | undefined),
    all: <Row>(sql: string, ...parameters: readonly SqlValue[]) =>
      coded(() => statement(sql).all(...parameters) as Row[]),
  };
}

/** Primary result codes by number, as far as a reader meets them. */
const SQLITE_CODES: Readonly<Record<number, string>> = {
  1: 'SQLITE_ERROR',
  5: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
};

/** Node's own SQLite gives a number where the other gives a name. */
function withSqliteCode(thrown: unknown): unknown {
  const { errcode } = thrown as { errcode?: unknown };
  const code = typeof errcode === 'number' ? SQLITE_CODES[errcode & 0xff] : undefined;
  return code === undefined ? thrown : Object.assign(new Error((thrown as Error).message, { cause: thrown }), { code });
}
