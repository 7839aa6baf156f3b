/**
 * Everything a storm is about: the broker and its links, the database, the agents and the writers, in one directory.
 *
 *   agents ──▶ a proxy each ──▶ broker ──▶ a proxy each ──▶ writers ──▶ (proxies) ──▶ database
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Broker } from '../support/broker.ts';
import { TcpProxy } from '../support/proxy.ts';
import type { StormDatabase } from './database.ts';
import { FalseClock } from './false-clock.ts';
import { LedgerBook } from './ledger.ts';
import { StormProcess } from './process.ts';
import { SmallDisk } from './small-disk.ts';
import { tailOf } from './tail-file.ts';
import { Traffic } from './traffic.ts';

export interface WorldOptions {
  readonly directory: string;
  readonly agents: number;
  readonly writers: number;
  readonly seed: number;
  /** What agents and writers run. */
  readonly executable: string;
  /** The same sources under another version, for upgrades in the middle. */
  readonly otherVersion?: string;
  readonly openDatabase: (directory: string, writers: number) => Promise<StormDatabase>;
}

export const TOPIC = 'storm-metrics';
export const GROUP = 'storm-writers';
const PARTITIONS = 4;
const FIRST_SAMPLE_LIMIT_MS = 120_000;
/** Every codec that Kafka has: agents differ in it, and in how durable an append is. */
const CODECS = ['snappy', 'lz4', 'zstd', 'gzip', 'none'] as const;
/** From each sample by itself to twenty together. */
const LINGERS = ['0', '2s', '300ms'] as const;
const COMMON = ['--config=/dev/null', `--kafka.topic=${TOPIC}`, '--http.address=', '--log.level=debug'];
/** So that a minute has many attempts. */
const PATIENCE = [
  '--backoff.base=100ms',
  '--backoff.cap=2s',
  '--kafka.connect_timeout=2s',
  '--kafka.request_timeout=4s',
  '--shutdown.timeout=5s',
];

/** By turns the broker's time and the time of sending, which a stepped clock makes a wrong one. */
function topicConfig(seed: number): Record<string, string> {
  return { 'message.timestamp.type': seed % 2 === 0 ? 'LogAppendTime' : 'CreateTime', 'retention.ms': '-1' };
}

export class StormWorld implements AsyncDisposable {
  readonly directory: string;
  readonly broker: Broker;
  readonly database: StormDatabase;
  readonly ledger: LedgerBook;
  readonly traffic: Traffic;
  readonly agents: readonly StormProcess[];
  readonly writers: readonly StormProcess[];
  readonly agentLinks: readonly TcpProxy[];
  readonly writerLinks: readonly TcpProxy[];
  readonly executable: string;
  readonly otherVersion: string | undefined;
  /** Under each agent's spool; undefined where none can be mounted. */
  readonly disks: readonly (SmallDisk | undefined)[];
  /** Of every other agent and writer; the rest lives by the true time. */
  readonly agentClocks: readonly (FalseClock | undefined)[];
  readonly writerClocks: readonly (FalseClock | undefined)[];

  private constructor(options: WorldOptions, broker: Broker, database: StormDatabase, links: readonly TcpProxy[]) {
    const { directory } = options;
    this.directory = directory;
    this.executable = options.executable;
    this.otherVersion = options.otherVersion;
    this.broker = broker;
    this.database = database;
    this.ledger = new LedgerBook();
    this.traffic = new Traffic(broker.bootstrap, TOPIC, this.ledger, topicConfig(options.seed));
    this.agentLinks = links.slice(0, options.agents);
    this.writerLinks = links.slice(options.agents);
    const clock = (name: string, index: number) =>
      index % 2 === 1 ? FalseClock.at(join(directory, `${name}-${index + 1}.clock`)) : undefined;
    this.disks = this.agentLinks.map((_, index) => SmallDisk.mount(dirname(this.spool(index))));
    this.agentClocks = this.agentLinks.map((_, index) => clock('agent', index));
    this.writerClocks = this.writerLinks.map((_, index) => clock('writer', index));
    this.agents = this.agentLinks.map((link, index) => this.#agent(link, index));
    this.writers = this.writerLinks.map((link, index) => this.#writer(link, index));
  }

  static async open(options: WorldOptions): Promise<StormWorld> {
    mkdirSync(options.directory, { recursive: true });
    const links = options.agents + options.writers;
    await using opened = new AsyncDisposableStack();
    const properties = { 'num.network.threads': '1', 'group.min.session.timeout.ms': '1000' };
    const broker = opened.use(await Broker.start({ links, properties }));
    await broker.createTopic(TOPIC, { partitions: PARTITIONS, config: topicConfig(options.seed) });
    const proxies: TcpProxy[] = [];
    for (const { proxied, target } of broker.addresses.links) {
      proxies.push(opened.use(await TcpProxy.listen({ target, port: Number(proxied.split(':')[1]) })));
    }
    const database = opened.use(await options.openDatabase(options.directory, options.writers));
    opened.move();
    return new StormWorld(options, broker, database, proxies);
  }

  /** The spool of the agent, from 0. */
  spool(agent: number): string {
    return join(this.directory, `agent-${agent + 1}`, 'spool.db');
  }

  /** Of the agent, from 0. */
  hostname(agent: number): string {
    return `storm-agent-${agent + 1}`;
  }

  #agent(link: TcpProxy, index: number): StormProcess {
    const name = `agent-${index + 1}`;
    const hostname = this.hostname(index);
    return new StormProcess({
      name,
      executable: this.executable,
      env: this.agentClocks[index]?.env ?? {},
      log: join(this.directory, `${name}.log`),
      args: [
        ...COMMON,
        ...PATIENCE,
        `--kafka.brokers=${link.address}`,
        `--kafka.compression=${CODECS[index % CODECS.length]}`,
        '--collect.interval=100ms',
        `--ship.linger=${LINGERS[index % LINGERS.length]}`,
        `--collect.hostname=${hostname}`,
        `--spool.path=${this.spool(index)}`,
        `--spool.synchronous=${index % 2 === 0 ? 'full' : 'normal'}`,
        '--spool.min_free=0',
      ],
      onLine: (line) => this.ledger.line(hostname, line),
      onEnd: (ending) => {
        // What ends by itself is a finding already; it ends neither in order nor at a moment that we chose.
        const how = ending === 'stopped' ? 'stopped' : 'killed';
        this.ledger.ended(hostname, how, (runId) => tailOf(join(this.directory, name, 'spool.seq'), runId));
      },
    });
  }

  #writer(link: TcpProxy, index: number): StormProcess {
    const name = `writer-${index + 1}`;
    const { args, env = {} } = this.database.settings(index);
    return new StormProcess({
      name,
      executable: this.executable,
      log: join(this.directory, `${name}.log`),
      args: [
        ...COMMON,
        ...PATIENCE,
        '--mode=writer',
        `--kafka.brokers=${link.address}`,
        `--kafka.group=${GROUP}`,
        '--kafka.session_timeout=3s',
        '--writer.batch_timeout=300ms',
        '--writer.batch_size=50',
        '--writer.batch_max=500',
        ...args,
      ],
      env: { ...env, ...this.writerClocks[index]?.env },
    });
  }

  /**
   * Everything runs, and each agent has stored something: a disk that is full before a spool and its tail file were ever
   * made leaves no place for a record of anything.
   */
  async start(): Promise<void> {
    const limit = AbortSignal.timeout(FIRST_SAMPLE_LIMIT_MS);
    for (const process of this.writers) process.start();
    await Promise.all(
      this.agents.map(async (agent) => {
        agent.start();
        for (const _ of [1, 2]) await agent.next(({ event }) => event === 'sample_taken', limit);
      }),
    );
  }

  /** All that could still be broken works; nothing is started. */
  async heal(): Promise<void> {
    for (const link of [...this.agentLinks, ...this.writerLinks]) {
      await link.accept();
      link.onBytes(undefined);
      link.delay(0);
      link.dribble(0);
      link.resume();
    }
    for (const process of [...this.agents, ...this.writers]) process.thaw();
    for (const disk of this.disks) disk?.free();
    for (const clock of [...this.agentClocks, ...this.writerClocks]) clock?.step(0);
    await this.database.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.agents, ...this.writers].map((process) => process.close()));
    for (const disk of this.disks) disk?.[Symbol.dispose]();
    await this.traffic[Symbol.asyncDispose]();
    for (const link of [...this.agentLinks, ...this.writerLinks]) await link[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
    await this.broker[Symbol.asyncDispose]();
  }
}
