/**
 * Empties the spool into a database, without Kafka in between.
 *
 *            appended                    committed, more waits
 *   ┌──────┐ ───────▶ ┌──────────┐ ◀─────────────────────────┐
 *   │ idle │          │ shipping │ ──────────────────────────┘
 *   └──────┘ ◀─────── └──────────┘ ─── failed ──▶ ┌─────────────┐
 *          spool empty      ▲                     │ backing_off │
 *                           └──── wait over ───── └─────────────┘
 *
 * A round: read the oldest samples, load them with the pending notes in one transaction, then acknowledge both. A kill
 * between the two leaves samples in the spool that the database has; they are loaded again and known by their
 * event_id. So the order is load, then acknowledge, and nothing is in neither place.
 *
 * A sample is loaded at once when the last load is a while ago; samples that come faster are gathered until the oldest
 * of them has that age or the batch is full. Under backlog batches grow, up to what holds up sampling for some tens of
 * milliseconds: this database works in the thread that samples. Nothing ends the loop but its signal: whatever the
 * database says, samples go on being taken, and the spool keeps them within its bounds.
 */
import { setImmediate } from 'node:timers/promises';
import { Backoff, type BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { Histogram, LOAD_BOUNDS, SIZE_BOUNDS } from '../lib/histogram.ts';
import type { Log } from '../lib/log.ts';
import { Rate } from '../lib/rate.ts';
import { round2 } from '../lib/rounding.ts';
import { NOTES_PER_SAMPLE } from '../sample/note.ts';
import type { Sink } from '../sink/sink.ts';
import type { ShippingState, Spool, SpooledSample } from '../spool/spool.ts';
import { BatchLoader } from './batch-loader.ts';

export interface LocalLoaderOptions {
  readonly spool: Pick<
    Spool,
    'id' | 'spare' | 'read' | 'notes' | 'acknowledge' | 'release' | 'depth' | 'shipping' | 'saveShipping'
  >;
  readonly sink: Sink;
  readonly backoff: BackoffSettings;
  /** How many samples make a load without waiting for more. */
  readonly batchSamples: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Least time between two loads that are not full, ms. */
const GATHER_MS = 200;
/** Most samples and bytes in a load under backlog. */
const BACKLOG_SAMPLES = 2000;
const BATCH_BYTES = 4 * 1024 * 1024;
/** So many loads in a row may find that somebody else wrote; then it is a failure like any other. */
const CONTENDED_LOADS = 3;

export class LocalLoader {
  readonly #options: LocalLoaderOptions;
  readonly #loader: BatchLoader;
  readonly #backoff: Backoff;
  readonly #rate: Rate;
  readonly #drained = Promise.withResolvers<void>();
  #state: ShippingState;
  #wake = new AbortController();
  #waiting: 'nothing' | 'samples' | 'more' | 'retry' = 'nothing';
  #finishing = false;
  #limit: number;
  #contended = 0;
  #loaded = 0;
  #duplicates = 0;
  #loads = 0;
  #failures = 0;
  readonly #durations = new Histogram(LOAD_BOUNDS);
  readonly #batches = new Histogram(SIZE_BOUNDS);

  constructor(options: LocalLoaderOptions) {
    this.#options = options;
    this.#loader = new BatchLoader(options.sink, options.log);
    this.#backoff = new Backoff(options.backoff);
    this.#rate = new Rate(options.clock);
    this.#limit = options.batchSamples;
    this.#state = { ...options.spool.shipping(), state: 'idle', failures: 0, next_attempt_at: null };
  }

  /** Rows inserted since the start. */
  get loaded(): number {
    return this.#loaded;
  }

  /** Samples that the database had already. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Time of each load committed, in seconds. */
  get durations(): Histogram {
    return this.#durations;
  }

  /** Samples in each load committed. */
  get batches(): Histogram {
    return this.#batches;
  }

  /** Loads committed. */
  get loads(): number {
    return this.#loads;
  }

  /** Attempts that failed, and samples that could not be read. */
  get failures(): number {
    return this.#failures;
  }

  get state(): ShippingState {
    return this.#state;
  }

  /** There is something to load. */
  wake(): void {
    const { spool, batchSamples } = this.#options;
    const isFull = this.#waiting === 'more' && spool.depth >= batchSamples;
    if (this.#waiting === 'samples' || isFull) this.#wake.abort();
  }

  /** Loads until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
      await this.#round();
    }
    signal.removeEventListener('abort', stop);
    this.#options.spool.release();
    this.#become({ state: 'stopped', next_attempt_at: null });
    this.#options.spool.saveShipping(this.#state);
    this.#drained.resolve();
  }

  /**
   * For stopping, while `run` still goes on: resolves when the spool is empty, an attempt has failed, or after
   * `deadlineMs`. What is left stays in the spool.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#finishing = true;
    this.#wake.abort();
    const limit = new AbortController();
    await Promise.race([this.#drained.promise, this.#options.clock.sleep(deadlineMs, limit.signal)]);
    limit.abort();
  }

  async #round(): Promise<void> {
    const { spool, clock } = this.#options;
    const batch = spool.read({ samples: this.#limit, bytes: BATCH_BYTES });
    if (batch.length === 0) {
      if (this.#finishing) this.#drained.resolve();
      if (this.#state.state !== 'idle') this.#become({ state: 'idle' });
      return this.#wait('samples', Number.POSITIVE_INFINITY);
    }
    const startedAt = clock.monotonic();
    if (!(await this.#load(batch))) return;
    const isBacklog = spool.depth >= this.#options.batchSamples;
    this.#limit = this.#limitAfter(batch.length);
    if (isBacklog || this.#finishing) return setImmediate();
    spool.spare();
    await this.#wait('more', startedAt + GATHER_MS - clock.monotonic());
  }

  #limitAfter(samples: number): number {
    const { batchSamples } = this.#options;
    const isFull = samples >= this.#limit;
    return isFull ? Math.min(this.#limit * 2, Math.max(BACKLOG_SAMPLES, batchSamples)) : batchSamples;
  }

  /** One attempt; answers whether it was committed. */
  async #load(batch: readonly SpooledSample[]): Promise<boolean> {
    const { spool, clock, log } = this.#options;
    const notes = spool.notes(NOTES_PER_SAMPLE);
    const startedAt = clock.monotonic();
    this.#become({ state: 'shipping', next_attempt_at: null });
    try {
      const outcome = await this.#loader.load(spool.id, batch, notes);
      if (outcome.kind === 'committed') {
        this.#failures += outcome.undecodable;
        this.#duplicates += outcome.duplicates;
        this.#loaded += outcome.inserted;
        this.#durations.observe((clock.monotonic() - startedAt) / 1000);
        this.#batches.observe(batch.length);
        this.#acknowledge(
          batch,
          notes.map(({ id }) => id),
        );
        return true;
      }
      spool.release();
      if (++this.#contended >= CONTENDED_LOADS) throw contended(outcome.kind);
      log.warn({ event: 'load_contended', outcome: outcome.kind }, 'another process wrote meanwhile; loading again');
    } catch (error) {
      spool.release();
      await this.#backOff(asError(error));
    }
    return false;
  }

  #acknowledge(batch: readonly SpooledSample[], noteIds: readonly number[]): void {
    const { spool, clock, log } = this.#options;
    const last = batch.at(-1) as SpooledSample;
    if (this.#backoff.failures > 0) {
      log.info({ event: 'load_recovered', failures: this.#backoff.failures, spool_depth: spool.depth });
    }
    this.#backoff.succeeded();
    this.#contended = 0;
    this.#loads++;
    this.#rate.add(batch.length);
    this.#become({
      state: spool.depth > batch.length ? 'shipping' : 'idle',
      shipped_total: this.#state.shipped_total + batch.length,
      last_ack_at: new Date(clock.now()).toISOString(),
      failures: 0,
      next_attempt_at: null,
      samples_per_second_out: round2(this.#rate.perSecond()),
    });
    spool.acknowledge(last.id, noteIds, this.#state);
  }

  async #backOff(error: Error): Promise<void> {
    const { clock, log, spool } = this.#options;
    this.#failures++;
    this.#contended = 0;
    const wait = Math.round(this.#backoff.failed());
    const isExpected = error instanceof HostspoolError;
    this.#become({
      state: 'backing_off',
      failures: this.#backoff.failures,
      last_error: isExpected ? `${error.code}: ${error.message}` : error.message,
      next_attempt_at: new Date(clock.now() + wait).toISOString(),
    });
    spool.saveShipping(this.#state);
    log[isExpected && error.retryable ? 'warn' : 'error'](
      {
        event: 'load_failed',
        err: error,
        failures: this.#backoff.failures,
        next_attempt_in_ms: wait,
        spool_depth: spool.depth,
      },
      'loading failed; the spool keeps the samples',
    );
    if (this.#finishing) this.#drained.resolve();
    await this.#wait('retry', wait);
  }

  async #wait(reason: 'samples' | 'more' | 'retry', ms: number): Promise<void> {
    if (ms <= 0 || (this.#finishing && reason === 'more')) return setImmediate();
    this.#waiting = reason;
    await this.#options.clock.sleep(ms, this.#wake.signal);
    this.#waiting = 'nothing';
  }

  #become(change: Partial<ShippingState>): void {
    this.#state = { ...this.#state, ...change };
  }
}

function contended(outcome: string): HostspoolError {
  return new HostspoolError('LOCAL_CONTENDED', `another process keeps writing what this spool loads (${outcome})`, {
    hint: 'let only one hostspool load a spool into this database',
    retryable: true,
  });
}
