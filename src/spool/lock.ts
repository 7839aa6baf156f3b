/**
 * One process at a time on a spool. Node has no flock, so the lock is SQLite's: an exclusive transaction, held open on
 * an empty side database. The kernel takes it back when the process dies, however it dies; nothing is written to the
 * file, so no death can damage it and a full disk can't refuse it.
 */
import { errorCode, HostspoolError } from '../lib/errors.ts';
import type { SqliteDatabase } from '../lib/sqlite.ts';
import type { SpoolFiles } from './files.ts';
import type { SpoolPorts } from './ports.ts';
import { Tail } from './tail.ts';

/** How long to wait for a holder that is about to go, ms. */
const PATIENCE_MS = 250;

export class SpoolLock {
  readonly #database: SqliteDatabase;

  private constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Takes the lock; throws SPOOL_LOCKED, with the holder's process id where it is known. */
  static take(files: SpoolFiles, ports: SpoolPorts): SpoolLock {
    const database = ports.openDatabase(files.lock, { busyTimeout: PATIENCE_MS });
    try {
      // The journal of a transaction that never writes: kept off the disk, which may be full.
      database.pragma('journal_mode = MEMORY');
      database.exec('BEGIN EXCLUSIVE');
      return new SpoolLock(database);
    } catch (error) {
      database.close();
      if (errorCode(error)?.startsWith('SQLITE_BUSY')) throw refusal(files, error);
      throw error;
    }
  }

  release(): void {
    this.#database.close();
  }
}

function refusal(files: SpoolFiles, cause: unknown): HostspoolError {
  const pid = Tail.holder(files.tail);
  const holder = pid === undefined ? 'another process' : `process ${pid}`;
  return new HostspoolError('SPOOL_LOCKED', `the spool ${files.database} is in use by ${holder}`, {
    hint: 'one process at a time: stop that one first, or give this one its own spool.path',
    retryable: true,
    cause,
  });
}
