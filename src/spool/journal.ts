/**
 * Every transaction of the spool goes through here, and so does what must be true in each of them: this run has begun
 * in the file, and what memory owes the file is paid first.
 *
 *   write(body) = begin this run, if it has not ─┐
 *                 pay what is owed               ├─ one transaction; after its commit memory follows
 *                 body                          ─┘
 *
 * A file that is opened anew (the first time, or recovered under the running agent) has not begun this run, so the next
 * write does it again; all of it can be repeated. Where the very first cannot be committed, the run goes on in memory
 * and in the tail file until one can.
 */
import { uuidFromBytes, uuidToBytes } from '../sample/identity.ts';
import type { Bounds } from './bounds.ts';
import { Contents } from './contents.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { GuardedTail } from './guarded-tail.ts';
import { Notes } from './notes.ts';
import type { SpooledSample } from './outlet.ts';
import { Owed } from './owed.ts';
import type { SpoolPorts } from './ports.ts';
import { isSetAside } from './quarantine.ts';
import { beginRun, endRun, settleEarlierRuns } from './runs.ts';
import { parseShippingState, type ShippingState } from './shipping-state.ts';
import type { SpoolOptions } from './spool-options.ts';
import type { Store } from './store.ts';

export interface JournalOptions {
  readonly spool: SpoolOptions;
  /** UUIDv7 of a spool that has none yet. */
  readonly newId: string;
  readonly runId: string;
  readonly ports: SpoolPorts;
  readonly tail: GuardedTail;
  readonly bounds: Bounds;
  /** Makes the guarded store that tells this journal of each file it opens. */
  readonly guard: (opened: (store: Store) => void) => GuardedStore;
}

/** Longest interval at which an acknowledgement rides on the next append, ms: what `--status` tells of shipping is as old. */
const LONGEST_RIDE_MS = 10_000;

/** Largest number that the tail file can tell to be acknowledged. */
const LARGEST_RIDING_SEQ = 2 ** 32 - 1;
/** Most samples whose deletion may ride on an append: it waits for the disk with all that it changes. */
const MOST_RIDING = 64;

/** What a transaction does; answers how many samples it deleted. */
export type TransactionBody = (store: Store, notes: Notes) => number;

export class Journal {
  readonly runId: string;
  readonly runBytes: Buffer;
  readonly owed = new Owed();
  readonly contents: Contents;
  /** Notes that are being sent. */
  readonly notesHandedOut = new Set<number>();
  readonly #options: JournalOptions;
  readonly #guard: GuardedStore;
  #notes: Notes | undefined;
  #id: string;
  #shipping = parseShippingState(undefined);
  #begun = false;
  #settled = 0;
  #interval: number;
  /** Earlier runs that were in the file when this one was begun in it. */
  #runsBefore: ReadonlySet<string> = new Set();
  /** Samples that are acknowledged, and counted out of the contents, and still in the file. */
  #countedOut = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.runId = options.runId;
    this.#interval = options.spool.interval;
    this.runBytes = uuidToBytes(options.runId);
    this.#id = options.newId;
    this.contents = new Contents(options.spool.clock.bootId());
    this.#guard = options.guard((store) => this.#opened(store));
  }

  /** Identifies the spool file; made with it. */
  get id(): string {
    return this.#id;
  }

  /** Whether this run, and what earlier runs left open, is committed. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether it is known, without asking the file, that no sample is in it to be sent. */
  get isEmpty(): boolean {
    return this.#begun && this.contents.depth === 0;
  }

  /** The last number of this run that was stored or is owed as a hole. */
  get settled(): number {
    return this.#settled;
  }

  get shipping(): ShippingState {
    return this.#shipping;
  }

  /** Opens the file and begins the run; see GuardedStore.open for what throws. */
  open(): void {
    const { tail, spool, ports } = this.#options;
    this.#guard.open();
    // First the tail file: of a run without a tail it could not be told that it took no sample.
    if (spool.purpose === 'agent') tail.begin(this.runId);
    ports.reached('open:begun');
    this.write();
    ports.reached('open:settled');
  }

  /** The tail file was opened late, or is another: what it holds of earlier runs is settled with the next write. */
  reopenTail(): void {
    const { tail } = this.#options;
    if (tail.isOpen || !tail.open()) return;
    tail.begin(this.runId);
    this.#begun = false;
  }

  /** This number and all before it are stored, or owed as holes. */
  settle(seq: number): void {
    this.#settled = Math.max(this.#settled, seq);
  }

  /** The time between two samples is another from now on, ms. */
  setInterval(interval: number): void {
    this.#interval = interval;
    this.write((store) => {
      this.#recordAgent(store);
      return 0;
    });
  }

  /**
   * Whether the deletion of acknowledged samples may ride on the next append: they are few, all there is in the spool,
   * and this run's, no note waits, nothing else is owed, all was well before, and the next append is not far. So the
   * number that the tail file then has says that everything up to it is told.
   */
  mayRide(samples: readonly SpooledSample[]): boolean {
    const { spool, tail } = this.#options;
    const isWell = this.#begun && tail.isOpen && this.owed.isEmpty && this.failing === undefined;
    const { depth, lastId } = this.contents;
    const areAll = depth === samples.length && lastId === samples.at(-1)?.id && samples.length <= MOST_RIDING;
    if (spool.purpose !== 'agent' || !isWell || !areAll || this.#interval > LONGEST_RIDE_MS) return false;
    const [notes = []] = this.read((_, pending) => pending.pending(1));
    if (notes.length > 0) return false;
    return samples.every(({ identity }) => identity.run_id === this.runId && identity.seq <= LARGEST_RIDING_SEQ);
  }

  /** See Spool.acknowledgeAll. */
  acknowledgeAll(samples: readonly SpooledSample[]): void {
    const [first, last] = [samples[0] as SpooledSample, samples.at(-1) as SpooledSample];
    const reached = last.identity;
    this.owed.acknowledgeAll({ firstId: first.id, lastId: last.id }, reached);
    this.#options.tail.acknowledged(reached.seq);
    this.contents.deleted(samples.length);
    this.#countedOut = samples.length;
  }

  saveShipping(state: ShippingState): void {
    this.#shipping = { ...state };
    this.owed.shipping(JSON.stringify(state));
  }

  /** Reads; answers a list with the result, or an empty one if the file can't be read. */
  read<Result>(action: (store: Store, notes: Notes) => Result): [Result] | [] {
    return this.#guard.attempt((store) => action(store, this.#notesOf(store)));
  }

  /**
   * Commits; answers whether it did. The body may run more than once, each time on a file in which the one before has
   * left nothing. `single`: the body is one statement, which needs no transaction around it.
   */
  write(body: TransactionBody = () => 0, single = false): boolean {
    return this.#write(body, single, true);
  }

  /**
   * Pays what is owed, in a transaction that a power cut may undo: what is deleted comes back and is sent again, which
   * the reader knows by its event_id. So shipping costs no write that waits for the disk.
   */
  settleDebts(): boolean {
    return this.#write(() => 0, false, !this.#begun);
  }

  #write(body: TransactionBody, single: boolean, durable: boolean): boolean {
    const { ports } = this.#options;
    let deleted = 0;
    const [written] = this.#guard.attempt((store) => {
      if (single && this.#begun && this.owed.isEmpty) {
        ports.reached('write:before-commit');
        body(store, this.#notesOf(store));
        ports.reached('write:committed');
      } else {
        const commit = () => {
          deleted = this.#transaction(store, body);
        };
        if (durable) commit();
        else store.undoably(commit);
        deleted -= this.#countedOut;
        this.#committed(deleted);
      }
      return true;
    });
    if (deleted > 0) this.read((store) => this.contents.refreshOldest(store));
    return written ?? false;
  }

  /** Marks the run as stopped in order; answers whether that is committed. */
  end(): boolean {
    const { clock } = this.#options.spool;
    return this.write((store, notes) => {
      endRun(store, notes, this.runBytes, this.#settled, clock.now());
      return 0;
    });
  }

  watch(): void {
    const { tail, spool } = this.#options;
    this.#guard.watch();
    tail.watch();
    if (spool.purpose === 'agent') this.reopenTail();
  }

  close(): void {
    this.#guard.close();
  }

  /** Why the last attempt failed. */
  get failing(): GuardedStore['failing'] {
    return this.#guard.failing;
  }

  #opened(store: Store): void {
    this.#begun = false;
    this.#countedOut = 0;
    this.notesHandedOut.clear();
    this.owed.forgetNotes();
    this.#notes = new Notes(store, {
      has: (id) => this.notesHandedOut.has(id) || this.owed.isDelivered(id),
    });
    this.contents.load(store);
    this.#id = store.state('spool_id') ?? this.#id;
    this.#shipping = parseShippingState(store.state('shipping'));
    this.#options.bounds.measure(store);
  }

  #notesOf(store: Store): Notes {
    return this.#notes ?? new Notes(store, this.notesHandedOut);
  }

  #transaction(store: Store, body: TransactionBody): number {
    const { spool, ports } = this.#options;
    const notes = this.#notesOf(store);
    const at = spool.clock.now();
    let deleted = 0;
    store.transact(() => {
      deleted = this.#begun ? 0 : this.#begin(store, notes, at);
      deleted += this.owed.apply(store, notes, this.runBytes, at) + body(store, notes);
      ports.reached('write:before-commit');
    });
    ports.reached('write:committed');
    return deleted;
  }

  #committed(deleted: number): void {
    const { tail, spool } = this.#options;
    if (!this.#begun && spool.purpose === 'agent') {
      this.contents.began(this.runId, spool.hostname);
      tail.settle(this.#settled, this.#runsBefore);
    }
    this.#begun = true;
    this.owed.paid();
    this.#countedOut = 0;
    this.contents.deleted(deleted);
  }

  /** Answers how many samples it deleted. */
  #begin(store: Store, notes: Notes, at: number): number {
    const { spool, tail } = this.#options;
    const { hostname, purpose, clock, log } = spool;
    const current = purpose === 'agent' ? this.runId : undefined;
    const tails = [...tail.kept, ...tail.earlier];
    const settlement = { tails, current, bootId: clock.bootId(), hostname, at, log };
    const deleted = isSetAside(spool.path) ? 0 : settleEarlierRuns(store, notes, settlement);
    this.#runsBefore = new Set(store.runs().map(({ run_id }) => uuidFromBytes(run_id)));
    store.setState.run('spool_id', this.#id);
    store.reserveIds(this.contents.lastId);
    if (purpose !== 'agent') return deleted;
    beginRun(store, {
      run_id: this.runBytes,
      hostname,
      boot_id: clock.bootId(),
      started_at: Math.round(at),
      interval_ms: Math.round(this.#interval),
      last_seq: this.#settled,
      acked_seq: 0,
      ended: null,
    });
    this.#recordAgent(store);
    return deleted;
  }

  /** What `--status` tells of the agent. */
  #recordAgent(store: Store): void {
    const { hostname, version, maxBytes, maxAge } = this.#options.spool;
    const agent = {
      hostname,
      pid: process.pid,
      version,
      max_bytes: maxBytes,
      max_age_ms: maxAge,
      interval_ms: this.#interval,
    };
    store.setState.run('agent', JSON.stringify(agent));
  }
}
