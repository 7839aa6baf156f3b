/**
 * Follows a topic, for people: without a consumer group, so it needs no right but to read the topic, commits nothing,
 * disturbs no writer and leaves nothing behind on the brokers. kafkajs' consumer can't do without a group; so this
 * fetches itself, through kafkajs' cluster.
 *
 *   connect ─▶ positions (beginning or end, per partition) ─▶ fetch from every leader ─▶ hand out ─┐
 *      ▲                                                          ▲                                 │
 *      └── wait ◀── connection lost, no leader                    └─────────────────────────────────┘
 *
 * Positions outlive a lost connection, so nothing is handed out twice and nothing left out. What stands in the way of
 * the first connection is thrown; later only what a person must act on is, everything else is waited out. A partition
 * that was added meanwhile is read from its beginning. A position that the log no longer has (expired, or the topic was
 * made anew) moves to the log's beginning, with a warning.
 */
import type { KafkaMessage } from 'kafkajs';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { FetchedPartition } from 'kafkajs/src/cluster/index.js';
import Batch from 'kafkajs/src/consumer/batch.js';
import type { Settings } from '../config/schema.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { openCluster, READ_COMMITTED } from './cluster.ts';
import { KafkaConnection } from './connection.ts';
import { toKafkaError } from './errors.ts';

export interface FollowedMessage {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  /** Kafka's timestamp, ms since the epoch. */
  readonly timestamp: number;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, readonly Buffer[]>>;
}

export interface FollowOptions {
  readonly topic: string;
  readonly from: 'beginning' | 'end';
  /** Ends the following, promptly and without an error. */
  readonly signal: AbortSignal;
  /** Called once, when the positions are known: from then on no message is missed. */
  readonly following?: (partitions: number) => void;
}

/** How long a broker without new messages holds a fetch, ms. */
const MAX_WAIT_MS = 500;
/** How often new partitions are looked for, ms. */
const METADATA_MAX_AGE_MS = 10_000;
const PARTITION_BYTES = 1 << 20;
const FETCH_BYTES = 8 << 20;
const BACKOFF = { base: 500, cap: 10_000 };

interface Link {
  readonly connection: KafkaConnection;
  readonly cluster: Cluster;
}

export class Follower {
  readonly #settings: Settings['kafka'];
  readonly #log: Log;
  readonly #clock: Clock;
  /** The next offset to hand out, per partition; empty until the first connection. */
  readonly #positions = new Map<number, bigint>();
  #connections = 0;

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
    const backoff = new Backoff(BACKOFF);
    this.#positions.clear();
    while (!signal.aborted) {
      try {
        for await (const message of this.#connected(options, () => backoff.succeeded())) {
          if (signal.aborted) return;
          yield message;
        }
      } catch (thrown) {
        if (signal.aborted) return;
        const error = toKafkaError(thrown, { brokers: this.#settings.brokers, topic });
        // A topic that was there and is not may be on its way to being made anew.
        const passes = error.retryable || error.code === 'KAFKA_UNKNOWN_TOPIC';
        if (!passes || this.#positions.size === 0) throw error;
        const wait = backoff.failed();
        this.#log.warn({ event: 'follow_failed', err: error, next_attempt_in_ms: Math.round(wait) }, error.message);
        await this.#clock.sleep(wait, signal);
      }
    }
  }

  /** The messages that one connection brings, until it fails. */
  async *#connected(options: FollowOptions, progress: () => void): AsyncGenerator<FollowedMessage> {
    const link = this.#open();
    const stop = () => link.connection.destroy();
    options.signal.addEventListener('abort', stop, { once: true });
    try {
      await this.#connect(link);
      await link.cluster.addTargetTopic(options.topic);
      const known = this.#positions.size > 0;
      await this.#findPositions(link, options);
      if (!known) options.following?.(this.#positions.size);
      while (!options.signal.aborted) {
        const fetched = await this.#fetch(link, options.topic);
        progress();
        for (const partition of fetched) yield* this.#handOut(options.topic, partition);
        await link.cluster.refreshMetadataIfNecessary();
        await this.#findPositions(link, options);
      }
    } finally {
      options.signal.removeEventListener('abort', stop);
      link.connection.destroy();
    }
  }

  #open(): Link {
    const connection = KafkaConnection.open({
      settings: this.#settings,
      log: this.#log,
      firstBroker: this.#connections++,
      enforceRequestTimeout: true,
    });
    const options = { metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: false };
    return { connection, cluster: openCluster(connection, options) };
  }

  /** Tries each configured broker once. */
  async #connect(link: Link): Promise<void> {
    for (let left = this.#settings.brokers.length; ; ) {
      try {
        await link.cluster.connect();
        return;
      } catch (thrown) {
        const { code } = toKafkaError(thrown, { brokers: this.#settings.brokers });
        if (--left === 0 || code !== 'KAFKA_UNREACHABLE') throw thrown;
      }
    }
  }

  /** Positions for the partitions that have none: at the first time as asked, later (new ones) the beginning. */
  async #findPositions({ cluster }: Link, { topic, from }: FollowOptions): Promise<void> {
    const partitions = cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => ({ partition: partitionId }))
      .filter(({ partition }) => !this.#positions.has(partition));
    if (partitions.length === 0) return;
    const fromBeginning = from === 'beginning' || this.#positions.size > 0;
    const found = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
    for (const { partition, offset } of found.flatMap((each) => each.partitions)) {
      this.#positions.set(partition, BigInt(offset));
    }
  }

  /** One fetch from every leader, side by side. */
  async #fetch({ cluster }: Link, topic: string): Promise<readonly FetchedPartition[]> {
    const byLeader = Map.groupBy(cluster.findTopicPartitionMetadata(topic), ({ leader }) => leader);
    const fetches = [...byLeader].map(async ([leader, led]) => {
      const broker = await cluster.findBroker({ nodeId: String(leader) });
      const partitions = led.flatMap(({ partitionId: partition }) => {
        const fetchOffset = this.#positions.get(partition);
        return fetchOffset === undefined
          ? []
          : [{ partition, fetchOffset: String(fetchOffset), maxBytes: PARTITION_BYTES }];
      });
      const { responses } = await broker.fetch({
        replicaId: -1,
        maxWaitTime: MAX_WAIT_MS,
        minBytes: 1,
        maxBytes: FETCH_BYTES,
        isolationLevel: READ_COMMITTED,
        topics: [{ topic, partitions }],
      });
      return responses.flatMap((response) => response.partitions);
    });
    try {
      return (await Promise.all(fetches)).flat();
    } catch (thrown) {
      await this.#outOfRange(cluster, topic, thrown);
      return [];
    }
  }

  /** Moves a position that the log doesn't have to the log's beginning; throws everything else on. */
  async #outOfRange(cluster: Cluster, topic: string, thrown: unknown): Promise<void> {
    const { name, partition } = thrown as { name?: unknown; partition?: unknown };
    if (name !== 'KafkaJSOffsetOutOfRange' || typeof partition !== 'number') throw thrown;
    const [found] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning: true }]);
    const offset = found?.partitions[0]?.offset;
    if (offset === undefined) throw thrown;
    const was = this.#positions.get(partition);
    this.#log.warn(
      { event: 'position_moved', topic, partition, from: String(was), to: offset },
      `partition ${partition} no longer has offset ${was}; going on at ${offset}`,
    );
    this.#positions.set(partition, BigInt(offset));
  }

  *#handOut(topic: string, fetched: FetchedPartition): Generator<FollowedMessage> {
    const { partition } = fetched;
    const position = this.#positions.get(partition);
    if (position === undefined) return;
    const batch = new Batch(topic, String(position), fetched);
    for (const message of batch.messages) {
      this.#positions.set(partition, BigInt(message.offset) + 1n);
      yield toFollowed(partition, message);
    }
    // Messages that are not shown (of an aborted transaction, control records) are passed over all the same.
    if (!batch.isEmptyIncludingFiltered()) this.#positions.set(partition, BigInt(batch.lastOffset()) + 1n);
    // A log without the rest of what it had compacted away: nothing but older offsets came.
    else if (batch.rawMessages.length > 0) this.#positions.set(partition, position + 1n);
  }
}

function toFollowed(partition: number, message: KafkaMessage): FollowedMessage {
  const headers: Record<string, Buffer[]> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (value === undefined) continue;
    headers[name] = (Array.isArray(value) ? value : [value]).map((each) => Buffer.from(each));
  }
  return {
    partition,
    offset: BigInt(message.offset),
    key: message.key,
    timestamp: Number(message.timestamp),
    value: message.value,
    headers,
  };
}
