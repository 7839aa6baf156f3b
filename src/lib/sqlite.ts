/**
 * Opening SQLite, from a source tree and from the single executable alike.
 *
 * Inside the executable the native addon is an asset of the file. The loader of shared objects wants a path, so the
 * addon is written to an unnamed file (O_TMPFILE) and loaded through /proc/self/fd: nothing stays on disk, whatever
 * kills the process. Where the filesystem has no unnamed files it is a named one, unlinked right after loading. Either
 * needs one writable directory that is not mounted noexec.
 */
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRawAsset, isSea } from 'node:sea';
import Database from 'better-sqlite3';
import { HostspoolError } from './errors.ts';

export type SqliteDatabase = Database.Database;
export type SqliteStatement<Parameters extends unknown[], Row = unknown> = Database.Statement<Parameters, Row>;

export interface SqliteOptions {
  readonly readonly?: boolean;
  /** How long a statement waits for another process's lock, in ms. */
  readonly busyTimeout?: number;
}

/** The asset's name inside the executable; scripts/build.ts puts it there. */
export const ADDON_ASSET = 'better_sqlite3.node';

const O_TMPFILE = 0o20200000;

let embeddedAddon: object | undefined;

/** Opens the database file; errors are better-sqlite3's own, with their `SQLITE_*` codes. */
export function openSqlite(path: string, options: SqliteOptions = {}): SqliteDatabase {
  const given: Omit<Database.Options, 'nativeBinding'> & { nativeBinding?: object } = {
    readonly: options.readonly ?? false,
    timeout: options.busyTimeout ?? 5000,
  };
  if (isSea()) {
    embeddedAddon ??= loadEmbeddedAddon();
    given.nativeBinding = embeddedAddon;
  }
  return new Database(path, given as unknown as Database.Options);
}

/** The version of the SQLite library inside. */
export function sqliteVersion(): string {
  const database = openSqlite(':memory:');
  try {
    return database.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? 'unknown';
  } finally {
    database.close();
  }
}

function loadEmbeddedAddon(): object {
  const bytes = new Uint8Array(getRawAsset(ADDON_ASSET));
  const directories = [process.env.STATE_DIRECTORY, tmpdir(), '/tmp', '/var/tmp', '/dev/shm', process.cwd()];
  const failures: string[] = [];
  for (const directory of new Set(directories)) {
    if (directory === undefined || directory === '') continue;
    for (const load of [loadUnnamed, loadNamed]) {
      try {
        return load(directory, bytes);
      } catch (error) {
        failures.push(`${directory}: ${(error as Error).message}`);
      }
    }
  }
  throw new HostspoolError(
    'NATIVE_ADDON',
    `the built-in SQLite could not be loaded from any of: ${failures.join('; ')}`,
    {
      hint: 'make one of these directories writable and executable (not mounted noexec), or set TMPDIR to one that is',
    },
  );
}

function loadUnnamed(directory: string, bytes: Uint8Array): object {
  const file = openSync(directory, O_TMPFILE | constants.O_RDWR, 0o700);
  try {
    writeWhole(file, bytes);
    return dlopen(`/proc/self/fd/${file}`);
  } finally {
    closeSync(file);
  }
}

function loadNamed(directory: string, bytes: Uint8Array): object {
  const path = join(directory, `.hostspool-${process.pid}.node`);
  const file = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o700);
  try {
    writeWhole(file, bytes);
  } finally {
    closeSync(file);
  }
  try {
    return dlopen(path);
  } finally {
    unlinkSync(path);
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written);
  }
}

function dlopen(path: string): object {
  const loaded = { exports: {} };
  process.dlopen(loaded, path);
  return loaded.exports;
}
