/**
 * The embedded sink: the port of sink.ts over one SQLite file, for local mode and for small writers.
 *
 * A load is one transaction that begins by taking the write lock (BEGIN IMMEDIATE), so two processes on one file stand
 * in line, and each sees the offsets and accounts that the other left. WAL with synchronous = FULL: what a load
 * answered as committed survives a power cut, which it must, since whoever loaded deletes its copy next.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Account } from '../../accounts/account.ts';
import type { LogHole } from '../../accounts/advance.ts';
import { HostspoolError } from '../../lib/errors.ts';
import { openSqlite, type SqliteDatabase } from '../../lib/sqlite.ts';
import { resetLoad } from '../offset-reset.ts';
import type { SampleDatabase } from '../sample-database.ts';
import type { Load, LoadOutcome, LogReader, StoredOffset } from '../sink.ts';
import type { HostRecord, OffsetReset } from '../sink-admin.ts';
import { AccountTables } from './account-tables.ts';
import { sinkError } from './errors.ts';
import { HostsTable } from './hosts-table.ts';
import { MetricsTable } from './metrics-table.ts';
import { migrate, requireSchema } from './migrations.ts';
import { OffsetTables } from './offset-tables.ts';

export interface SqliteSinkOptions {
  /** The database file; it and its directory are made where they are missing. */
  readonly path: string;
  /**
   * How long a load waits for another process that holds the database, ms. The wait stops this process whole, sampling
   * included, so it is short; whoever loads repeats.
   */
  readonly busyTimeout?: number;
  /** Open only what is there and up to date: nothing is made, nothing migrated. Default false. */
  readonly existing?: boolean;
}

/** While opening there is nothing to hold up yet. */
const OPEN_BUSY_TIMEOUT_MS = 5000;
const LOAD_BUSY_TIMEOUT_MS = 100;
/** A delete stops this process whole, so it is short. */
const EXPIRED_AT_ONCE = 1000;

export class SqliteSink implements SampleDatabase {
  readonly #path: string;
  readonly #database: SqliteDatabase;
  readonly #offsets: OffsetTables;
  readonly #metrics: MetricsTable;
  readonly #accounts: AccountTables;
  readonly #hosts: HostsTable;

  private constructor(path: string, database: SqliteDatabase) {
    this.#path = path;
    this.#database = database;
    this.#offsets = new OffsetTables(database);
    this.#metrics = new MetricsTable(database);
    this.#accounts = new AccountTables(database);
    this.#hosts = new HostsTable(database);
  }

  /** Opens the file and brings its schema up to date. Throws DATABASE_MISSING where `existing` finds none. */
  static open({ path, busyTimeout = LOAD_BUSY_TIMEOUT_MS, existing = false }: SqliteSinkOptions): SqliteSink {
    let database: SqliteDatabase | undefined;
    try {
      if (existing) requireFile(path);
      else mkdirSync(dirname(path), { recursive: true });
      database = openSqlite(path, { busyTimeout: OPEN_BUSY_TIMEOUT_MS });
      if (existing) requireSchema(database);
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = FULL');
      if (!existing) migrate(database);
      database.pragma(`busy_timeout = ${Math.trunc(busyTimeout)}`);
      return new SqliteSink(path, database);
    } catch (error) {
      database?.close();
      throw sinkError(error, path);
    }
  }

  async load(load: Load): Promise<LoadOutcome> {
    return this.#attempt(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      const outcome = this.#write(load);
      const keep = outcome.kind === 'committed' && load.rehearsal !== true;
      this.#database.exec(keep ? 'COMMIT' : 'ROLLBACK');
      return outcome;
    });
  }

  /** The steps of the port, in its order. */
  #write(load: Load): LoadOutcome {
    const partitions = this.#offsets.move(load, load.offsets);
    if (partitions.length > 0) return { kind: 'fenced', partitions };
    const inserted = this.#metrics.insert(load.rows);
    const runs = this.#accounts.write(load.accounts);
    if (runs.length > 0) return { kind: 'stale', runs };
    this.#hosts.apply(load.hosts, inserted.byHost);
    this.#offsets.forgetSkips(load, load.offsets);
    this.#offsets.recordHoles(load, load.holes);
    return { kind: 'committed', inserted: inserted.rows, duplicates: load.rows.length - inserted.rows };
  }

  async readOffsets(reader: LogReader, partitions?: readonly number[]): Promise<ReadonlyMap<number, StoredOffset>> {
    return this.#attempt(() => this.#offsets.read(reader, partitions));
  }

  async readAccounts(runs: Iterable<string>): Promise<ReadonlyMap<string, Account>> {
    return this.#attempt(this.#database.transaction(() => this.#accounts.read(runs)));
  }

  async readUnexplained(): Promise<ReadonlyMap<string, Account>> {
    return this.#attempt(this.#database.transaction(() => this.#accounts.readUnexplained()));
  }

  async readHoles(reader: LogReader): Promise<readonly LogHole[]> {
    return this.#attempt(() => this.#offsets.readHoles(reader));
  }

  async listHosts(): Promise<readonly HostRecord[]> {
    return this.#attempt(() => this.#hosts.list());
  }

  async retireHost(hostname: string): Promise<boolean> {
    return this.#attempt(() => this.#hosts.retire(hostname));
  }

  async resetOffsets(
    reader: LogReader,
    resets: readonly OffsetReset[],
    holes: readonly LogHole[],
  ): Promise<readonly number[]> {
    if (resets.length === 0) return [];
    const outcome = await this.load(resetLoad(reader, resets, holes));
    return outcome.kind === 'fenced' ? outcome.partitions : [];
  }

  async expire(before: number): Promise<number> {
    return this.#attempt(() => this.#metrics.expire(before, EXPIRED_AT_ONCE));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #attempt<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      this.#rollBack();
      throw sinkError(error, this.#path);
    }
  }

  /** SQLite has often rolled back by itself; if even this fails, the error that led here is the one to tell. */
  #rollBack(): void {
    try {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
    } catch {
      // The next BEGIN says so again.
    }
  }
}

function requireFile(path: string): void {
  if (existsSync(path)) return;
  throw new HostspoolError('DATABASE_MISSING', `there is no database at ${path}`, {
    hint: 'set sqlite.path to the database of a writer or of local mode',
  });
}
