/** The writer against the real broker, into SQLite. */
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../src/config/load.ts';
import { registerCodecs } from '../../src/kafka/codecs.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { UuidSource } from '../../src/sample/identity.ts';
import { openWriter } from '../../src/writer/open-writer.ts';
import type { Writer } from '../../src/writer/writer.ts';
import { createTopic, withAdmin } from '../support/broker.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { Scratch, until } from '../support/executable.ts';

const { addresses, missing } = testBroker();
const clock = new SystemClock();
const uuids = new UuidSource(() => clock.now());

interface Message {
  readonly key: string;
  readonly value: string | Buffer | null;
}

function sampleOf(hostname: string, run_id: string, seq: number): Message {
  const value = JSON.stringify({
    hostname,
    timestamp: new Date(clock.now()).toISOString(),
    cpu_percent: 12.5,
    memory_percent: 50,
    memory_used_mb: 2048.25,
    memory_total_mb: 4096,
    disk_percent: 10,
    disk_used_gb: 10.01,
    disk_total_gb: 100,
    network_bytes_sent: seq,
    network_bytes_recv: 2 * seq,
    event_id: uuids.next(),
    run_id,
    seq,
  });
  return { key: hostname, value };
}

/** So many samples of so many hosts, host after host in turns. */
function samples(hosts: number, each: number, from = 1, runs = hostRuns(hosts)): Message[] {
  const all: Message[] = [];
  for (let seq = from; seq < from + each; seq++) {
    for (const [hostname, run] of runs) all.push(sampleOf(hostname, run, seq));
  }
  return all;
}

function hostRuns(hosts: number): [string, string][] {
  return Array.from({ length: hosts }, (_, host) => [`host-${host}`, uuids.next()]);
}

async function send(topic: string, messages: readonly Message[], codec = CompressionTypes.Snappy): Promise<void> {
  registerCodecs();
  const kafka = new Kafka({ clientId: 'test', brokers: [addresses.bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let from = 0; from < messages.length; from += 500) {
    await producer.send({ topic, messages: messages.slice(from, from + 500) as never, compression: codec });
  }
  await producer.disconnect();
}

class RunningWriter implements AsyncDisposable {
  readonly writer: Writer;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(scratch: Scratch, topic: string, flags: Readonly<Record<string, unknown>> = {}) {
    const { settings } = loadSettings({
      flags: {
        config: '/dev/null',
        mode: 'writer',
        'kafka.brokers': addresses.bootstrap,
        'kafka.topic': topic,
        'kafka.group': `${topic}-writers`,
        'kafka.session_timeout': '6s',
        'writer.sink': 'sqlite',
        'writer.batch_timeout': '100ms',
        'spool.path': scratch.file('spool.db'),
        'log.stats_interval': '0s',
        'backoff.base': '50ms',
        'backoff.cap': '500ms',
        ...flags,
      },
      env: {},
    });
    this.writer = openWriter(settings, clock, silentLog);
    this.#ended = this.writer.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function query<Row>(scratch: Scratch, sql: string): Row[] {
  const database = openSqlite(scratch.file('metrics.db'), { readonly: true });
  try {
    return database.prepare<[], Row>(sql).all();
  } finally {
    database.close();
  }
}

const rowsOf = (scratch: Scratch) =>
  Number(query<{ n: number }>(scratch, 'SELECT count(*) AS n FROM server_metrics')[0]?.n);
const sums = (scratch: Scratch) =>
  query<{ received: number; lost: number; missing: number }>(
    scratch,
    'SELECT sum(received) AS received, sum(lost) AS lost, sum(missing) AS missing FROM vw_sample_accounting',
  )[0];

describe.skipIf(missing !== undefined)(`the writer against a broker${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('loads a backlog of several partitions once, and Kafka hears how far', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('writer');
    await createTopic(addresses.bootstrap, topic, { partitions: 4 });
    await send(topic, samples(50, 200));
    await using writer = new RunningWriter(scratch, topic);
    await until(() => rowsOf(scratch) === 10_000, 'all rows are there');
    expect(sums(scratch)).toEqual({ received: 10_000, lost: 0, missing: 0 });
    await writer.stop();
    const committed = await withAdmin(addresses.bootstrap, (admin) =>
      admin.fetchOffsets({ groupId: `${topic}-writers`, topics: [topic] }),
    );
    const total = committed[0]?.partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
    expect(total).toBe(10_000);
  });
});
