/**
 * Fetches partitions of a topic from their leaders and hands on what comes: one request at a time to each leader, the
 * leaders side by side, so that a slow or dead one holds up nobody else's partitions.
 *
 *   positions? ─▶ request ─▶ answer ─▶ took / out of range ─┐
 *     ▲  ▲                     │                            │
 *     │  └─────────────────────┼────────────────────────────┘
 *     │                        ▼ failed: the whole request, or a partition
 *     └── metadata ◀── wait (backoff; each partition has its own count of failures)
 *
 * A position is asked for before each request and kept nowhere. A partition is in one request at a time, also while it
 * moves from one leader to another. A partition without a leader fails like one whose leader is away. A request that
 * is not answered within its time ends its connection (`Brokers`), so that nothing waits for ever.
 */
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import type { BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Brokers } from './brokers.ts';
import { noLeaderError } from './errors.ts';
import { type FetchedPartition, fetchFrom } from './fetch-request.ts';
import { logBounds } from './list-offsets.ts';
import type { FetchTarget, LogBounds } from './log-session.ts';
import { PartitionRests } from './partition-rests.ts';
import { decodeRecords, type Records } from './record-batches.ts';
import { Wakening } from './wakening.ts';

export interface FetchingOptions {
  readonly brokers: Pick<Brokers, 'topic' | 'leaders' | 'leaderOf' | 'ask' | 'refresh' | 'error'>;
  readonly partitions: readonly number[];
  readonly requestTimeout: number;
  readonly backoff: BackoffSettings;
  readonly random: () => number;
  readonly log: Log;
  readonly clock: Clock;
}

/** How long a broker without new messages holds a fetch, ms. */
const MAX_WAIT_MS = 500;
const PARTITION_BYTES = 1 << 20;
const FETCH_BYTES = 8 << 20;
const OFFSET_OUT_OF_RANGE = 1;
/** Where partitions wait that nobody leads. */
const NOBODY = -1;

export class Fetching {
  readonly #options: FetchingOptions;
  readonly #target: FetchTarget;
  readonly #signal: AbortSignal;
  readonly #loops = new Set<number>();
  readonly #asked = new Set<number>();
  readonly #rests: PartitionRests;
  readonly #outOfRange = new Map<number, number>();
  readonly #changed: Wakening;
  readonly #over = Promise.withResolvers<void>();
  /** What the target threw, which it must not. */
  readonly #crash = Promise.withResolvers<never>();
  #leaders: ReadonlyMap<number, number> | undefined;

  constructor(options: FetchingOptions, target: FetchTarget, signal: AbortSignal) {
    this.#options = options;
    this.#target = target;
    this.#signal = signal;
    this.#rests = new PartitionRests(options.backoff, options.random, options.clock);
    this.#changed = new Wakening(options.clock, signal);
    signal.addEventListener('abort', () => this.#over.resolve(), { once: true });
    if (signal.aborted) this.#over.resolve();
  }

  /** The target's positions may have changed. */
  wake(): void {
    this.#changed.wake();
  }

  /** Until the signal aborts; then nothing is handed on any more, whatever is still under way. */
  async run(): Promise<void> {
    this.#startLoops();
    await Promise.race([this.#over.promise, this.#crash.promise]);
  }

  /** Whoever leads a partition has a loop; leaders change while the loops run, so each of them looks. */
  #startLoops(): void {
    const { leaders } = this.#options.brokers;
    if (leaders !== this.#leaders) {
      this.#leaders = leaders;
      // A loop may wait that leads more by now.
      this.#changed.wake();
    }
    for (const partition of this.#options.partitions) {
      const leader = this.#leaderOf(partition);
      if (this.#loops.has(leader)) continue;
      this.#loops.add(leader);
      this.#fetchFrom(leader).catch(this.#crash.reject);
    }
  }

  #leaderOf(partition: number): number {
    return this.#options.brokers.leaderOf(partition) ?? NOBODY;
  }

  /** One leader's partitions, as long as it leads any. */
  async #fetchFrom(leader: number): Promise<void> {
    for (let turn = 0; !this.#signal.aborted; ) {
      this.#startLoops();
      const led = this.#options.partitions.filter((partition) => this.#leaderOf(partition) === leader);
      if (led.length === 0) break;
      // Read once: a rest that ends between two looks would be neither over nor waited for.
      const rests = led.map((each) => this.#rests.left(each));
      const free = led.filter((each, index) => !this.#asked.has(each) && rests[index] === 0);
      const stale = free.filter((each) => this.#rests.isStale(each));
      if (stale.length > 0) {
        await this.#refresh(stale);
        continue;
      }
      const positions = free.length === 0 ? undefined : this.#target.positions(inTurn(free, turn));
      if (positions === undefined || positions.size === 0) await this.#changed.wait(shortest(rests));
      else {
        turn++;
        await this.#request(leader, positions);
      }
    }
    this.#loops.delete(leader);
  }

  async #request(leader: number, positions: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...positions.keys()];
    for (const partition of partitions) this.#asked.add(partition);
    try {
      const answer = await this.#ask(leader, positions);
      if (answer instanceof HostspoolError) this.#failed(partitions, answer);
      else await this.#handOut(positions, answer);
    } finally {
      for (const partition of partitions) this.#asked.delete(partition);
      // Whoever leads one of them now may have waited for this answer.
      if (partitions.some((partition) => this.#leaderOf(partition) !== leader)) this.#changed.wake();
    }
  }

  async #ask(
    leader: number,
    positions: ReadonlyMap<number, number>,
  ): Promise<readonly FetchedPartition[] | HostspoolError> {
    const { brokers, requestTimeout } = this.#options;
    const { topic } = brokers;
    const wanted = {
      ...{ topic, positions },
      ...{ maxWait: MAX_WAIT_MS, maxBytes: FETCH_BYTES, partitionBytes: PARTITION_BYTES },
    };
    try {
      if (leader === NOBODY) throw noLeaderError(topic, [...positions.keys()][0] as number);
      return await brokers.ask(leader, (broker) => fetchFrom(broker, wanted), MAX_WAIT_MS + requestTimeout);
    } catch (thrown) {
      return brokers.error(thrown);
    }
  }

  async #handOut(positions: ReadonlyMap<number, number>, answer: readonly FetchedPartition[]): Promise<void> {
    const failures: { partition: number; error: HostspoolError }[] = [];
    const [first] = positions.keys();
    for (const fetched of answer) {
      const { partition } = fetched;
      const position = positions.get(partition);
      if (position === undefined) continue;
      const error =
        fetched.errorCode === OFFSET_OUT_OF_RANGE
          ? await this.#tellOutOfRange(partition, position)
          : await this.#take(fetched, position, partition === first);
      if (error !== undefined) failures.push({ partition, error });
    }
    for (const [, alike] of Map.groupBy(failures, ({ error }) => error.code)) {
      const partitions = alike.map(({ partition }) => partition);
      for (const { error } of alike.slice(0, 1)) this.#failed(partitions, error);
    }
  }

  /**
   * Hands on what came of a partition; returns what was wrong with it. To the one that was asked for first a broker gives
   * at least one whole batch, if it gives anything: otherwise the same would be asked for and come again without a rest.
   */
  async #take(fetched: FetchedPartition, position: number, wasFirst: boolean): Promise<HostspoolError | undefined> {
    const { partition, errorCode, end, aborted, records } = fetched;
    let decoded: Records;
    try {
      if (errorCode !== 0) throw createErrorFromCode(errorCode);
      decoded = await decodeRecords(records, position, aborted);
      if (wasFirst && records.length > 0 && decoded.next === position) throw cutOff(position);
    } catch (thrown) {
      return this.#options.brokers.error(thrown);
    }
    if (this.#signal.aborted) return undefined;
    this.#rests.succeeded(partition);
    this.#outOfRange.delete(partition);
    this.#target.took({ partition, position, ...decoded, end });
    return undefined;
  }

  async #tellOutOfRange(partition: number, position: number): Promise<HostspoolError | undefined> {
    const { brokers, log } = this.#options;
    let bounds: LogBounds | undefined;
    try {
      bounds = (await logBounds(brokers, [partition])).get(partition);
      if (bounds === undefined) throw noLeaderError(brokers.topic, partition);
    } catch (thrown) {
      return brokers.error(thrown);
    }
    if (this.#signal.aborted) return undefined;
    // Told once already, and the same position was asked for again: not in a circle without a rest.
    if (this.#outOfRange.get(partition) === position) this.#rests.failed([partition], undefined, false);
    this.#outOfRange.set(partition, position);
    log.debug({ event: 'offset_out_of_range', partition, position, ...bounds });
    this.#target.outOfRange(partition, position, bounds);
    return undefined;
  }

  async #refresh(stale: readonly number[]): Promise<void> {
    try {
      await this.#options.brokers.refresh();
      this.#rests.refreshed(stale);
    } catch (thrown) {
      this.#failed(stale, this.#options.brokers.error(thrown));
    }
  }

  #failed(partitions: readonly number[], error: HostspoolError): void {
    if (this.#signal.aborted) return;
    const told = this.#isTold(partitions, error.code);
    const wait = this.#rests.failed(partitions, error.code, error.code !== 'KAFKA_CORRUPT');
    const fields = { event: 'fetch_failed', partitions, err: error, next_attempt_in_ms: Math.round(wait) };
    const { log } = this.#options;
    const passes = error.retryable || error.code === 'KAFKA_UNKNOWN_TOPIC';
    if (told) log.debug(fields, error.message);
    else if (passes) log.warn(fields, error.message);
    else log.error(fields, error.message);
    this.#target.failed(partitions, error);
  }

  /** A broker that is away is told with each attempt; that there is no topic, or no leader, once. */
  #isTold(partitions: readonly number[], code: string): boolean {
    if (code === 'KAFKA_UNKNOWN_TOPIC') return this.#rests.has(code);
    return code === 'KAFKA_NO_LEADER' && partitions.every((partition) => this.#rests.codeOf(partition) === code);
  }
}

function cutOff(offset: number): HostspoolError {
  const message = `what lies at offset ${offset} can't be read: the broker gave a part of it`;
  return new HostspoolError('KAFKA_CORRUPT', message, { hint: 'look at the log of the partition’s leader' });
}

/** Undefined when none rests: then only a wakening changes anything. */
function shortest(rests: readonly number[]): number | undefined {
  const left = rests.filter((ms) => ms > 0);
  return left.length === 0 ? undefined : Math.min(...left);
}

/** Each partition comes first in its turn: only the first is sure to get a batch that is larger than the bounds. */
function inTurn(partitions: readonly number[], turn: number): number[] {
  const first = turn % partitions.length;
  return [...partitions.slice(first), ...partitions.slice(0, first)];
}
