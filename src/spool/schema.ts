/**
 * The tables of the spool file, and how an older file becomes this one.
 *
 * `PRAGMA user_version` numbers the schema. A file of an older version is brought forward step by step, each step in
 * one transaction with its new number, so a kill leaves a file of some whole version. A file of a newer one is not
 * damaged and not ours to change: it is refused and left as it is.
 *
 * Page size and auto_vacuum are fixed when the first page is written; they, and whose file it is, are no part of a step.
 */
import { HostspoolError } from '../lib/errors.ts';
import type { SqliteDatabase } from '../lib/sqlite.ts';

export const PAGE_SIZE = 4096;

/** PRAGMA application_id of every spool, "hspl": so a look at its header tells it from another program's database. */
export const APPLICATION_ID = 0x6873706c;

/** Step n brings version n to n + 1. Steps are never edited once released; a change is a new step. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of the queue; never reused
    run_id BLOB NOT NULL,                 -- 16 bytes
    seq INTEGER NOT NULL,                 -- 1, 2, 3 ... within the run
    event_id BLOB NOT NULL,               -- 16 bytes
    taken_at INTEGER NOT NULL,            -- wall clock, ms since the epoch
    monotonic_at INTEGER NOT NULL,        -- ms since boot, of the run's boot
    crc INTEGER NOT NULL,                 -- CRC32 over all columns but the id, see checksum.ts
    payload TEXT NOT NULL
  ) STRICT;
  CREATE TABLE runs (
    run_id BLOB PRIMARY KEY,
    hostname TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,          -- wall clock, ms
    interval_ms INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,            -- greatest known to be taken; outlives the rows
    acked_seq INTEGER NOT NULL,           -- greatest acknowledged
    ended TEXT                            -- NULL open | 'clean' | 'unclean'
  ) STRICT;
  CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,                   -- 'lost' | 'run_ended'
    run_id BLOB NOT NULL,
    first_seq INTEGER NOT NULL,           -- run_ended: equal to last_seq
    last_seq INTEGER NOT NULL,
    reason TEXT,                          -- lost only
    exact INTEGER NOT NULL,               -- 0 | 1
    clean INTEGER,                        -- run_ended only: 0 | 1
    created_at INTEGER NOT NULL           -- wall clock, ms
  ) STRICT;
  CREATE TABLE losses (
    reason TEXT PRIMARY KEY,
    samples INTEGER NOT NULL,             -- total since the file was made
    first_at INTEGER NOT NULL,            -- wall clock, ms
    last_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Sets what an empty file must know before its first table. Any other file is left as it is, to the byte. */
export function prepareEmpty(database: SqliteDatabase): void {
  if (database.pragma('page_count', { simple: true }) !== 0) return;
  database.pragma(`page_size = ${PAGE_SIZE}`);
  database.pragma('auto_vacuum = INCREMENTAL');
  database.pragma(`application_id = ${APPLICATION_ID}`);
}

/** The schema version of the file; 0 for an empty one. */
export function schemaVersion(database: SqliteDatabase): number {
  return database.pragma('user_version', { simple: true }) as number;
}

/**
 * Brings the file to the last of the steps; answers the version it had. Throws SPOOL_NEWER_SCHEMA, and has then
 * changed nothing. An empty file gets every step: call `prepareEmpty` before.
 */
export function migrate(database: SqliteDatabase, steps: readonly string[] = MIGRATIONS): number {
  const found = schemaVersion(database);
  if (found > steps.length) {
    throw new HostspoolError(
      'SPOOL_NEWER_SCHEMA',
      `the spool ${database.name} has schema version ${found}, and this hostspool knows up to ${steps.length}`,
      { hint: 'install the newer hostspool again, or drain the spool with it; the file was left as it is' },
    );
  }
  for (let version = found; version < steps.length; version++) {
    database.transaction(() => {
      database.exec(steps[version] as string);
      database.pragma(`user_version = ${version + 1}`);
    })();
  }
  return found;
}
