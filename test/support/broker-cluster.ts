/** Three brokers that hold one cluster; every internal topic is on all of them, and two are enough for each. */
import { Broker, type TopicOptions, withAdmin } from './broker.ts';
import { kafkaJars } from './broker-jars.ts';
import { freePort } from './proxy.ts';

const PROPERTIES = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  // Soon out of the replicas in sync, and soon in again.
  'replica.lag.time.max.ms': '3000',
};

interface Partition {
  /** Node ids. */
  readonly leader: number;
  readonly isr: readonly number[];
}

export class BrokerCluster implements AsyncDisposable {
  readonly #brokers: ReadonlyMap<number, Broker>;

  private constructor(brokers: ReadonlyMap<number, Broker>) {
    this.#brokers = brokers;
  }

  /** Resolves when all of them answer. */
  static async start(): Promise<BrokerCluster> {
    await kafkaJars();
    const ports = await Promise.all([1, 2, 3].map(async (id) => ({ id, controllerPort: await freePort() })));
    const voters = ports.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(',');
    const starting = ports.map(({ id, controllerPort }) =>
      Broker.start({ properties: PROPERTIES, node: { id, controllerPort, voters } }),
    );
    const started = await Promise.allSettled(starting);
    const failed = started.find(({ status }) => status === 'rejected');
    const brokers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (failed?.status === 'rejected') {
      await Promise.all(brokers.map((broker) => broker.stop()));
      throw failed.reason;
    }
    return new BrokerCluster(new Map(brokers.map((broker, index) => [index + 1, broker])));
  }

  /** All of them, for `kafka.brokers`. */
  get bootstrap(): string {
    return [...this.#brokers.values()].map((broker) => broker.bootstrap).join(',');
  }

  get ids(): readonly number[] {
    return [...this.#brokers.keys()];
  }

  async createTopic(topic: string, options: TopicOptions): Promise<void> {
    await this.#oneThatRuns.createTopic(topic, { replicas: 3, ...options });
  }

  /** How the only partition of a topic is held, as one of those that run knows it. */
  async partitionOf(topic: string): Promise<Partition> {
    const { topics } = await withAdmin(this.#oneThatRuns.bootstrap, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    );
    const partition = topics[0]?.partitions[0];
    if (partition === undefined) throw new Error(`nothing is known of ${topic}`);
    return partition;
  }

  /** As a power cut would end it. */
  async kill9(id: number): Promise<void> {
    await this.#brokers.get(id)?.kill9();
  }

  /** Brings back those that do not run, at once: of three that are down one alone has nobody to begin with. */
  async restart(): Promise<void> {
    const ended = [...this.#brokers.values()].filter(({ pid }) => pid === undefined);
    await Promise.all(ended.map((broker) => broker.restart()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // In order they would wait for a quorum that the first to end takes away.
    await Promise.all([...this.#brokers.values()].map((broker) => broker.kill9()));
    await Promise.all([...this.#brokers.values()].map((broker) => broker.stop()));
  }

  get #oneThatRuns(): Broker {
    const broker = [...this.#brokers.values()].find(({ pid }) => pid !== undefined);
    if (broker === undefined) throw new Error('no broker runs');
    return broker;
  }
}
