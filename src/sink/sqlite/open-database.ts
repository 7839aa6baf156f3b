/**
 * The sink's file while it is open, with the tables in it.
 *
 * A connection goes on working when its file is moved or deleted, and what it writes is then where nobody looks, or
 * nowhere once it is closed. The newest of it lies in the write-ahead log, which a rename leaves behind. So whoever
 * finds the file displaced leaves it in order: the log moved into the file wherever that is now, the connection
 * closed, and what it had beside the path taken away before another file there would take that for its own.
 */
import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectories } from '../../lib/directories.ts';
import { HostspoolError } from '../../lib/errors.ts';
import { FileIdentity } from '../../lib/file-identity.ts';
import { openSqlite, type SqliteDatabase } from '../../lib/sqlite.ts';
import { AccountTables } from './account-tables.ts';
import { HostsTable } from './hosts-table.ts';
import { MetricsTable } from './metrics-table.ts';
import { migrate, requireSchema } from './migrations.ts';
import { OffsetTables } from './offset-tables.ts';

export interface OpenOptions {
  /** How long a statement waits for another process that holds the database, ms; and while opening. */
  readonly busyTimeout: number;
  readonly openBusyTimeout: number;
  /** Open only what is there and up to date: nothing is made, nothing migrated. */
  readonly existing: boolean;
}

export class OpenDatabase {
  readonly database: SqliteDatabase;
  readonly offsets: OffsetTables;
  readonly metrics: MetricsTable;
  readonly accounts: AccountTables;
  readonly hosts: HostsTable;
  readonly #path: string;
  readonly #files: ReadonlyMap<string, FileIdentity | undefined>;

  private constructor(path: string, database: SqliteDatabase) {
    this.database = database;
    this.offsets = new OffsetTables(database);
    this.metrics = new MetricsTable(database);
    this.accounts = new AccountTables(database);
    this.hosts = new HostsTable(database);
    this.#path = path;
    this.#files = new Map([path, `${path}-wal`, `${path}-shm`].map((file) => [file, FileIdentity.of(file)]));
  }

  /**
   * Opens the file, made with its directory where it is missing, and brings its schema up to date. Throws
   * DATABASE_MISSING where `existing` finds none.
   */
  static open(path: string, { busyTimeout, openBusyTimeout, existing }: OpenOptions): OpenDatabase {
    if (existing) requireFile(path);
    else makeDirectories(dirname(path));
    const database = openSqlite(path, { busyTimeout: openBusyTimeout });
    try {
      if (existing) requireSchema(database);
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = FULL');
      if (!existing) migrate(database);
      database.pragma(`busy_timeout = ${Math.trunc(busyTimeout)}`);
      return new OpenDatabase(path, database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Whether file and log still lie where they were opened. */
  isInPlace(): boolean {
    return [this.#path, `${this.#path}-wal`].every((file) => this.#files.get(file)?.isAt(file) ?? true);
  }

  /** Closes a file that was displaced. Throws, and leaves it open, while what is in the log can't be moved into it. */
  leave(): void {
    const [outcome] = this.database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    if (outcome?.busy !== 0) {
      throw new HostspoolError('SINK_LOCKED', `${this.#path}: somebody reads from what was moved away`, {
        retryable: true,
      });
    }
    this.database.close();
    for (const [file, identity] of this.#files) {
      if (file !== this.#path && identity?.isAt(file)) rmSync(file, { force: true });
    }
  }

  close(): void {
    this.database.close();
  }
}

function requireFile(path: string): void {
  if (existsSync(path)) return;
  throw new HostspoolError('DATABASE_MISSING', `there is no database at ${path}`, {
    hint: 'set sqlite.path to the database of a writer or of local mode',
  });
}
