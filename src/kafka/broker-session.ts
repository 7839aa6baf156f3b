/**
 * One broker and what it says, for whoever looks whether things are in order: logged in, asked, closed. Unlike
 * `Brokers` it never turns to another one, so what goes wrong is about the broker that was named.
 *
 * It asks and changes nothing: no topic is made by asking for it, no group is joined. (A cluster that was never asked
 * for a group makes its own topic of offsets when it is.)
 */
import type { ClusterBroker } from 'kafkajs/src/cluster/index.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import type { ProtocolRequest } from 'kafkajs/src/protocol/requests/index.js';
import type { Settings } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { formatDuration } from '../lib/units.ts';
import { KafkaAccess } from './access.ts';
import { type Link, openLink } from './cluster-link.ts';
import {
  type DescribedCluster,
  type DescribedPartition,
  describeGroupRequest,
  metadataRequest,
} from './describe-requests.ts';
import { toKafkaError } from './errors.ts';
import { Rights } from './rights.ts';
import { within } from './time-limit.ts';

export interface BrokerSessionOptions {
  readonly settings: Settings['kafka'];
  /** host:port */
  readonly address: string;
  readonly log: Log;
  readonly clock: Clock;
  /** For each step, ms. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface ClusterView {
  readonly brokers: DescribedCluster['brokers'];
  readonly rights: Rights | undefined;
}

export interface TopicView {
  readonly partitions: readonly DescribedPartition[];
  readonly rights: Rights | undefined;
}

export interface GroupView {
  /** Kafka's word for it: Stable, Empty, Dead … */
  readonly state: string;
  readonly members: number;
  readonly rights: Rights | undefined;
}

/** How long to wait before a group that is being settled is asked for again, ms. */
const SETTLING_MS = 200;
const TOPIC = 2;
const BROKER = 4;

export class BrokerSession {
  readonly address: string;
  readonly #options: BrokerSessionOptions;
  readonly #link: Link;

  private constructor(options: BrokerSessionOptions, link: Link) {
    this.address = options.address;
    this.#options = options;
    this.#link = link;
  }

  /** Connects and logs in; rejects with a HostspoolError KAFKA_…. */
  static async open(options: BrokerSessionOptions): Promise<BrokerSession> {
    const { settings, log } = options;
    const access = new KafkaAccess(settings, log);
    const link = openLink({ ...settings, brokers: [options.address] }, access, log, 0);
    const session = new BrokerSession(options, link);
    try {
      await session.#bounded(link.cluster.connect(), {});
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  close(): void {
    this.#link.connection.destroy();
  }

  async cluster(): Promise<ClusterView> {
    const { brokers, operations } = await this.#ask((broker) => send(broker, metadataRequest([])), {});
    return { brokers, rights: Rights.of(operations) };
  }

  /** Rejects with KAFKA_UNKNOWN_TOPIC, KAFKA_AUTHORIZATION and the like. */
  async topic(topic: string): Promise<TopicView> {
    const { topics } = await this.#ask((broker) => send(broker, metadataRequest([topic])), { topic });
    const found = topics.find(({ name }) => name === topic);
    if (found === undefined) throw new RangeError('an answer without the topic that was asked for');
    if (found.errorCode !== 0) throw this.#error(createErrorFromCode(found.errorCode), { topic });
    return { partitions: found.partitions, rights: Rights.of(found.operations) };
  }

  /** The topic's settings in force, by name; what the broker does not tell is left out. */
  topicSettings(topic: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#settings(TOPIC, topic, names, { topic });
  }

  brokerSettings(node: number, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#settings(BROKER, String(node), names, {});
  }

  /** Asks whoever coordinates the group; waits while that is being settled, within the limit. */
  async group(group: string): Promise<GroupView> {
    const { clock, limit } = this.#options;
    const until = clock.monotonic() + limit;
    for (;;) {
      try {
        return await this.#groupNow(group);
      } catch (error) {
        const passes = error instanceof HostspoolError && error.code === 'KAFKA_GROUP_UNSETTLED';
        if (!passes || clock.monotonic() >= until) throw error;
        await clock.sleep(SETTLING_MS);
      }
    }
  }

  async #groupNow(group: string): Promise<GroupView> {
    const { coordinator } = await this.#ask((broker) => broker.findGroupCoordinator({ groupId: group }), { group });
    const { host, port } = coordinator;
    const other = await BrokerSession.open({ ...this.#options, address: `${host}:${port}` });
    try {
      const described = await other.#ask((broker) => send(broker, describeGroupRequest(group)), { group });
      const { errorCode, operations, ...found } = described;
      if (errorCode !== 0) throw this.#error(createErrorFromCode(errorCode), { group });
      return { ...found, rights: Rights.of(operations) };
    } finally {
      other.close();
    }
  }

  async #settings(
    type: number,
    name: string,
    configNames: readonly string[],
    about: About,
  ): Promise<ReadonlyMap<string, string>> {
    const { resources } = await this.#ask(
      (broker) => broker.describeConfigs({ resources: [{ type, name, configNames }] }),
      about,
    );
    const entries = resources.flatMap(({ configEntries }) => configEntries);
    return new Map(
      entries.flatMap(({ configName, configValue }) => (configValue === null ? [] : [[configName, configValue]])),
    );
  }

  #ask<Answer>(request: (broker: ClusterBroker) => Promise<Answer>, about: About): Promise<Answer> {
    const broker = this.#link.cluster.brokerPool.seedBroker;
    if (broker === undefined) throw new TypeError('a session that was not opened');
    return this.#bounded(request(broker), about);
  }

  async #bounded<Answer>(work: Promise<Answer>, about: About): Promise<Answer> {
    const { clock, limit, signal } = this.#options;
    try {
      return await within(clock, limit, work, () => this.#silent(), signal);
    } catch (thrown) {
      throw this.#error(thrown, about);
    }
  }

  #silent(): HostspoolError {
    const { limit } = this.#options;
    return new HostspoolError(
      'KAFKA_TIMEOUT',
      `broker ${this.address} gave no answer within ${formatDuration(limit)}`,
      {
        hint: 'look whether a Kafka broker is what listens there, at its load, and for a firewall that drops packets',
        retryable: true,
      },
    );
  }

  #error(thrown: unknown, about: About): HostspoolError {
    return toKafkaError(thrown, { brokers: [this.address], ...about });
  }
}

interface About {
  readonly topic?: string;
  readonly group?: string;
}

async function send<Answer>(broker: ClusterBroker, request: ProtocolRequest<Answer>): Promise<Answer> {
  const { apiKey, apiVersion } = request.request;
  if ((broker.versions?.[apiKey]?.maxVersion ?? 0) < apiVersion) {
    throw new HostspoolError('KAFKA_VERSION', 'the broker is older than Kafka 2.3, and does not tell this', {
      hint: 'nothing has to be done for that: hostspool works with it; look at this point by hand',
    });
  }
  return broker.connectionPool.send(request);
}
