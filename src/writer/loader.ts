/**
 * Loads batches, one after the other, and holds on to each until the database has it.
 *
 *   compose ─▶ dead letters acknowledged ─▶ accounts (cached) ─▶ load ─┬─ committed ─▶ done
 *      ▲                                                              ├─ fenced ────▶ the session reads the offsets
 *      ├── accounts read again ◀──────────────────────── stale ───────┤
 *      ├── wait (load-failure.ts says how long) ◀──────── error ──────┤
 *      ├── guilty rows become dead letters ◀───────────── data ───────┤
 *      └── too large: less at a time ◀── no answer in time, again ────┘
 *
 * After an error nobody knows whether it was committed. The same batch is loaded again; if it was, its offsets have
 * moved, and the fence says so. Accounts that were cached are forgotten whenever a load is not known to be committed.
 * A batch leaves this loop committed, fenced, too large for what the database can do now, or abandoned because its
 * session has ended; never dropped.
 */
import type { LogHole } from '../accounts/advance.ts';
import { advanceAll, runsOf } from '../accounts/advance-all.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { Histogram, LOAD_BOUNDS, SIZE_BOUNDS } from '../lib/histogram.ts';
import type { Log } from '../lib/log.ts';
import type { DecodedSample } from '../sample/decode.ts';
import { AccountCache } from '../sink/account-cache.ts';
import { hostChanges } from '../sink/host-changes.ts';
import type { LoadOutcome, LogReader, OffsetMove, Sink } from '../sink/sink.ts';
import { refuse } from './chunk.ts';
import { type Composed, compose } from './compose.ts';
import type { DeadLetters } from './dead-letters.ts';
import { Explanations } from './explanations.ts';
import { findGuiltyRows, type GuiltyRow } from './guilty-rows.ts';
import type { Batch } from './intervals.ts';
import { failureKind, isOfSize } from './load-failure.ts';
import type { Patience } from './patience.ts';

export interface LoaderOptions {
  readonly reader: LogReader;
  readonly sink: Sink;
  readonly deadLetters: DeadLetters;
  /** How long rows are kept, ms; 0: for ever. */
  readonly retention: number;
  /** Between attempts at the database. */
  readonly patience: Patience;
  /** Between attempts at the dead-letter topic. */
  readonly letterPatience: Patience;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * `too_large`: it came to nothing, as far as is known, and less at a time may pass. `abandoned`: the session ended first.
 * In either case nobody knows whether the database has it.
 */
export type LoadEnd = 'committed' | 'fenced' | 'too_large' | 'abandoned';

/** After so many failures in a row that nobody can name it may be the rows. */
const UNKNOWN_IN_A_ROW = 3;
/** After so many failures that a smaller load may escape, it is tried. */
const LARGE_IN_A_ROW = 2;
/** So many rows in a row, without one that was taken, are not all guilty. */
const GUILTY_IN_A_ROW = 10;
/** How much the newest load counts in the mean time of a load. */
const NEWEST = 0.2;

/** A rehearsal met the fence: the load is fenced, whatever the database said of its rows first. */
class Fenced extends Error {}

export class Loader {
  readonly #options: LoaderOptions;
  readonly #accounts: AccountCache;
  readonly #explanations: Explanations;
  #guiltyInARow = 0;
  #counts = { loads: 0, loaded: 0, duplicates: 0, loadMs: 0 };
  #meanMs = 0;
  readonly #durations = new Histogram(LOAD_BOUNDS);
  readonly #batches = new Histogram(SIZE_BOUNDS);

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#accounts = new AccountCache(options.sink);
    this.#explanations = new Explanations(options.sink, options.reader);
  }

  /** Loads committed since the start, rows inserted, rows that were there already, and the time of all loads, ms. */
  get counts(): Readonly<{ loads: number; loaded: number; duplicates: number; loadMs: number }> {
    return this.#counts;
  }

  /** Time of each load committed, in seconds. */
  get durations(): Histogram {
    return this.#durations;
  }

  /** Messages in each load committed. */
  get batches(): Histogram {
    return this.#batches;
  }

  /** How long a load takes lately, ms. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** What was known of the accounts and holes is another session's. Rejects with the sink's HostspoolError. */
  async beginSession(): Promise<void> {
    this.#accounts.forget();
    await this.#explanations.refresh(true);
  }

  /** Never rejects. */
  async load(batch: Batch, signal: AbortSignal): Promise<LoadEnd> {
    let unknown = 0;
    let large = 0;
    while (!signal.aborted) {
      const composed = compose(batch, this.#oldest());
      if (!(await this.#sendDeadLetters(composed, signal))) break;
      try {
        const outcome = await this.#attempt(composed);
        if (outcome.kind === 'committed') this.#batches.observe(sizeOf(batch));
        if (outcome.kind !== 'stale') return outcome.kind;
        await this.#stale(outcome.runs, signal);
      } catch (thrown) {
        const error = asError(thrown);
        if (signal.aborted && error instanceof HostspoolError && error.code === 'SINK_CLOSED') break;
        const kind = failureKind(error);
        unknown = kind === 'unknown' ? unknown + 1 : 0;
        const mayBeRows = kind === 'data' || unknown >= UNKNOWN_IN_A_ROW;
        if (mayBeRows) {
          const end = await this.#lookForGuilty(batch, composed, error, signal);
          if (end !== undefined) return end;
        } else {
          await this.#options.patience.failed('load_failed', error, signal);
          large = isOfSize(error) ? large + 1 : 0;
          if (large >= LARGE_IN_A_ROW && canBeLess(batch, signal)) return 'too_large';
        }
      }
    }
    return 'abandoned';
  }

  /** Runs may have unexplained gaps that a hole explains. */
  get explanationsDue(): boolean {
    return this.#explanations.due;
  }

  /**
   * Explains gaps and records holes without a message at hand; where there are none to record the moves may be one that
   * moves nothing. One attempt; never rejects.
   */
  async settle(moves: readonly OffsetMove[], holes: readonly LogHole[], signal: AbortSignal): Promise<LoadEnd> {
    const nothing = { rows: [], samples: [], sentAt: [], events: [], deadLetters: [] };
    try {
      const outcome = await this.#attempt({ ...nothing, moves, holes });
      if (outcome.kind !== 'stale') return outcome.kind;
      await this.#stale(outcome.runs, signal);
      return 'abandoned';
    } catch (error) {
      await this.#options.patience.failed('load_failed', asError(error), signal);
      return 'abandoned';
    }
  }

  async #stale(runs: readonly string[], signal: AbortSignal): Promise<void> {
    const message = `another writer has written the accounts of ${runs.length} of the same runs, first ${runs[0]}`;
    const error = new HostspoolError('SINK_STALE', message, { retryable: true });
    await this.#options.patience.failed('load_stale', error, signal);
  }

  #oldest(): number {
    const { retention, clock } = this.#options;
    return retention === 0 ? Number.NEGATIVE_INFINITY : clock.now() - retention;
  }

  /** Answers whether they are acknowledged; false: the session ended first. */
  async #sendDeadLetters({ deadLetters }: Composed, signal: AbortSignal): Promise<boolean> {
    if (deadLetters.length === 0) return true;
    const { letterPatience } = this.#options;
    const send = () => this.#options.deadLetters.send(deadLetters, signal).then(() => true);
    return (await letterPatience.until('dead_letters_failed', send, signal)) ?? false;
  }

  async #attempt(composed: Composed): Promise<LoadOutcome> {
    const { sink, reader, clock, log, patience } = this.#options;
    const { rows, samples, sentAt, events, moves, holes } = composed;
    let known = false;
    try {
      const accounts = await this.#accounts.read(runsOf(events));
      const unexplained = await this.#explanations.unexplained();
      const changes = advanceAll(accounts, events, [...this.#explanations.holes, ...holes]);
      // One by one: a hole may explain more runs than a call takes arguments.
      for (const change of this.#explanations.explain(unexplained, accounts, holes)) changes.push(change);
      if (moves.length === 1 && isStill(moves[0] as OffsetMove) && changes.length === 0) {
        this.#explanations.done();
        known = true;
        return { kind: 'committed', inserted: 0, duplicates: 0 };
      }
      const startedAt = clock.monotonic();
      const hosts = hostChanges(samples, changes, sentAt);
      const outcome = await sink.load({ ...reader, rows, accounts: changes, hosts, offsets: moves, holes });
      if (outcome.kind === 'fenced') this.#explanations.doubt();
      if (outcome.kind !== 'committed') return outcome;
      known = true;
      const ms = clock.monotonic() - startedAt;
      this.#accounts.committed(changes);
      this.#count(outcome, ms);
      patience.succeeded();
      log.debug({ event: 'load_committed', rows: rows.length, ...withoutKind(outcome), messages: events.length, ms });
      await this.#afterCommit(composed, changes);
      return outcome;
    } finally {
      if (!known) this.#accounts.forget();
    }
  }

  /** The load is committed whatever becomes of this; what fails is done again after the next one. */
  async #afterCommit({ holes, rows }: Composed, changes: Parameters<Explanations['committed']>[1]): Promise<void> {
    if (rows.length > 0) this.#guiltyInARow = 0;
    try {
      await this.#explanations.committed(holes, changes);
    } catch (error) {
      this.#options.log.debug({ event: 'holes_not_read', err: asError(error) });
    }
  }

  #count({ inserted, duplicates }: { inserted: number; duplicates: number }, ms: number): void {
    const { loads, loadMs } = this.#counts;
    this.#durations.observe(ms / 1000);
    this.#meanMs = loads === 0 ? ms : this.#meanMs + NEWEST * (ms - this.#meanMs);
    this.#counts = {
      loads: loads + 1,
      loaded: this.#counts.loaded + inserted,
      duplicates: this.#counts.duplicates + duplicates,
      loadMs: loadMs + ms,
    };
  }

  /**
   * The guilty rows become dead letters of the batch; where it is not the rows, it says so and waits long. Answers how
   * the load ends, where it does: the fence was met, or all rows are taken, only not all at once.
   */
  async #lookForGuilty(
    batch: Batch,
    composed: Composed,
    error: Error,
    signal: AbortSignal,
  ): Promise<LoadEnd | undefined> {
    const { patience, log } = this.#options;
    try {
      const findings = await findGuiltyRows(composed.rows, (rows) => this.#rehearse(rows, composed));
      const guilty = findings.kind === 'rows' ? findings.guilty : [];
      const isAll = guilty.length === composed.rows.length;
      this.#guiltyInARow = isAll ? this.#guiltyInARow + guilty.length : 0;
      if (guilty.length === 0 || this.#guiltyInARow > GUILTY_IN_A_ROW) {
        await patience.failed('load_refused', findings.kind === 'rows' ? error : findings.error, signal, 'data');
        if (findings.kind === 'rows' && guilty.length === 0 && canBeLess(batch, signal)) return 'too_large';
      } else {
        log.error({ event: 'rows_refused', rows: guilty.length, of: composed.rows.length, err: guilty[0]?.error });
        condemn(batch, guilty);
      }
    } catch (thrown) {
      if (thrown instanceof Fenced) return 'fenced';
      await patience.failed('load_failed', asError(thrown), signal);
    }
    return undefined;
  }

  async #rehearse(rows: readonly DecodedSample[], { moves }: Composed): Promise<void> {
    const { sink, reader } = this.#options;
    const nothing = { accounts: [], hosts: [], holes: [] };
    const outcome = await sink.load({ ...reader, ...nothing, rows, offsets: moves, rehearsal: true });
    if (outcome.kind === 'fenced') throw new Fenced('another writer has moved the offsets');
  }
}

function canBeLess({ messages }: Batch, signal: AbortSignal): boolean {
  return messages > 1 && !signal.aborted;
}

function condemn(batch: Batch, guilty: readonly GuiltyRow[]): void {
  const errors = new Map(guilty.map(({ row, error }) => [row, error]));
  for (const { chunk, from, to } of batch.parts.flatMap((part) => part.slices)) {
    for (let index = from; index < to; index++) {
      const sample = chunk.samples[index];
      const error = sample === undefined ? undefined : errors.get(sample);
      if (error !== undefined) refuse(chunk, index, error);
    }
  }
}

function sizeOf({ parts }: Batch): number {
  return parts.flatMap(({ slices }) => slices).reduce((sum, { from, to }) => sum + to - from, 0);
}

function isStill({ expected, epoch, next }: OffsetMove): boolean {
  return expected !== null && expected.epoch === epoch && expected.offset === next;
}

function withoutKind({ inserted, duplicates }: { inserted: number; duplicates: number }) {
  return { inserted, duplicates };
}
