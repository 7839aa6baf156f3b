/**
 * The topic: the way to it by the names the brokers advertise, whether it is there and this user may use it, and whether
 * its settings keep what the agents were told is safe; docs/operations.md says why each of them matters.
 */
import type { TopicView } from '../../kafka/broker-session.ts';
import { HostspoolError } from '../../lib/errors.ts';
import { joinAddress, reachTcp, splitAddress } from '../../lib/reach.ts';
import { type BrokerChecks, checkTls, unreachable } from './brokers.ts';
import { type Check, failed, type Outcome, ok, unknown } from './check.ts';
import type { CheckContext } from './context.ts';
import { judgePolicy, judgeReplicas, judgeRetention, judgeSize, judgeTime, TOPIC_SETTINGS } from './topic-settings.ts';

export class TopicChecks {
  readonly #context: CheckContext;
  readonly #brokers: BrokerChecks;
  #view: TopicView | undefined;
  #settings: ReadonlyMap<string, string> = new Map();

  constructor(context: CheckContext, brokers: BrokerChecks) {
    this.#context = context;
    this.#brokers = brokers;
  }

  get checks(): Check[] {
    const { brokerLimit, settings } = this.#context;
    const { topic } = settings.kafka;
    const common = { limit: 3 * brokerLimit, waitsFor: 'the brokers' };
    const judged = { ...common, needs: ['topic.config'] };
    const isAgent = settings.mode === 'agent';
    const size: Check = {
      ...judged,
      name: 'topic.size',
      run: async () => judgeSize(this.#settings, settings.ship.batch_bytes, settings.collect.details),
    };
    return [
      { ...common, name: 'cluster', needsOneOf: this.#brokers.logins, run: (signal) => this.#reachAll(signal) },
      { ...common, name: 'topic', needs: ['cluster'], run: () => this.#lookAt(topic) },
      { ...common, name: 'topic.rights', needs: ['topic'], run: async () => this.#rights(topic, isAgent) },
      { ...common, name: 'topic.config', needs: ['topic'], run: () => this.#readSettings(topic) },
      { ...judged, name: 'topic.policy', run: async () => judgePolicy(this.#settings) },
      {
        ...judged,
        name: 'topic.retention',
        run: async () => judgeRetention(this.#settings),
      },
      ...(isAgent ? [size] : []),
      { ...judged, name: 'topic.time', run: async () => judgeTime(this.#settings) },
      { ...judged, name: 'topic.replicas', run: async () => judgeReplicas(this.#found.partitions, this.#settings) },
    ];
  }

  get #found(): TopicView {
    if (this.#view === undefined) throw new TypeError('the topic was not looked at');
    return this.#view;
  }

  async #reachAll(signal: AbortSignal): Promise<Outcome> {
    const { settings, clock } = this.#context;
    const { brokers } = await this.#brokers.session.cluster();
    const known = new Set(settings.kafka.brokers);
    const others = brokers.filter((broker) => !known.has(joinAddress(broker)));
    await Promise.all(
      others.map(async ({ nodeId, ...at }) => {
        const address = joinAddress(at);
        const name = `broker ${nodeId}, which is advertised as ${address},`;
        try {
          await reachTcp(splitAddress(address), signal);
          if (settings.kafka.tls.enabled) await checkTls(settings.kafka, address, clock.now(), signal);
        } catch (error) {
          const hint = 'set advertised.listeners of the broker to a name and port that this host can reach';
          if (!(error instanceof HostspoolError)) throw unreachable(name, error, hint);
          const { code, message } = error;
          throw new HostspoolError(code, `${name} can't be used: ${message}`, {
            hint: error.hint ?? hint,
            cause: error,
          });
        }
      }),
    );
    const addresses = brokers.map(joinAddress);
    return ok(`${brokers.length === 1 ? '1 broker' : `${brokers.length} brokers`}: ${addresses.join(', ')}`, {
      brokers: addresses,
    });
  }

  async #lookAt(topic: string): Promise<Outcome> {
    this.#view = await this.#brokers.session.topic(topic);
    const { partitions } = this.#view;
    const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partition }) => partition);
    const detail = { topic, partitions: partitions.length };
    if (leaderless.length > 0) {
      const finding = `topic ${topic}: no leader for partition ${leaderless.join(', ')}`;
      return failed('KAFKA_NO_LEADER', finding, 'bring back the brokers that have its replicas', detail);
    }
    return ok(`${topic} has ${partitions.length === 1 ? '1 partition' : `${partitions.length} partitions`}`, detail);
  }

  #rights(topic: string, isAgent: boolean): Outcome {
    const { rights } = this.#found;
    const operation = isAgent ? 'write' : 'read';
    const verb = isAgent ? 'write to' : 'read';
    if (rights === undefined) return unknown(`the brokers do not tell whether this user may ${verb} ${topic}`);
    if (rights.may(operation)) return ok(`this user may ${verb} ${topic}`, { [operation]: true });
    const acl = isAgent ? 'Write' : 'Read';
    const finding = `this user may not ${verb} topic ${topic}`;
    return failed('KAFKA_AUTHORIZATION', finding, `grant it ${acl} (and Describe) on the topic`, {
      [operation]: false,
    });
  }

  async #readSettings(topic: string): Promise<Outcome> {
    try {
      this.#settings = await this.#brokers.session.topicSettings(topic, TOPIC_SETTINGS);
    } catch (error) {
      if (!(error instanceof HostspoolError) || error.code !== 'KAFKA_AUTHORIZATION') throw error;
      return unknown(`this user may not read the settings of ${topic} (DescribeConfigs): look at them by hand`);
    }
    return ok('the settings of the topic can be read', Object.fromEntries(this.#settings));
  }
}
