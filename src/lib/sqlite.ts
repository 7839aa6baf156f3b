/** Opening SQLite, from a source tree and from the single executable alike. */
import { isSea } from 'node:sea';
import Database from 'better-sqlite3';
import { loadEmbeddedAddon } from './embedded-addon.ts';

export type SqliteDatabase = Database.Database;
export type SqliteStatement<Parameters extends unknown[], Row = unknown> = Database.Statement<Parameters, Row>;

export interface SqliteOptions {
  readonly readonly?: boolean;
  /** How long a statement waits for another process's lock, in ms. */
  readonly busyTimeout?: number;
}

/** The asset's name inside the executable; scripts/build.ts puts it there. */
export const ADDON_ASSET = 'better_sqlite3.node';

let embeddedAddon: object | undefined;

/** Opens the database file; errors are better-sqlite3's own, with their `SQLITE_*` codes. */
export function openSqlite(path: string, options: SqliteOptions = {}): SqliteDatabase {
  const given: Omit<Database.Options, 'nativeBinding'> & { nativeBinding?: object } = {
    readonly: options.readonly ?? false,
    timeout: options.busyTimeout ?? 5000,
  };
  if (isSea()) {
    embeddedAddon ??= loadEmbeddedAddon(ADDON_ASSET, 'SQLite');
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
