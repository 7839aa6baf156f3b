/**
 * Follows a topic, for people: without a consumer group, so it needs no right but to read the topic, commits nothing,
 * disturbs no writer and leaves nothing behind on the brokers.
 *
 *   partitions, their bounds ─▶ positions ─▶ Fetching ─▶ queue ─▶ handed out one by one
 *                                  ▲                       │
 *                                  └── paused while the queue is long
 *
 * Positions outlive a lost connection, so nothing is handed out twice and nothing left out. What stands in the way of
 * the first look at the topic is thrown; later only what a person must act on is, everything else is waited out. A
 * partition that was added meanwhile is read from its beginning. A position that the log no longer has (expired, or
 * the topic was made anew) moves to the log's beginning, with a warning.
 */
import type { Settings } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { Brokers } from './brokers.ts';
import { Fetching } from './fetching.ts';
import { logBounds } from './list-offsets.ts';
import type { FetchedMessage } from './log-session.ts';
import { Reading } from './reading.ts';
import { Wakening } from './wakening.ts';

export interface FollowedMessage extends FetchedMessage {
  readonly partition: number;
}

export interface FollowOptions {
  readonly topic: string;
  readonly from: 'beginning' | 'end';
  /** Where to begin instead, partition by partition. */
  readonly offsets?: ReadonlyMap<number, number>;
  /** `end`: stop where the topic ended when the following began. */
  readonly until?: 'end';
  /** Ends the following, promptly and without an error. */
  readonly signal: AbortSignal;
  /** Called once, when the positions are known: from then on no message is missed. */
  readonly following?: (partitions: number) => void;
}

/** How often new partitions are looked for, ms. */
const METADATA_MAX_AGE_MS = 10_000;
const BACKOFF = { base: 500, cap: 10_000 };

export class Follower {
  readonly #settings: Settings['kafka'];
  readonly #log: Log;
  readonly #clock: Clock;

  private constructor(settings: Settings['kafka'], log: Log, clock: Clock) {
    this.#settings = settings;
    this.#log = log;
    this.#clock = clock;
  }

  static create(settings: Settings['kafka'], log: Log, clock: Clock): Follower {
    return new Follower(settings, log, clock);
  }

  /** The messages, in order within each partition; ends when the signal aborts. Throws a HostspoolError KAFKA_…. */
  async *follow(options: FollowOptions): AsyncGenerator<FollowedMessage, void, undefined> {
    const { topic, signal } = options;
    if (signal.aborted) return;
    const brokers = Brokers.create({ settings: this.#settings, topic, log: this.#log, clock: this.#clock });
    const ended = new AbortController();
    const stop = () => {
      ended.abort();
      brokers.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      yield* this.#follow(brokers, options, ended.signal);
    } catch (thrown) {
      if (!signal.aborted) throw brokers.error(thrown);
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  async *#follow(brokers: Brokers, options: FollowOptions, ended: AbortSignal): AsyncGenerator<FollowedMessage> {
    await brokers.refresh();
    const bounds = await logBounds(brokers, brokers.partitions);
    const reading = new Reading(bounds, options, this.#log, new Wakening(this.#clock, ended));
    const fetch = (partitions: readonly number[]) => {
      const { request_timeout: requestTimeout } = this.#settings;
      const more = { backoff: BACKOFF, random: Math.random, log: this.#log, clock: this.#clock };
      const fetching = new Fetching({ brokers, partitions, requestTimeout, ...more }, reading, ended);
      reading.onDrained(() => fetching.wake());
      fetching.run().catch((thrown) => reading.fail(brokers.error(thrown)));
    };
    fetch(brokers.partitions);
    if (options.until === undefined) void this.#watchPartitions(brokers, new Set(brokers.partitions), fetch, ended);
    options.following?.(bounds.size);
    yield* reading.messages(ended);
  }

  async #watchPartitions(
    brokers: Brokers,
    known: Set<number>,
    fetch: (partitions: readonly number[]) => void,
    ended: AbortSignal,
  ): Promise<void> {
    for (;;) {
      await this.#clock.sleep(METADATA_MAX_AGE_MS, ended);
      if (ended.aborted) return;
      // When it fails the fetches do, and they tell.
      await brokers.refresh().catch(() => undefined);
      const added = brokers.partitions.filter((partition) => !known.has(partition));
      if (added.length === 0) continue;
      for (const partition of added) known.add(partition);
      fetch(added);
    }
  }
}
