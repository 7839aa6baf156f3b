/**
 * Empties the spool into Kafka: oldest first, one request in flight, deleted only when every broker acknowledged.
 *
 *            appended                    acknowledged, more waits
 *   ┌──────┐ ───────▶ ┌──────────┐ ◀─────────────────────────────┐
 *   │ idle │          │ shipping │ ──────────────────────────────┘
 *   └──────┘ ◀─────── └──────────┘ ─── failed ──▶ ┌─────────────┐
 *          spool empty      ▲                     │ backing_off │
 *                           └──── wait over ───── └─────────────┘
 *
 * A round: read the oldest samples, let the pending notes ride on them, send, acknowledge samples and notes in one
 * transaction (all that was in the spool: in that of the next append). A kill anywhere in it leaves the samples in the
 * spool; they are sent again and the writer knows them by their event_id. A failed round changes nothing but the wait
 * before the next one. Between two rounds nothing probes: the attempt is the probe.
 *
 * A round that emptied the spool is followed by none for `linger`, counted from when it was sent, unless a whole batch
 * comes together: what a request costs the host and the brokers is shared by what is taken meanwhile, and a batch of
 * several samples packs to a fraction. Samples that come further apart than that leave at once, and so does what waits
 * after a failure.
 *
 * Only what Kafka says of the samples themselves (too large, invalid) may cost one, and only when it stands alone:
 * the batch is halved until the guilty sample is by itself, it is tried without its notes, and then it is logged
 * whole and becomes a note. Where one after the other is refused, it is the topic's settings rather than the samples:
 * they go slowly then, and most are still there when somebody has seen it. Everything else, an authorisation that is
 * missing included, keeps the spool and waits. A batch that gets no answer in time is halved as well, since on a slow
 * line the whole of it would be begun anew for ever.
 */
import type { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { Histogram, SIZE_BOUNDS } from '../lib/histogram.ts';
import type { Log } from '../lib/log.ts';
import { Rate } from '../lib/rate.ts';
import { round2 } from '../lib/rounding.ts';
import { Wait } from '../lib/wait.ts';
import { NOTES_PER_SAMPLE } from '../sample/note.ts';
import type { PendingNote, ShippingState, Spool, SpooledSample } from '../spool/spool.ts';
import { compose, type Message } from './messages.ts';
import type { Pace } from './pace.ts';

/** Sends one list of messages; resolves when all are acknowledged, rejects with a HostspoolError. Never retries. */
export interface Producer {
  send(topic: string, messages: readonly Message[], signal?: AbortSignal): Promise<void>;
}

export interface ShipperOptions {
  readonly spool: Pick<
    Spool,
    | 'spare'
    | 'read'
    | 'notes'
    | 'acknowledge'
    | 'acknowledgeAll'
    | 'release'
    | 'refuse'
    | 'depth'
    | 'shipping'
    | 'saveShipping'
  >;
  readonly producer: Producer;
  readonly topic: string;
  readonly batchSamples: number;
  readonly batchBytes: number;
  /** Least time between two requests while each empties the spool, ms. */
  readonly linger: number;
  readonly pace: Pace;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly log: Log;
}

/** From the milliseconds of a healthy fleet to the days of a spool. Seconds. */
const LATENCY_BOUNDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300, 3600, 86_400];

/** Errors that speak of the samples, not of the way to Kafka. */
const REFUSALS: ReadonlySet<string> = new Set(['KAFKA_MESSAGE_TOO_LARGE', 'KAFKA_INVALID_RECORD']);

/** From so many samples on that are refused with none taken in between, they are given up slowly. */
const MOST_REFUSED_IN_A_ROW = 10;
/** Between two of those, ms: faster than an agent takes them, so that one whose every sample is too large gets on. */
const REFUSAL_PAUSE_MS = 250;

export class Shipper {
  readonly #options: ShipperOptions;
  readonly #rate: Rate;
  #state: ShippingState;
  /** Ends every wait: a stop, or `finish`. */
  readonly #hurry = new AbortController();
  /** For something to send, or for more of it. */
  readonly #wait: Wait;
  #finishing = false;
  #linger: number;
  /** No request before this, by the monotonic clock, unless a whole batch waits. */
  #lingersUntil = 0;
  /** It waits for more to send. */
  #lingering = false;
  /** Most samples of the next batch; halved when Kafka refuses one or is too slow, grows again with each success. */
  #limit: number;
  /** Most notes on a sample; halved when it was too large with them, grows again with those that pass. */
  #mostNotes = NOTES_PER_SAMPLE;
  /** Samples refused since the last that was taken. */
  #refusedInARow = 0;
  /** A lone sample was too large with its notes: it is tried without them. */
  #withoutNotes = false;
  #shipped = 0;
  #failures = 0;
  #refused = 0;
  readonly #latency = new Histogram(LATENCY_BOUNDS);
  readonly #batches = new Histogram(SIZE_BOUNDS);
  /** When the request under way was sent, by the monotonic clock; undefined while none is. */
  #sentAt: number | undefined;

  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#rate = new Rate(options.clock);
    this.#wait = new Wait(options.clock);
    this.#limit = options.batchSamples;
    this.#linger = options.linger;
    this.#state = { ...options.spool.shipping(), state: 'idle', failures: 0, next_attempt_at: null };
  }

  /** Samples acknowledged since the start. */
  get shipped(): number {
    return this.#shipped;
  }

  /** Attempts that failed since the start. */
  get failures(): number {
    return this.#failures;
  }

  /** Samples that Kafka refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Time from taking a sample to its acknowledgement, in seconds. */
  get latency(): Histogram {
    return this.#latency;
  }

  /** Samples in each batch that was acknowledged. */
  get batches(): Histogram {
    return this.#batches;
  }

  /** For how long Kafka's answer has been waited for, ms; 0 while none is. */
  get waitsFor(): number {
    return this.#sentAt === undefined ? 0 : this.#options.clock.monotonic() - this.#sentAt;
  }

  get state(): ShippingState {
    return this.#state;
  }

  /** There is something to send. */
  wake(): void {
    if (!this.#lingering || this.#options.spool.depth >= this.#limit) this.#wait.end();
  }

  /** Takes over another linger, ms. */
  setLinger(linger: number): void {
    this.#linger = linger;
    this.#lingersUntil = 0;
    this.#wait.end();
  }

  /** From now on one attempt at what is left, without waiting: `run` ends at an empty spool or a failure. */
  finish(): void {
    this.#finishing = true;
    this.#hurry.abort();
    this.#wait.end();
  }

  /**
   * Ships until the signal aborts, until what `finish` asks for is done, or, with `until: 'empty'`, until the spool is
   * empty. Never rejects.
   */
  async run(signal: AbortSignal, until: 'stopped' | 'empty' = 'stopped'): Promise<void> {
    const stop = () => {
      this.#hurry.abort();
      this.#wait.end();
    };
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      await this.#gather();
      if (signal.aborted) break;
      const batch = this.#read();
      if (batch.length === 0) {
        if (this.#finishing || until === 'empty') break;
        if (this.#state.state !== 'idle') this.#become({ state: 'idle' });
        await this.#wait.forEver();
        continue;
      }
      await this.#paced();
      if (signal.aborted || !(await this.#ship(batch, signal))) break;
    }
    this.#options.spool.release();
    this.#become({ state: 'stopped', next_attempt_at: null });
    this.#options.spool.saveShipping(this.#state);
  }

  /** Waits until the linger is over or a whole batch has come, where anything waits at all. */
  async #gather(): Promise<void> {
    const { spool, clock } = this.#options;
    const wait = this.#lingersUntil - clock.monotonic();
    if (wait <= 0 || this.#finishing || spool.depth === 0 || spool.depth >= this.#limit) return;
    this.#lingering = true;
    spool.spare();
    await this.#wait.for(wait);
    this.#lingering = false;
  }

  #read(): readonly SpooledSample[] {
    const { spool, batchBytes, pace } = this.#options;
    return spool.read({ samples: pace.limit(this.#limit), bytes: batchBytes });
  }

  /** One round; answers whether to go on. */
  async #ship(batch: readonly SpooledSample[], signal: AbortSignal): Promise<boolean> {
    const { spool, producer, topic, backoff, pace, clock } = this.#options;
    const notes = this.#withoutNotes ? [] : spool.notes(this.#mostNotes);
    this.#become({ state: 'shipping', next_attempt_at: null });
    const sentAt = clock.monotonic();
    this.#lingersUntil = 0;
    try {
      this.#sentAt = sentAt;
      await producer.send(topic, compose(batch, notes), signal);
      this.#sentAt = undefined;
    } catch (thrown) {
      this.#sentAt = undefined;
      spool.release();
      if (signal.aborted) return false;
      const error = asError(thrown);
      if (error instanceof HostspoolError && REFUSALS.has(error.code)) {
        await this.#narrow(batch, notes, error);
        return true;
      }
      if (error instanceof HostspoolError && error.code === 'KAFKA_TIMEOUT') this.#halve(batch, error);
      return this.#backOff(error);
    }
    if (backoff.failures > 0) {
      this.#options.log.info(
        { event: 'ship_recovered', failures: backoff.failures, spool_depth: spool.depth },
        'Kafka is back',
      );
    }
    backoff.succeeded();
    pace.left(batch.length);
    this.#acknowledge(batch, notes);
    if (spool.depth === 0) this.#lingersUntil = sentAt + this.#linger;
    return true;
  }

  #acknowledge(batch: readonly SpooledSample[], notes: readonly PendingNote[]): void {
    const { spool, clock, batchSamples } = this.#options;
    const last = batch.at(-1) as SpooledSample;
    const now = clock.now();
    this.#rate.add(batch.length);
    this.#shipped += batch.length;
    this.#batches.observe(batch.length);
    for (const sample of batch) this.#latency.observe(Math.max(0, now - sample.takenAt) / 1000);
    this.#withoutNotes = false;
    this.#refusedInARow = 0;
    this.#limit = grown(this.#limit, batchSamples);
    if (notes.length > 0) this.#mostNotes = grown(this.#mostNotes, NOTES_PER_SAMPLE);
    this.#become({
      state: spool.depth > batch.length ? 'shipping' : 'idle',
      shipped_total: this.#state.shipped_total + batch.length,
      last_ack_at: new Date(now).toISOString(),
      failures: 0,
      next_attempt_at: null,
      samples_per_second_out: round2(this.#rate.perSecond()),
    });
    const mayRide = notes.length === 0 && !this.#finishing;
    if (mayRide && spool.acknowledgeAll(batch, this.#state)) return;
    spool.acknowledge(
      last.id,
      notes.map((note) => note.id),
      this.#state,
    );
  }

  /** Kafka refused something in this batch: look for it in a smaller one, or give up the one that stands alone. */
  async #narrow(batch: readonly SpooledSample[], notes: readonly PendingNote[], error: HostspoolError): Promise<void> {
    const { spool, log } = this.#options;
    if (batch.length > 1) {
      this.#halve(batch, error);
      return;
    }
    if (notes.length > 0) {
      this.#withoutNotes = true;
      this.#mostNotes = Math.max(1, Math.floor(notes.length / 2));
      return;
    }
    const sample = batch[0] as SpooledSample;
    log.error(
      { event: 'sample_refused', err: error, ...sample.identity, payload: sample.payload },
      'Kafka refused a sample',
    );
    spool.refuse(sample, 'refused_by_kafka');
    this.#refused++;
    this.#withoutNotes = false;
    this.#mostNotes = NOTES_PER_SAMPLE;
    if (++this.#refusedInARow >= MOST_REFUSED_IN_A_ROW) await this.#sleep(REFUSAL_PAUSE_MS);
  }

  #halve(batch: readonly SpooledSample[], { code }: HostspoolError): void {
    this.#limit = Math.max(1, Math.floor(batch.length / 2));
    this.#options.log.debug({ event: 'batch_halved', samples: this.#limit, code });
  }

  async #backOff(error: Error): Promise<boolean> {
    const { backoff, clock, log, spool } = this.#options;
    this.#failures++;
    const wait = Math.round(backoff.failed());
    this.#become({
      state: 'backing_off',
      failures: backoff.failures,
      last_error: error instanceof HostspoolError ? `${error.code}: ${error.message}` : error.message,
      next_attempt_at: new Date(clock.now() + wait).toISOString(),
    });
    spool.saveShipping(this.#state);
    const needsPerson = error instanceof HostspoolError && !error.retryable;
    log[needsPerson ? 'error' : 'warn'](
      {
        event: 'ship_failed',
        err: error,
        failures: backoff.failures,
        next_attempt_in_ms: wait,
        spool_depth: spool.depth,
      },
      'shipping failed; the spool keeps the samples',
    );
    if (this.#finishing) return false;
    await this.#sleep(wait);
    return true;
  }

  async #paced(): Promise<void> {
    const wait = this.#options.pace.wait();
    if (wait > 0 && !this.#finishing) await this.#sleep(wait);
  }

  /** Sleeps until the time is over, `finish`, or the stop. */
  async #sleep(ms: number): Promise<void> {
    await this.#options.clock.sleep(ms, this.#hurry.signal);
  }

  #become(change: Partial<ShippingState>): void {
    this.#state = { ...this.#state, ...change };
  }
}

/** By a sixteenth, but to the most at the highest. */
function grown(value: number, most: number): number {
  return Math.min(most, value + Math.ceil(value / 16));
}
