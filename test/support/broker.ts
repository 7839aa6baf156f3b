/**
 * A real Apache Kafka broker on 127.0.0.1, in KRaft mode, one process; alone, or one of several (broker-cluster.ts).
 *
 *   PLAINTEXT   for everybody
 *   PROXIED     plaintext; it advertises the port of a TCP proxy (proxy.ts), where nothing listens until a test puts
 *               one there: so a test cuts, stalls or refuses connections and the broker goes on running
 *   SASL_SSL    TLS and a login: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
 *   MUTUAL      TLS with a client certificate
 *   LINK1 …     as PROXIED, one for each client that a test wants to cut off by itself (`links`)
 *
 * Its data lie in a directory of their own; `restart` keeps them and the ports. It dies with the process that started
 * it, and its directory goes, however that one ends (broker/run.sh, guard.ts); a Ctrl-C at the terminal does not reach it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { quietIdleConnections } from '../../src/kafka/idle-timer.ts';
import { type Certificate, CertificateAuthority } from './broker-certificates.ts';
import { kafkaJars } from './broker-jars.ts';
import {
  type BrokerLink,
  LISTENERS,
  type Ports,
  propertiesFile,
  SASL_PASSWORD,
  SASL_USER,
  serverProperties,
} from './broker-properties.ts';
import { Guard } from './guard.ts';
import { freePort } from './proxy.ts';

export { SASL_USER };

export interface BrokerOptions {
  /** Further lines of server.properties, for instance `'auto.create.topics.enable': 'false'`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** How many listeners like PROXIED to add. */
  readonly links?: number;
  /** Its place among several. */
  readonly node?: ClusterNode;
}

export interface ClusterNode {
  readonly id: number;
  readonly controllerPort: number;
  /** All nodes as controller.quorum.voters has them. */
  readonly voters: string;
}

/** How clients reach the broker: plain data, so that it can be handed from one process to another. */
export interface BrokerAddresses {
  readonly bootstrap: string;
  /** Where PROXIED says it is: put a TcpProxy on this port … */
  readonly proxied: string;
  /** … that forwards here. */
  readonly proxyTarget: string;
  readonly sasl: { readonly bootstrap: string; readonly username: string; readonly password: string };
  readonly mutual: { readonly bootstrap: string; readonly client: Certificate };
  readonly links: readonly BrokerLink[];
  /** PEM of the authority that issued the broker's certificates. */
  readonly ca: string;
}

const JVM = ['-Xmx384m', '-Xshare:auto', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const START_LIMIT_MS = 240_000;
const STOP_LIMIT_MS = 20_000;

export class Broker implements AsyncDisposable {
  readonly addresses: BrokerAddresses;
  readonly #directory: string;
  readonly #jars: string;
  readonly #guard: Guard;
  #process: ChildProcess | undefined;
  #pid: number | undefined;
  #output: string[] = [];

  private constructor(directory: string, jars: string, addresses: BrokerAddresses) {
    this.#directory = directory;
    this.#jars = jars;
    this.#guard = Guard.removing(directory);
    this.addresses = addresses;
  }

  /** Starts a broker with empty logs; resolves when it answers. */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const jars = await kafkaJars();
    for (let attempt = 1; ; attempt++) {
      const broker = await Broker.#prepare(jars, options);
      try {
        await broker.restart();
        return broker;
      } catch (error) {
        await broker.stop();
        // Somebody took a port between our choosing it and the broker's binding it.
        if (attempt === 3 || !String(error).includes('Address already in use')) throw error;
      }
    }
  }

  static async #prepare(jars: string, options: BrokerOptions): Promise<Broker> {
    const directory = mkdtempSync(join(tmpdir(), 'hostspool-broker-'));
    const free = Object.fromEntries(
      await Promise.all([...LISTENERS, 'proxy'].map(async (name) => [name, await freePort()] as const)),
    ) as Ports;
    const { id, controllerPort, voters } = options.node ?? {
      id: 1,
      controllerPort: free.controller,
      voters: `1@127.0.0.1:${free.controller}`,
    };
    const ports = { ...free, controller: controllerPort };
    const links: BrokerLink[] = [];
    for (let link = 0; link < (options.links ?? 0); link++) {
      links.push({ proxied: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${await freePort()}` });
    }
    const authority = new CertificateAuthority();
    const server = authority.issue({ commonName: 'broker', names: ['127.0.0.1', 'localhost'] });
    const properties = {
      ...serverProperties(directory, ports, links, authority.cert, server),
      'node.id': String(id),
      'controller.quorum.voters': voters,
      ...options.properties,
    };
    writeFileSync(join(directory, 'server.properties'), propertiesFile(properties));
    const broker = new Broker(directory, jars, {
      bootstrap: `127.0.0.1:${ports.plaintext}`,
      proxied: `127.0.0.1:${ports.proxy}`,
      proxyTarget: `127.0.0.1:${ports.proxied}`,
      sasl: { bootstrap: `127.0.0.1:${ports.sasl}`, username: SASL_USER, password: SASL_PASSWORD },
      mutual: { bootstrap: `127.0.0.1:${ports.mutual}`, client: authority.issue({ commonName: 'client' }) },
      links,
      ca: authority.cert,
    });
    try {
      await broker.#format();
    } catch (error) {
      await broker.stop();
      throw error;
    }
    return broker;
  }

  get bootstrap(): string {
    return this.addresses.bootstrap;
  }

  /** The broker's process; undefined while it is not running. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** What the broker printed since its last start. */
  get output(): string {
    return this.#output.join('\n');
  }

  /** Stops it in order if it runs, and starts it on the same data and ports; resolves when it answers. */
  async restart(): Promise<void> {
    await this.#end('SIGTERM');
    this.#output = [];
    const child = spawn(join(import.meta.dirname, 'broker/run.sh'), this.#java('kafka.Kafka', 'server.properties'), {
      cwd: this.#directory,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#process = child;
    child.once('exit', () => {
      child.stdin?.destroy();
      if (this.#process === child) this.#pid = undefined;
    });
    await this.#started(child);
  }

  /** Where the logs of its partitions lie, each in a directory of its own. */
  get dataDirectory(): string {
    return join(this.#directory, 'data');
  }

  /** Ends it in order; `restart` brings it back. */
  async shutDown(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends it in order and removes its data. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
    this.#guard[Symbol.dispose]();
  }

  /** Ends it as a power cut would; `restart` brings it back. */
  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async createTopic(topic: string, options: TopicOptions = {}): Promise<void> {
    await createTopic(this.bootstrap, topic, options);
  }

  #java(main: string, ...args: readonly string[]): string[] {
    const log = join(import.meta.dirname, 'broker/log4j2.properties');
    return ['java', ...JVM, `-Dlog4j2.configurationFile=${log}`, '-cp', `${this.#jars}/*`, main, ...args];
  }

  async #format(): Promise<void> {
    const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name="${SASL_USER}",password="${SASL_PASSWORD}"]`,
    ]);
    const [program = '', ...args] = this.#java(
      'kafka.tools.StorageTool',
      ...['format', '--cluster-id', 'hostspoolTestCluster00', '--config', 'server.properties', ...users],
    );
    const child = spawn(program, args, {
      cwd: this.#directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += String(data);
      });
    }
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`the broker's storage could not be made (${code}):\n${output}`);
  }

  #started(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (what: string) => {
        clearTimeout(limit);
        reject(new Error(`the broker ${what}:\n${this.#output.slice(-30).join('\n')}`));
      };
      const limit = setTimeout(() => fail(`did not start within ${START_LIMIT_MS} ms`), START_LIMIT_MS);
      child.once('error', (error) => fail(`could not be run: ${error.message}`));
      child.once('exit', (code) => fail(`ended (${code}) before it had started`));
      createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => this.#output.push(line));
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (/^\d+$/.test(line) && this.#pid === undefined) this.#pid = Number(line);
        else this.#output.push(line);
        if (!line.includes('Kafka Server started')) return;
        clearTimeout(limit);
        resolve();
      });
    });
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    const pid = this.#pid;
    this.#process = undefined;
    this.#pid = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    const limit = setTimeout(() => child.stdin?.destroy(), STOP_LIMIT_MS);
    if (pid === undefined) child.stdin?.destroy();
    else process.kill(pid, signal);
    await ended;
    clearTimeout(limit);
  }
}

export interface TopicOptions {
  readonly partitions?: number;
  readonly replicas?: number;
  /** For instance `'max.message.bytes': '1000'`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Makes a topic; resolves when each of its partitions answers. */
export async function createTopic(bootstrap: string, topic: string, options: TopicOptions = {}): Promise<void> {
  const { partitions = 1, replicas = 1, config = {} } = options;
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await withAdmin(bootstrap, async (admin) => {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: partitions, replicationFactor: replicas, configEntries }],
    });
    // kafkajs' own wait gives up at the first answer of a broker that has not heard of the topic yet.
    while (!(await isOpen(admin, topic, partitions))) await new Promise((resolve) => setTimeout(resolve, 50));
  });
}

/**
 * Whether each partition's log answers. A broker tells who leads a partition a little before it leads: a request to
 * several partitions would then be taken in part.
 */
async function isOpen(admin: Admin, topic: string, partitions: number): Promise<boolean> {
  try {
    return (await admin.fetchTopicOffsets(topic)).length === partitions;
  } catch {
    return false;
  }
}

/** Runs `use` with a connected admin client. */
export async function withAdmin<Result>(bootstrap: string, use: (admin: Admin) => Promise<Result>): Promise<Result> {
  quietIdleConnections();
  const kafka = new Kafka({ clientId: 'test-admin', brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
