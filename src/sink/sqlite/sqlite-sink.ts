/**
 * The embedded sink: the port of sink.ts over one SQLite file, for local mode and for small writers.
 *
 * A load is one transaction that begins by taking the write lock (BEGIN IMMEDIATE), so two processes on one file stand
 * in line, and each sees the offsets and accounts that the other left. WAL with synchronous = FULL: what a load
 * answered as committed survives a power cut, which it must, since whoever loaded deletes its copy next. For the same
 * reason each load makes sure, before and after, that the file it writes is still the one at the path.
 */
import type { Account } from '../../accounts/account.ts';
import type { LogHole } from '../../accounts/advance.ts';
import { asError, HostspoolError } from '../../lib/errors.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import { resetBy } from '../offset-reset.ts';
import type { SampleDatabase } from '../sample-database.ts';
import type { Load, LoadOutcome, LogReader, StoredOffset } from '../sink.ts';
import type { HostRecord, OffsetReset } from '../sink-admin.ts';
import { sinkError } from './errors.ts';
import { OpenDatabase } from './open-database.ts';

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
  readonly log?: Log;
}

/** While opening at the start there is nothing to hold up yet. */
const OPEN_BUSY_TIMEOUT_MS = 5000;
const LOAD_BUSY_TIMEOUT_MS = 100;
/** A delete stops this process whole, so it is short. */
const EXPIRED_AT_ONCE = 1000;

export class SqliteSink implements SampleDatabase {
  readonly #path: string;
  readonly #busyTimeout: number;
  readonly #existing: boolean;
  readonly #log: Log;
  #open: OpenDatabase | undefined;
  #displaced = false;

  private constructor(options: SqliteSinkOptions) {
    const { path, busyTimeout = LOAD_BUSY_TIMEOUT_MS, existing = false, log = silentLog } = options;
    this.#path = path;
    this.#busyTimeout = busyTimeout;
    this.#existing = existing;
    this.#log = log;
  }

  /** Opens the file when it is first asked for something, and then again whenever that failed. */
  static at(options: SqliteSinkOptions): SqliteSink {
    return new SqliteSink(options);
  }

  /** Opens the file and brings its schema up to date. Throws DATABASE_MISSING where `existing` finds none. */
  static open(options: SqliteSinkOptions): SqliteSink {
    const sink = new SqliteSink(options);
    sink.#attempt(() => undefined, OPEN_BUSY_TIMEOUT_MS);
    return sink;
  }

  async load(load: Load): Promise<LoadOutcome> {
    return this.#attempt((open) => {
      open.database.exec('BEGIN IMMEDIATE');
      const outcome = this.#write(open, load);
      const keep = outcome.kind === 'committed' && load.rehearsal !== true;
      open.database.exec(keep ? 'COMMIT' : 'ROLLBACK');
      // Where the file went meanwhile, so did the commit: whoever loads must not delete its copy.
      this.#refuseDisplaced();
      return outcome;
    });
  }

  /** The steps of the port, in its order. */
  #write({ offsets, metrics, accounts, hosts }: OpenDatabase, load: Load): LoadOutcome {
    const partitions = offsets.move(load, load.offsets);
    if (partitions.length > 0) return { kind: 'fenced', partitions };
    const inserted = metrics.insert(load.rows);
    const runs = accounts.write(load.accounts);
    if (runs.length > 0) return { kind: 'stale', runs };
    hosts.apply(load.hosts, inserted.byHost);
    offsets.forgetSkips(load, load.offsets);
    offsets.recordHoles(load, load.holes);
    return { kind: 'committed', inserted: inserted.rows, duplicates: load.rows.length - inserted.rows };
  }

  async readOffsets(reader: LogReader, partitions?: readonly number[]): Promise<ReadonlyMap<number, StoredOffset>> {
    return this.#attempt(({ offsets }) => offsets.read(reader, partitions));
  }

  async readAccounts(runs: Iterable<string>): Promise<ReadonlyMap<string, Account>> {
    return this.#attempt(({ database, accounts }) => database.transaction(() => accounts.read(runs))());
  }

  async readUnexplained(): Promise<ReadonlyMap<string, Account>> {
    return this.#attempt(({ database, accounts }) => database.transaction(() => accounts.readUnexplained())());
  }

  async readHoles(reader: LogReader): Promise<readonly LogHole[]> {
    return this.#attempt(({ offsets }) => offsets.readHoles(reader));
  }

  async listHosts(): Promise<readonly HostRecord[]> {
    return this.#attempt(({ hosts }) => hosts.list());
  }

  async retireHost(hostname: string): Promise<boolean> {
    return this.#attempt(({ hosts }) => hosts.retire(hostname));
  }

  async resetOffsets(
    reader: LogReader,
    resets: readonly OffsetReset[],
    holes: readonly LogHole[],
  ): Promise<readonly number[]> {
    return resetBy((load) => this.load(load), reader, resets, holes);
  }

  async expire(before: number): Promise<number> {
    return this.#attempt(({ metrics }) => metrics.expire(before, EXPIRED_AT_ONCE));
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    try {
      if (!open.isInPlace()) open.leave();
    } catch (error) {
      this.#log.error(
        { event: 'database_displaced', path: this.#path, err: asError(error) },
        'what was loaded last into the database that was moved away is in the log that it left behind',
      );
    } finally {
      open.close();
    }
  }

  #attempt<Result>(action: (open: OpenDatabase) => Result, openBusyTimeout = this.#busyTimeout): Result {
    try {
      this.#refuseDisplaced();
      this.#open ??= OpenDatabase.open(this.#path, {
        busyTimeout: this.#busyTimeout,
        openBusyTimeout,
        existing: this.#existing,
      });
      return action(this.#open);
    } catch (error) {
      this.#rollBack();
      throw sinkError(error, this.#path);
    }
  }

  /** Throws SINK_DISPLACED once the open file is no longer the one at its path; the next attempt opens that one. */
  #refuseDisplaced(): void {
    if (this.#open === undefined || this.#open.isInPlace()) return;
    const error = new HostspoolError(
      'SINK_DISPLACED',
      `${this.#path}: the database was moved, deleted or replaced while it was open`,
      {
        hint: 'loading goes on into the file at that path, a new one if there is none; what was loaded before is in the one that went',
        retryable: true,
      },
    );
    if (!this.#displaced) this.#log.error({ event: 'database_displaced', path: this.#path, err: error });
    this.#displaced = true;
    this.#open.leave();
    this.#open = undefined;
    this.#displaced = false;
    throw error;
  }

  /** SQLite has often rolled back by itself; if even this fails, the error that led here is the one to tell. */
  #rollBack(): void {
    try {
      if (this.#open?.database.inTransaction) this.#open.database.exec('ROLLBACK');
    } catch {
      // The next BEGIN says so again.
    }
  }
}
