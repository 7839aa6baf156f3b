/**
 * The port between whoever loads a topic and the consumer group that reads it.
 *
 * A session is one generation of the group: which partitions this member reads until the group is rebalanced. What a
 * member knows, it knows for one session; the next one begins with nothing. The reader says where each partition is
 * fetched, before every request, so no position is kept here that could differ from the reader's own, and nothing is
 * ever skipped or reset in silence: an offset that the log does not have is told, and the reader decides.
 *
 *   join ─▶ session ─▶ positions? ─▶ fetch from the leaders ─▶ took ─┐
 *    ▲         │           ▲                                         │
 *    │         │           └─────────────────────────────────────────┘
 *    └── ended: rebalance, expelled, coordinator lost for the session timeout
 *
 * Heartbeats go on by themselves for as long as the session lasts, whatever the reader is waiting for.
 */
import type { HostspoolError } from '../lib/errors.ts';

export interface FetchedMessage {
  readonly offset: number;
  readonly key: Buffer | null;
  /** Kafka's timestamp, ms since the epoch. */
  readonly timestamp: number;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, readonly Buffer[]>>;
}

/** What one fetch brought of one partition. */
export interface FetchedBatch {
  readonly partition: number;
  /** The offset that was asked for. */
  readonly position: number;
  /** In order of offset, none below `position`; offsets that hold no message for a reader are left out. */
  readonly messages: readonly FetchedMessage[];
  /** The first offset after all that the fetch covered; `position` where the log has nothing beyond it yet. */
  readonly next: number;
  /** End of the log as its leader tells: the offset that the next message will have. */
  readonly end: number;
}

/** The offsets that a partition's log has: `start` is the first, `end` the one after the last. */
export interface LogBounds {
  readonly start: number;
  readonly end: number;
}

/** Who takes what is fetched. All of it is called in the turn in which an answer came, and must not throw. */
export interface FetchTarget {
  /** Where to fetch next, for each of these partitions; one left out is paused until `GroupSession.wake`. */
  positions(partitions: readonly number[]): ReadonlyMap<number, number>;
  took(batch: FetchedBatch): void;
  /** The log does not have the position that was asked for. */
  outOfRange(partition: number, position: number, bounds: LogBounds): void;
  /** A fetch failed; it is repeated, with backoff, at what `positions` then says. */
  failed(partitions: readonly number[], error: HostspoolError): void;
}

export interface GroupSession {
  readonly generation: number;
  /** Those assigned to this member, in order; may be none. */
  readonly partitions: readonly number[];
  /** Aborts when this generation has ended for this member, or the consumer stops. */
  readonly ended: AbortSignal;
  /** Fetches until the session has ended; never rejects for what passes. */
  fetch(target: FetchTarget): Promise<void>;
  /** `positions` may have a new answer. */
  wake(): void;
  bounds(partitions: readonly number[]): Promise<ReadonlyMap<number, LogBounds>>;
  /**
   * All partitions that the topic has, in order, at least one: as one of the brokers, asked anew, has heard. Where
   * partitions came or went a moment ago it may not know yet.
   */
  topicPartitions(): Promise<readonly number[]>;
  /** Commits for tools that look at lag; `offsets`: partition to the offset after the last message loaded. */
  commit(offsets: ReadonlyMap<number, number>): Promise<void>;
}

export interface GroupConsumer {
  /**
   * Joins the group and calls `use` for each session, one after the other, until `signal` aborts: then it leaves the
   * group and resolves. `use` should return soon after `session.ended`; the group is joined again when it has
   * returned. When `use` rejects, the group is left and its error is thrown. What keeps Kafka from being reached is
   * waited out with backoff; `tries` is called before each attempt to join.
   */
  consume(use: (session: GroupSession) => Promise<void>, signal: AbortSignal, tries?: () => void): Promise<void>;
}
