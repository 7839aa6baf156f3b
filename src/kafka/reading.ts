/** A following under way: where each partition is read, and what has come and was not handed out yet. */
import type { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { FollowedMessage, FollowOptions } from './follower.ts';
import type { FetchedBatch, FetchTarget, LogBounds } from './log-session.ts';
import type { Wakening } from './wakening.ts';

/** So many batches may wait to be handed out before fetching pauses. */
const QUEUED_BATCHES = 8;

export class Reading implements FetchTarget {
  readonly #topic: string;
  readonly #log: Log;
  readonly #changed: Wakening;
  readonly #positions = new Map<number, number>();
  /** Where to stop, for those who stop. */
  readonly #ends: Map<number, number> | undefined;
  readonly #queue: FetchedBatch[] = [];
  readonly #drained: (() => void)[] = [];
  #failure: HostspoolError | undefined;

  constructor(bounds: ReadonlyMap<number, LogBounds>, options: FollowOptions, log: Log, changed: Wakening) {
    const { topic, from, offsets, until } = options;
    this.#topic = topic;
    this.#log = log;
    this.#changed = changed;
    for (const [partition, { start, end }] of bounds) {
      this.#positions.set(partition, offsets?.get(partition) ?? (from === 'beginning' ? start : end));
    }
    this.#ends = until === undefined ? undefined : new Map([...bounds].map(([partition, { end }]) => [partition, end]));
  }

  onDrained(listener: () => void): void {
    this.#drained.push(listener);
  }

  positions(partitions: readonly number[]): ReadonlyMap<number, number> {
    if (this.#queue.length >= QUEUED_BATCHES) return new Map();
    return new Map(
      partitions
        .map((partition) => [partition, this.#positions.get(partition) ?? 0] as const)
        .filter(([partition]) => !this.#isComplete(partition)),
    );
  }

  took(batch: FetchedBatch): void {
    this.#positions.set(batch.partition, batch.next);
    if (batch.messages.length > 0) this.#queue.push(batch);
    this.#changed.wake();
  }

  outOfRange(partition: number, position: number, { start, end }: LogBounds): void {
    this.#log.warn(
      { event: 'position_moved', topic: this.#topic, partition, from: position, to: start },
      `partition ${partition} no longer has offset ${position}; going on at ${start}`,
    );
    this.#positions.set(partition, start);
    this.#ends?.set(partition, Math.min(end, this.#ends.get(partition) ?? end));
    this.#changed.wake();
  }

  failed(_partitions: readonly number[], error: HostspoolError): void {
    // A topic that was there and is not may be on its way to being made anew.
    if (!error.retryable && error.code !== 'KAFKA_UNKNOWN_TOPIC') this.fail(error);
  }

  fail(error: HostspoolError): void {
    this.#failure ??= error;
    this.#changed.wake();
  }

  /** Until the signal aborts, everything has been handed out that was to be, or something failed for good. */
  async *messages(ended: AbortSignal): AsyncGenerator<FollowedMessage> {
    while (!ended.aborted) {
      const batch = this.#queue.shift();
      if (batch !== undefined) {
        if (this.#queue.length === QUEUED_BATCHES - 1) for (const drained of this.#drained) drained();
        const end = this.#ends?.get(batch.partition) ?? Number.POSITIVE_INFINITY;
        for (const message of batch.messages) {
          if (ended.aborted) return;
          if (message.offset < end) yield { partition: batch.partition, ...message };
        }
      } else if (this.#failure !== undefined) throw this.#failure;
      else if ([...this.#positions.keys()].every((partition) => this.#isComplete(partition))) return;
      else await this.#changed.wait();
    }
  }

  #isComplete(partition: number): boolean {
    const end = this.#ends?.get(partition);
    return end !== undefined && (this.#positions.get(partition) ?? 0) >= end;
  }
}
