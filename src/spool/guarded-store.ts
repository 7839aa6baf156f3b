/**
 * The spool file, and everything that can befall it. Whoever wants something done with it gets it done, or learns that
 * it could not be; nobody above handles a disk.
 *
 *                 full: unlink the reserve, repeat          damaged: set aside, carry over, repeat
 *        ┌────┐ ──────────────────────────────────▶ done ◀──────────────────────────────────┌────┐
 *        │ ok │                                                                             │ ok │
 *        └────┘ ──── full without reserve ──▶ failing ◀── unwritable, or not recoverable ── └────┘
 *                                               │  ▲
 *                           any change made ─▶ ok┘  └ any failure (not logged again)
 *
 * Each change of state is logged once. While failing, every use is a new attempt: nothing is given up. Where the file
 * could not even be opened, the next attempt opens it. Only a recovery, which reads the whole file, is not repeated at
 * each use: it rests for a multiple of the time that it took, or, where it wanted room, until there is more.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type Fault, faultOf } from './faults.ts';
import type { SpoolFiles } from './files.ts';
import type { Permissions } from './permissions.ts';
import type { RecoveryRequest, SpoolPorts } from './ports.ts';
import { placeRecovered } from './quarantine.ts';
import { refusal } from './refusal.ts';
import type { Reserve } from './reserve.ts';
import { Store } from './store.ts';
import { Wal } from './wal.ts';

export interface GuardedStoreOptions {
  readonly files: SpoolFiles;
  readonly synchronous: 'full' | 'normal';
  readonly permissions: Permissions;
  readonly reserve: Reserve;
  readonly ports: SpoolPorts;
  readonly clock: Clock;
  readonly log: Log;
  /** What the tail file, or memory, knows of the newest run and of those before it: for the recovery. */
  readonly tails: () => Pick<RecoveryRequest, 'tail' | 'kept'>;
  /** Called with each newly opened store, before anything else is done with it. May throw what SQLite throws. */
  readonly opened: (store: Store) => void;
}

/** A recovery that failed is tried again after so many times what it took: at most a twentieth of a core goes into it. */
const RECOVERY_REST = 19;
/** By how much the free space has to have grown since a recovery found too little of it, bytes. */
const MORE_ROOM = 1024 * 1024;

export class GuardedStore {
  readonly #options: GuardedStoreOptions;
  #store: Store | undefined;
  #failing: Fault | undefined;
  #closed = false;
  #displaced = false;
  /**
   * Whether a commit is in the log that could not be made durable. SQLite takes it back and writes over it, and what is
   * left of it behind a shorter one would pass for newer at the next death.
   */
  #logIsStale = false;
  /** Whether the last recovery failed: the spool goes on without it. */
  #unrecovered = false;
  /** No recovery before this, by the monotonic clock. */
  #recoverableFrom = Number.NEGATIVE_INFINITY;
  /** Free space when a recovery found too little of it, bytes; undefined where it failed for something else. */
  #roomLacked: number | undefined;

  constructor(options: GuardedStoreOptions) {
    this.#options = options;
  }

  /** Why the last attempt failed; undefined after one that succeeded. */
  get failing(): Fault | undefined {
    return this.#failing;
  }

  /** The first opening. A spool that is not ours to open or change is the operator's: it throws. A fault does not. */
  open(): void {
    this.#attempt(() => {}, true);
  }

  /** Does it, and answers with its result in a list; or answers an empty one: it could not be done. */
  attempt<Result>(action: (store: Store) => Result): [Result] | [] {
    return this.#attempt(action, false);
  }

  #attempt<Result>(action: (store: Store) => Result, first: boolean): [Result] | [] {
    if (this.#closed) return [];
    let recovered = false;
    for (;;) {
      try {
        this.#store ??= this.#open();
        if (this.#logIsStale) this.#logIsStale = !this.#store.restartLog();
        const changes = this.#failing === undefined ? 0 : this.#store.changes();
        const result = action(this.#store);
        // Reading, and a transaction without a change, succeed on a full disk too.
        if (this.#failing !== undefined && this.#store.changes() > changes) this.#succeeded();
        return [result];
      } catch (error) {
        // A refusal while opening: at the start it is the operator's, later it is a disk that changed.
        if (error instanceof HostspoolError && first) throw error;
        const fault = error instanceof HostspoolError ? 'unwritable' : faultOf(error);
        if (fault === undefined) throw error;
        if (errorCode(error) === 'SQLITE_IOERR_FSYNC') this.#logIsStale = true;
        if (fault === 'full' && this.#spendReserve()) continue;
        if (fault === 'damaged' && !recovered) {
          recovered = true;
          if (this.#recover(asError(error))) continue;
        }
        const refused = first && fault === 'unwritable' ? refusal(this.#options.files.database, error) : undefined;
        if (refused !== undefined) throw refused;
        this.#failed(fault, asError(error));
        return [];
      }
    }
  }

  /** Looks whether the file and its log are still at their paths, and puts back what is not. */
  watch(): void {
    const { log, files } = this.#options;
    if (this.#store === undefined) return;
    const isInPlace = this.#store.isInPlace();
    if (isInPlace && this.#store.isLogInPlace()) return;
    const path = isInPlace ? files.wal : files.database;
    if (!this.#displaced) {
      log.error(
        { event: 'spool_displaced', path },
        'a spool file was moved, deleted or replaced under the running agent',
      );
    }
    this.#displaced = true;
    const isBack = isInPlace ? this.#replaceLog() : this.#writeOut();
    if (!isBack) return;
    this.#displaced = false;
    log.info({ event: 'spool_restored', path: files.database }, 'the spool file was written out again');
  }

  /** All that is in a log that is gone goes into the file, before a death takes it along. */
  #replaceLog(): boolean {
    const [emptied] = this.attempt((store) => store.emptyLog());
    if (emptied !== true) return false;
    this.#release();
    return true;
  }

  /**
   * A file that was deleted or moved away under the open connection is whole in it; one that was replaced is left alone,
   * and the tail file will tell at the next start what was in the one that is gone.
   */
  #writeOut(): boolean {
    if (existsSync(this.#options.files.database)) return false;
    const [place] = this.attempt((store) => store.writeOut());
    if (place === undefined) return false;
    this.#release();
    place();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  #open(): Store {
    const { files, synchronous, ports, permissions, opened } = this.#options;
    // A recovery that was cut short goes first: until then the file at the path is not the spool.
    placeRecovered(files.database);
    permissions.prepare();
    permissions.create();
    this.#checkLog();
    const store = Store.open({ files, synchronous, ports });
    try {
      opened(store);
      store.knowLog();
      permissions.secure();
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /**
   * SQLite drops silently what lies behind a damaged frame of the log; the recovery finds most of it. Where that can't
   * be, SQLite goes on from the damage, and what it does not come to is made void: it would pass for newer than what
   * is written next. After a death only: a spool that was closed in order has no log.
   */
  #checkLog(): void {
    const { files, log } = this.#options;
    const { database, wal } = files;
    const isNew = (statSync(database, { throwIfNoEntry: false })?.size ?? 0) === 0;
    const rest = isNew ? undefined : Wal.restAt(wal);
    if (rest === undefined) return;
    if (rest.hidesCommits && !this.#unrecovered) {
      throw Object.assign(new Error('the log is damaged before its end'), { code: 'SQLITE_CORRUPT' });
    }
    if (rest.hidesCommits) {
      log.error(
        { event: 'spool_log_cut', path: wal, frames: rest.to - rest.from },
        'the spool goes on without what lay behind the damage in its log',
      );
    }
    Wal.voidRest(wal, rest);
  }

  #release(): void {
    const store = this.#store;
    this.#store = undefined;
    try {
      store?.close();
    } catch (error) {
      this.#options.log.warn({ event: 'spool_close_failed', err: asError(error) });
    }
  }

  #spendReserve(): boolean {
    const { reserve, log, files } = this.#options;
    if (!reserve.spend()) return false;
    log.warn(
      { event: 'spool_reserve_spent', path: files.reserve, filesystem: dirname(files.database) },
      'the disk is full; the spool goes on with the space it had kept',
    );
    return true;
  }

  #recover(cause: Error): boolean {
    const { files, ports, clock, log, tails } = this.#options;
    const began = clock.monotonic();
    if (began < this.#recoverableFrom && !this.#hasMoreRoom()) return false;
    const first = this.#failing !== 'damaged';
    if (first)
      log.error(
        { event: 'spool_damaged', path: files.database, err: cause },
        'the spool file is damaged; recovering it',
      );
    this.#release();
    try {
      ports.recover({ path: files.database, clock, log, ...tails() });
      this.#unrecovered = false;
      return true;
    } catch (error) {
      const fault = faultOf(error);
      if (fault === undefined) throw error;
      const ended = clock.monotonic();
      this.#unrecovered = true;
      this.#roomLacked = fault === 'full' ? this.#free() : undefined;
      this.#recoverableFrom = ended + RECOVERY_REST * (ended - began);
      if (first) log.error({ event: 'spool_recovery_failed', path: files.database, err: asError(error) });
      return false;
    }
  }

  #hasMoreRoom(): boolean {
    return this.#roomLacked !== undefined && (this.#free() ?? 0) >= this.#roomLacked + MORE_ROOM;
  }

  #free(): number | undefined {
    const { ports, files } = this.#options;
    try {
      return ports.space(dirname(files.database)).free;
    } catch {
      return undefined;
    }
  }

  #failed(fault: Fault, error: Error): void {
    if (this.#failing !== fault) {
      this.#options.log.error(
        { event: 'spool_unwritable', fault, path: this.#options.files.database, err: error },
        fault === 'full'
          ? 'the disk is full; samples that can’t be stored are counted as lost'
          : 'the spool can’t be written; samples that can’t be stored are counted as lost',
      );
    }
    this.#failing = fault;
  }

  #succeeded(): void {
    this.#failing = undefined;
    this.#options.log.info({ event: 'spool_writable', path: this.#options.files.database });
  }
}
