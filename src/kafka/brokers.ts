/**
 * The brokers of a cluster for those who speak Kafka's protocol themselves (followers, group members, the operator's
 * commands), with one topic in view. kafkajs brings the requests, the connections, TLS and login; here they are
 * bounded and found again.
 *
 *   ask(node) ─▶ connected? ─▶ broker known? ─▶ request ─▶ answer
 *                  │ no            │ no            │ no answer in time, connection lost
 *                  ▼               ▼               ▼
 *          each configured      metadata       both connections to that broker are ended;
 *          broker in turn                      the next ask makes new ones
 *
 * - One attempt is one attempt: nothing is repeated here, whoever calls owns the waiting.
 * - Every wait has its limit. kafkajs' own would reject the request and keep a half-open connection for the next one.
 * - A broker that fails costs its own connections alone. When nobody can be asked for metadata any more, everything is
 *   ended and the next call begins with the next configured broker: kafkajs does not always find back by itself.
 */
import type { ClusterBroker, ClusterMetadata } from 'kafkajs/src/cluster/index.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import type { Settings } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { formatDuration } from '../lib/units.ts';
import { KafkaAccess } from './access.ts';
import { forgetBroker, type Link, openLink } from './cluster-link.ts';
import type { KafkaConnection } from './connection.ts';
import { isBrokersAnswer, toKafkaError } from './errors.ts';
import { within } from './time-limit.ts';

export interface BrokersOptions {
  readonly settings: Settings['kafka'];
  readonly topic: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Shared by those whose credentials change together. */
  readonly access?: KafkaAccess;
}

export class Brokers {
  readonly topic: string;
  readonly #settings: Settings['kafka'];
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #access: KafkaAccess;
  #link: Promise<Link> | undefined;
  /** How many requests are under way on each connection, and those that end with the last of theirs. */
  readonly #inUse = new Map<KafkaConnection, number>();
  readonly #retired = new Set<KafkaConnection>();
  #isConnecting = false;
  #refreshing: Promise<void> | undefined;
  /** Partition to leader, -1 for none. */
  #leaders: ReadonlyMap<number, number> = new Map();
  #metadata: ClusterMetadata | undefined;
  /** What is open, or being opened. */
  #connection: KafkaConnection | undefined;
  #nextBroker: number;
  readonly #closing = new AbortController();

  private constructor(options: BrokersOptions) {
    this.topic = options.topic;
    this.#settings = options.settings;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#access = options.access ?? new KafkaAccess(options.settings, options.log);
    this.#nextBroker = Math.floor(Math.random() * options.settings.brokers.length);
  }

  /** Connects at the first request. */
  static create(options: BrokersOptions): Brokers {
    return new Brokers(options);
  }

  /** What was last heard of the cluster; undefined before the first `refresh`. */
  get metadata(): ClusterMetadata | undefined {
    return this.#metadata;
  }

  /** What was last heard of the topic: another object each time. */
  get leaders(): ReadonlyMap<number, number> {
    return this.#leaders;
  }

  /** The topic's partitions as they were last heard of, in order; none before the first `refresh`. */
  get partitions(): readonly number[] {
    return [...this.#leaders.keys()];
  }

  /** A partition's leader as last heard; undefined when there is none, or no such partition. */
  leaderOf(partition: number): number | undefined {
    const leader = this.#leaders.get(partition) ?? -1;
    return leader < 0 ? undefined : leader;
  }

  /** Asks what brokers there are and who leads the topic's partitions. Two at once are one. */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) return this.#refreshing;
    const refreshing = this.#refresh().finally(() => {
      if (this.#refreshing === refreshing) this.#refreshing = undefined;
    });
    this.#refreshing = refreshing;
    return refreshing;
  }

  /** Makes a request of one broker. Rejects with what kafkajs threw, or KAFKA_TIMEOUT after `limit` ms. */
  async ask<Answer>(
    node: number,
    request: (broker: ClusterBroker) => Promise<Answer>,
    limit = this.#settings.request_timeout,
  ): Promise<Answer> {
    const { cluster, connection } = await this.#knowing(({ brokers }) => brokers[node] !== undefined);
    this.#begin(connection);
    try {
      const { connect_timeout } = this.#settings;
      const broker = await this.#within(connect_timeout, cluster.brokerPool.findBroker({ nodeId: node }), 'connection');
      return await this.#within(limit, request(broker), 'answer');
    } catch (thrown) {
      if (!isBrokersAnswer(thrown)) forgetBroker(cluster, node);
      throw thrown;
    } finally {
      this.#done(connection);
    }
  }

  /** Makes a request of one broker after the other until one answers; an answer that is an error is an answer. */
  async askAny<Answer>(request: (broker: ClusterBroker) => Promise<Answer>): Promise<Answer> {
    const { cluster } = await this.#knowing(({ brokers }) => Object.keys(brokers).length > 0);
    let last: unknown;
    for (const node of Object.keys(cluster.brokerPool.brokers)) {
      try {
        return await this.ask(Number(node), request);
      } catch (thrown) {
        if (isBrokersAnswer(thrown)) throw thrown;
        last = thrown;
      }
    }
    throw last ?? this.#expired(this.#settings.request_timeout, 'answer');
  }

  error(thrown: unknown, more: { readonly group?: string } = {}): HostspoolError {
    return toKafkaError(thrown, { brokers: this.#settings.brokers, topic: this.topic, ...more });
  }

  /** Ends every connection; what waits for an answer is rejected, and nothing connects any more. */
  close(): void {
    this.#closing.abort();
    this.#drop();
    for (const connection of this.#retired) connection.destroy();
  }

  /** A connection that knows what it should, or was asked to learn it: a new one begins knowing nothing. */
  async #knowing(isKnown: (pool: Link['cluster']['brokerPool']) => boolean): Promise<Link> {
    for (let link = await this.#connected(); ; ) {
      if (isKnown(link.cluster.brokerPool)) return link;
      await this.#learn();
      const now = await this.#connected();
      // It may have been replaced while it learnt.
      if (now === link) return link;
      link = now;
    }
  }

  /** The brokers are known whatever is said of the topic. */
  async #learn(): Promise<void> {
    await this.refresh().catch((thrown) => {
      if (!isBrokersAnswer(thrown)) throw thrown;
    });
  }

  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#link = undefined;
  }

  /** What was built before the credentials changed takes no more requests, and ends with the last that it has. */
  #retire(): void {
    const connection = this.#connection;
    // One that is being made is looked at again with the next request.
    if (connection === undefined || this.#isConnecting || connection.version === this.#access.version) return;
    this.#connection = undefined;
    this.#link = undefined;
    // It would teach the old one.
    this.#refreshing = undefined;
    if (this.#inUse.has(connection)) this.#retired.add(connection);
    else connection.destroy();
  }

  #begin(connection: KafkaConnection): void {
    this.#inUse.set(connection, (this.#inUse.get(connection) ?? 0) + 1);
  }

  #done(connection: KafkaConnection): void {
    const left = (this.#inUse.get(connection) ?? 1) - 1;
    if (left > 0) {
      this.#inUse.set(connection, left);
      return;
    }
    this.#inUse.delete(connection);
    if (this.#retired.delete(connection)) connection.destroy();
  }

  #connected(): Promise<Link> {
    this.#retire();
    if (this.#link !== undefined) return this.#link;
    this.#isConnecting = true;
    const link = this.#connect().finally(() => {
      this.#isConnecting = false;
    });
    this.#link = link;
    link.catch(() => {
      if (this.#link === link) this.#link = undefined;
    });
    return link;
  }

  /** Tries each configured broker once. */
  async #connect(): Promise<Link> {
    for (let left = this.#settings.brokers.length; ; left--) {
      if (this.#closing.signal.aborted) throw this.#expired(0, 'connection');
      const link = this.#open();
      try {
        await this.#within(this.#settings.connect_timeout, link.cluster.connect(), 'connection');
        return link;
      } catch (thrown) {
        link.connection.destroy();
        const { code } = this.error(thrown);
        if (left <= 1 || (code !== 'KAFKA_UNREACHABLE' && code !== 'KAFKA_TIMEOUT')) throw thrown;
      }
    }
  }

  async #refresh(): Promise<void> {
    const link = this.#connected();
    const { cluster, connection } = await link;
    this.#begin(connection);
    try {
      const known = cluster.targetTopics.has(this.topic);
      const asked = known ? cluster.refreshMetadata() : cluster.addTargetTopic(this.topic);
      await this.#within(this.#settings.request_timeout, asked, 'answer');
    } catch (thrown) {
      if (!isBrokersAnswer(thrown) && this.#link === link) this.#drop();
      throw thrown;
    } finally {
      this.#done(connection);
    }
    const { metadata } = cluster.brokerPool;
    if (metadata === null) throw new TypeError('no metadata after they were asked for');
    this.#metadata = metadata;
    const code = metadata.failedTopics.get(this.topic);
    if (code !== undefined) throw createErrorFromCode(code);
    const found = metadata.topicMetadata.find(({ topic }) => topic === this.topic)?.partitionMetadata ?? [];
    this.#leaders = new Map(
      [...found].sort((a, b) => a.partitionId - b.partitionId).map(({ partitionId, leader }) => [partitionId, leader]),
    );
  }

  #open(): Link {
    const link = openLink(this.#settings, this.#access, this.#log, this.#nextBroker++);
    this.#connection = link.connection;
    return link;
  }

  #within<Result>(limit: number, work: Promise<Result>, what: 'connection' | 'answer'): Promise<Result> {
    return within(this.#clock, limit, work, () => this.#expired(limit, what), this.#closing.signal);
  }

  #expired(limit: number, what: 'connection' | 'answer'): HostspoolError {
    if (this.#closing.signal.aborted)
      return new HostspoolError('KAFKA_ABORTED', 'the connection to Kafka was given up', { retryable: true });
    const from = this.#settings.brokers.join(', ');
    return new HostspoolError('KAFKA_TIMEOUT', `no ${what} from ${from} within ${formatDuration(limit)}`, {
      hint: 'look at the brokers’ load, and for a firewall that drops packets',
      retryable: true,
    });
  }
}
