/**
 * Sends messages to Kafka; resolves when every partition has acknowledged all of them (acks = all), rejects otherwise.
 * It never retries and never takes longer than `kafka.request_timeout`; waiting and trying again is its caller's.
 *
 *           first send            answered, or refused by the broker
 *   (none) ───────────▶ connected ◀────────────┐
 *      ▲                    │ ─────────────────┘
 *      └── connection lost, time limit, aborted, two failures in a row, access renewed: every socket is destroyed
 *
 * A new connection is a new kafkajs instance that starts at the next configured broker: kafkajs does not always find
 * back by itself, and each attempt may then use another way in. All configured brokers are tried in one attempt.
 *
 * **Order.** One send at a time. The messages of a key go to one partition (murmur2, as the Java client), in their
 * order, in one record batch, which the broker appends whole or not at all. A send that failed may have been appended
 * all the same, even later than we look: bytes of a destroyed connection that had reached the broker's socket are
 * still worked on. So a caller that repeats from the oldest unacknowledged message on gets duplicates, but within a
 * partition the *first* occurrences stay in order and none is missing: whatever an old request still brings has, when
 * something newer was sent, been appended already by its own repetition. (Only a message that the caller gave up
 * meanwhile may turn up late.)
 *
 * **Not idempotent**, on purpose. Kafka's sequence numbers protect a repetition of the same batch by the same
 * producer instance; ours may have another composition (evicted samples, other notes, another size), which the broker
 * answers with OUT_OF_ORDER_SEQUENCE_NUMBER or, the size being equal, takes for the old batch and drops. A restarted
 * agent has a new producer id anyway. Duplicates are found by event_id where it counts.
 */
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Settings } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { formatDuration } from '../lib/units.ts';
import { KafkaAccess } from './access.ts';
import { openCluster } from './cluster.ts';
import { COMPRESSION } from './codecs.ts';
import { KafkaConnection } from './connection.ts';
import { isBrokersAnswer, toKafkaError } from './errors.ts';
import { askMetadataTolerantly } from './metadata-request.ts';
import { produce } from './produce.ts';
import type { OutgoingMessage } from './record-encoding.ts';
import { within } from './time-limit.ts';

export type { OutgoingMessage };

interface Link {
  readonly connection: KafkaConnection;
  readonly cluster: Cluster;
  connected: boolean;
}

/** A broker that makes a missing topic says at first that there is none: how long to wait before asking again, ms. */
const TOPIC_CREATION_MS = 250;
/** The brokers get this share of the time limit to replicate, so that they say so themselves when it is not enough. */
const REPLICATION_SHARE = 0.8;
/** How long it is believed which broker leads a partition, while none says otherwise, ms. */
const METADATA_MAX_AGE_MS = 300_000;
const FAILURES_BEFORE_NEW_LINK = 2;
/** How long `close` waits for an orderly end of its connections, ms. */
const CLOSE_LIMIT_MS = 1000;

export class KafkaProducer {
  readonly #settings: Settings['kafka'];
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #access: KafkaAccess;
  readonly #closing = new AbortController();
  #link: Link | undefined;
  /** The send that runs, and those that wait behind it. */
  #last: Promise<void> = Promise.resolve();
  #failures = 0;
  #nextBroker = 0;

  private constructor(settings: Settings['kafka'], log: Log, clock: Clock, access: KafkaAccess) {
    this.#settings = settings;
    this.#log = log;
    this.#clock = clock;
    this.#access = access;
    this.#nextBroker = Math.floor(Math.random() * settings.brokers.length);
    this.#link = this.#build();
  }

  /** Connects at the first `send`. Throws what is wrong with the settings or the files they name. */
  static create(
    settings: Settings['kafka'],
    log: Log,
    clock: Clock,
    access = new KafkaAccess(settings, log),
  ): KafkaProducer {
    return new KafkaProducer(settings, log, clock, access);
  }

  /**
   * Resolves when all messages are acknowledged by all in-sync replicas. Rejects with a HostspoolError KAFKA_…, at the
   * latest after kafka.request_timeout, counted from when its turn comes; then any part may have been appended. When
   * `signal` aborts it rejects at once with KAFKA_ABORTED.
   */
  send(topic: string, messages: readonly OutgoingMessage[], signal?: AbortSignal): Promise<void> {
    const turn = this.#last.then(() => this.#send(topic, messages, signal));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends a running send with KAFKA_ABORTED and closes the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#last;
    const link = this.#link;
    this.#link = undefined;
    if (link === undefined) return;
    await new Promise<void>((resolve) => {
      const takeBack = this.#clock.after(CLOSE_LIMIT_MS, resolve);
      void link.cluster
        .disconnect()
        .catch(() => undefined)
        .then(takeBack)
        .then(resolve);
    });
    link.connection.destroy();
  }

  async #send(topic: string, messages: readonly OutgoingMessage[], signal: AbortSignal | undefined): Promise<void> {
    if (messages.length === 0) return;
    if (this.#isToEnd(signal)) throw aborted(topic);
    const { request_timeout, brokers } = this.#settings;
    // Between two sends nothing is under way on it.
    if (this.#link !== undefined && this.#link.connection.version !== this.#access.version) this.#drop(this.#link);
    this.#link ??= this.#build();
    const link = this.#link;
    try {
      const attempt = this.#attempt(link, topic, messages);
      const givenUp = () => (this.#isToEnd(signal) ? aborted(topic) : this.#tooLate(link, topic));
      await within(this.#clock, request_timeout, attempt, givenUp, this.#closing.signal, signal);
      this.#failures = 0;
    } catch (thrown) {
      const error = toKafkaError(thrown, { brokers, topic });
      // A refusal for a reason of ours (too large, no right) says that the way to Kafka is good.
      if (error.retryable) this.#failures++;
      if (!isBrokersAnswer(thrown) || this.#failures >= FAILURES_BEFORE_NEW_LINK) this.#drop(link);
      this.#log.debug({ event: 'kafka_send_failed', code: error.code, topic, limit_ms: request_timeout });
      throw error;
    }
  }

  #isToEnd(signal: AbortSignal | undefined): boolean {
    return this.#closing.signal.aborted || signal?.aborted === true;
  }

  #tooLate(link: Link, topic: string): HostspoolError {
    const { brokers, request_timeout } = this.#settings;
    const what = link.connected ? `no acknowledgement for topic ${topic}` : 'no usable connection';
    const message = `${what} from ${brokers.join(', ')} within ${formatDuration(request_timeout)}`;
    return new HostspoolError('KAFKA_TIMEOUT', message, {
      hint: link.connected
        ? 'if the brokers are slow rather than away, raise kafka.request_timeout'
        : 'check the network path to the brokers, and whether the listener wants TLS (kafka.tls.enabled)',
      retryable: true,
    });
  }

  async #attempt(link: Link, topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    if (!link.connected) await this.#connect(link);
    try {
      await this.#produce(link, topic, messages);
    } catch (thrown) {
      const { code } = toKafkaError(thrown, { brokers: this.#settings.brokers, topic });
      if (code !== 'KAFKA_UNKNOWN_TOPIC' && code !== 'KAFKA_NO_LEADER') throw thrown;
      await this.#clock.sleep(TOPIC_CREATION_MS);
      if (link !== this.#link) throw thrown;
      await this.#produce(link, topic, messages);
    }
  }

  /** Tries each configured broker once: kafkajs takes the next of its list after each that failed. */
  async #connect(link: Link): Promise<void> {
    for (let left = this.#settings.brokers.length; !link.connected; ) {
      try {
        await link.cluster.connect();
        link.connected = true;
      } catch (thrown) {
        const { code } = toKafkaError(thrown, { brokers: this.#settings.brokers });
        if (--left === 0 || code !== 'KAFKA_UNREACHABLE' || link !== this.#link) throw thrown;
      }
    }
  }

  async #produce(link: Link, topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    const { compression, request_timeout } = this.#settings;
    await produce(link.cluster, {
      topic,
      timeout: Math.floor(request_timeout * REPLICATION_SHARE),
      compression: COMPRESSION[compression],
      messages,
      timestamp: this.#clock.now(),
    });
  }

  #build(): Link {
    const connection = KafkaConnection.open({
      settings: this.#settings,
      access: this.#access,
      log: this.#log,
      firstBroker: this.#nextBroker++,
    });
    const options = { metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: true };
    const cluster = openCluster(connection, options);
    askMetadataTolerantly(cluster, 'writing');
    return { connection, cluster, connected: false };
  }

  #drop(link: Link): void {
    this.#failures = 0;
    if (this.#link === link) this.#link = undefined;
    link.connection.destroy();
  }
}

function aborted(topic: string): HostspoolError {
  return new HostspoolError('KAFKA_ABORTED', `sending to topic ${topic} was broken off`, { retryable: true });
}
