/** A writer in this process over the real broker, what hosts send it, and the database it loads. */
import { type CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { loadSettings } from '../../src/config/load.ts';
import { registerCodecs } from '../../src/kafka/codecs.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import type { Log, LogFields } from '../../src/lib/log.ts';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { UuidSource } from '../../src/sample/identity.ts';
import { openWriter } from '../../src/writer/open-writer.ts';
import type { Writer } from '../../src/writer/writer.ts';
import type { Scratch } from './executable.ts';

const clock = new SystemClock();
const uuids = new UuidSource(() => clock.now());

export interface SentMessage {
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  readonly partition?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FakeRun {
  readonly hostname: string;
  readonly run_id: string;
}

/** Runs that begin now, of so many hosts. */
export function runsOf(hosts: number, prefix = 'host'): FakeRun[] {
  return Array.from({ length: hosts }, (_, host) => ({ hostname: `${prefix}-${host}`, run_id: uuids.next() }));
}

export function sampleOf({ hostname, run_id }: FakeRun, seq: number): Record<string, unknown> {
  return {
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
  };
}

/** `each` samples of each run, the runs in turns, their numbers from `first` on. */
export function samples(runs: readonly FakeRun[], each: number, first = 1): SentMessage[] {
  const all: SentMessage[] = [];
  for (let seq = first; seq < first + each; seq++) {
    for (const run of runs) all.push({ key: run.hostname, value: JSON.stringify(sampleOf(run, seq)) });
  }
  return all;
}

/** In snappy, unless another codec is given. */
export async function send(
  bootstrap: string,
  topic: string,
  messages: readonly SentMessage[],
  codec: CompressionTypes = 2,
): Promise<void> {
  registerCodecs();
  const kafka = new Kafka({ clientId: 'test', brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let from = 0; from < messages.length; from += 500) {
    await producer.send({ topic, messages: messages.slice(from, from + 500) as never, compression: codec });
  }
  await producer.disconnect();
}

export class LocalWriter implements AsyncDisposable {
  readonly writer: Writer;
  readonly logged: LogFields[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(bootstrap: string, scratch: Scratch, topic: string, flags: Readonly<Record<string, unknown>> = {}) {
    const { settings } = loadSettings({
      flags: {
        config: '/dev/null',
        mode: 'writer',
        'kafka.brokers': bootstrap,
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
    const keep = (fields: LogFields) => this.logged.push(fields);
    const log: Log = { debug: () => undefined, info: keep, warn: keep, error: keep };
    this.writer = openWriter(settings, clock, log);
    this.#ended = this.writer.run(this.#stop.signal);
  }

  events(name: string): LogFields[] {
    return this.logged.filter(({ event }) => event === name);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export function query<Row>(scratch: Scratch, sql: string): Row[] {
  const database = openSqlite(scratch.file('metrics.db'), { readonly: true });
  try {
    return database.prepare<[], Row>(sql).all();
  } finally {
    database.close();
  }
}

/** Rows in server_metrics; 0 while there is no database yet. */
export function rowsIn(scratch: Scratch): number {
  try {
    return Number(query<{ n: number }>(scratch, 'SELECT count(*) AS n FROM server_metrics')[0]?.n);
  } catch {
    return 0;
  }
}

export function sumsIn(scratch: Scratch): { received: number; lost: number; missing: number } | undefined {
  return query<{ received: number; lost: number; missing: number }>(
    scratch,
    'SELECT sum(received) AS received, sum(lost) AS lost, sum(missing) AS missing FROM vw_sample_accounting',
  )[0];
}
