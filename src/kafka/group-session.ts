/** One generation of a group member: its partitions, fetched until the generation has ended. */
import type { BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Brokers } from './brokers.ts';
import { Fetching } from './fetching.ts';
import { type EndReason, Heartbeats } from './heartbeats.ts';
import { logBounds } from './list-offsets.ts';
import type { FetchTarget, GroupSession, LogBounds } from './log-session.ts';
import type { Generation, Membership } from './membership.ts';

export interface SessionOptions {
  readonly brokers: Brokers;
  readonly membership: Membership;
  readonly group: string;
  readonly sessionTimeout: number;
  readonly requestTimeout: number;
  readonly metadataMaxAge: number;
  readonly backoff: BackoffSettings;
  readonly random: () => number;
  readonly log: Log;
  readonly clock: Clock;
}

export class Session implements GroupSession {
  readonly generation: number;
  readonly partitions: readonly number[];
  readonly #options: SessionOptions;
  readonly #ended = new AbortController();
  readonly #closed = new AbortController();
  readonly #heartbeats: Heartbeats;
  #watching: Promise<void> = Promise.resolve();
  #fetching: Fetching | undefined;
  #reason: EndReason | undefined;

  private constructor(options: SessionOptions, generation: Generation) {
    this.generation = generation.id;
    this.partitions = generation.partitions;
    this.#options = options;
    const { membership, sessionTimeout, brokers, group, log, clock } = options;
    this.#heartbeats = new Heartbeats({
      membership,
      sessionTimeout,
      toError: (thrown) => brokers.error(thrown, { group }),
      over: (reason) => this.end(reason),
      log,
      clock,
    });
  }

  /** Begins its heartbeats. */
  static open(options: SessionOptions, generation: Generation): Session {
    const session = new Session(options, generation);
    session.#heartbeats.start();
    if (generation.assigned !== undefined) session.#watching = session.#watchPartitions(generation.assigned);
    return session;
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Why it ended; undefined while it lasts. */
  get reason(): EndReason | undefined {
    return this.#reason;
  }

  async fetch(target: FetchTarget): Promise<void> {
    const { brokers, requestTimeout, backoff, random, log, clock } = this.#options;
    const { partitions } = this;
    const guarded: FetchTarget = {
      positions: (asked) => target.positions(asked),
      outOfRange: (partition, position, bounds) => target.outOfRange(partition, position, bounds),
      failed: (failed, error) => target.failed(failed, error),
      took: (batch) => {
        // Woken after a long stop: the answer is older than the session.
        if (this.#heartbeats.expired) this.end('coordinator_lost');
        if (!this.ended.aborted) target.took(batch);
      },
    };
    const options = { brokers, partitions, requestTimeout, backoff, random, log, clock };
    this.#fetching = new Fetching(options, guarded, this.ended);
    await this.#fetching.run();
  }

  wake(): void {
    this.#fetching?.wake();
  }

  async bounds(partitions: readonly number[]): Promise<ReadonlyMap<number, LogBounds>> {
    const { brokers } = this.#options;
    try {
      return await logBounds(brokers, partitions).catch(async () => {
        // The leaders may be others by now.
        await brokers.refresh();
        return logBounds(brokers, partitions);
      });
    } catch (thrown) {
      throw brokers.error(thrown);
    }
  }

  async topicPartitions(): Promise<readonly number[]> {
    const { brokers } = this.#options;
    try {
      await brokers.refresh();
    } catch (thrown) {
      throw brokers.error(thrown);
    }
    return brokers.partitions;
  }

  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    const { membership, brokers, group } = this.#options;
    try {
      await membership.commit(this.generation, offsets);
    } catch (thrown) {
      throw brokers.error(thrown, { group });
    }
  }

  end(reason: EndReason): void {
    if (this.ended.aborted) return;
    const { generation, partitions } = this;
    const { log, group } = this.#options;
    log.info({ event: 'group_session_ended', group, generation, partitions, reason });
    this.#reason = reason;
    this.#ended.abort();
  }

  /** Ends it, its heartbeats included; the member is in the group still. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.end('given_back');
    await Promise.all([this.#heartbeats.stop(), this.#watching]);
  }

  /** The leader assigned what the topic had then; when it has others, the group must come together again. */
  async #watchPartitions(assigned: readonly number[]): Promise<void> {
    const { brokers, metadataMaxAge, clock, log } = this.#options;
    const over = AbortSignal.any([this.ended, this.#closed.signal]);
    for (;;) {
      await clock.sleep(metadataMaxAge, over);
      if (over.aborted) return;
      try {
        await brokers.refresh();
      } catch (thrown) {
        log.debug({ event: 'metadata_failed', err: brokers.error(thrown) });
        continue;
      }
      const now = new Set(brokers.partitions);
      if (now.size !== assigned.length || !assigned.every((partition) => now.has(partition)))
        this.end('partitions_changed');
    }
  }
}
