/** Writers over one fake log and one SQLite database, with faults between them, and what has become of it all. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings, type ResolvedSettings } from '../../../src/config/load.ts';
import type { OutgoingMessage } from '../../../src/kafka/producer.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { Log, LogFields } from '../../../src/lib/log.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { UuidSource } from '../../../src/sample/identity.ts';
import type { Load, LoadOutcome, Sink } from '../../../src/sink/sink.ts';
import type { HostRecord } from '../../../src/sink/sink-admin.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import { DeadLetters } from '../../../src/writer/dead-letters.ts';
import { Writer } from '../../../src/writer/writer.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeConsumer, FakeLog } from '../../support/fake-log.ts';

export const TOPIC = 'server-metrics';

/** What a load meets: an error before it, an error after it was committed, a wait, or whatever a test does with it. */
export type Fault =
  | { readonly at: 'before' | 'after'; readonly error: HostspoolError }
  | { readonly at: 'late'; readonly until: () => Promise<unknown> }
  | { readonly at: 'instead'; readonly does: () => Promise<LoadOutcome> };

export class FaultySink implements Sink {
  readonly #sink: SqliteSink;
  readonly faults: Fault[] = [];
  /** Met by every call while it is set. */
  away: HostspoolError | undefined;
  /** Checked against each row of each load; an error refuses the load. */
  refuses: ((load: Load) => HostspoolError | undefined) | undefined;
  loads = 0;
  rehearsals = 0;
  /** Rows of each load that was not a rehearsal and was tried. */
  readonly sizes: number[] = [];

  constructor(sink: SqliteSink) {
    this.#sink = sink;
  }

  async load(load: Load): Promise<LoadOutcome> {
    if (this.away !== undefined) throw this.away;
    if (load.rehearsal === true) this.rehearsals++;
    else {
      this.loads++;
      this.sizes.push(load.rows.length);
    }
    const refusal = this.refuses?.(load);
    if (refusal !== undefined) throw refusal;
    const fault = load.rehearsal === true ? undefined : this.faults.shift();
    if (fault?.at === 'before') throw fault.error;
    if (fault?.at === 'late') await fault.until();
    if (fault?.at === 'instead') return fault.does();
    const outcome = await this.#sink.load(load);
    if (fault?.at === 'after') throw fault.error;
    return outcome;
  }

  readOffsets: Sink['readOffsets'] = async (reader, partitions) => this.#up().readOffsets(reader, partitions);
  readAccounts: Sink['readAccounts'] = async (runs) => this.#up().readAccounts(runs);
  readUnexplained: Sink['readUnexplained'] = async () => this.#up().readUnexplained();
  readHoles: Sink['readHoles'] = async (reader) => this.#up().readHoles(reader);
  async close(): Promise<void> {}

  async expire(): Promise<number> {
    return 0;
  }

  async listHosts(): Promise<readonly HostRecord[]> {
    this.#up();
    return this.#sink.listHosts();
  }

  #up(): Sink {
    if (this.away !== undefined) throw this.away;
    return this.#sink;
  }
}

export const lost = (code = 'SINK_UNAVAILABLE') =>
  new HostspoolError(code, 'the connection was lost', { retryable: true });

/** One writer process, as far as a test is concerned. */
export class RunningWriter {
  readonly consumer: FakeConsumer;
  readonly sink: FaultySink;
  readonly writer: Writer;
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;
  hasEnded = false;

  constructor(world: WritingWorld, partitions: readonly number[] | undefined) {
    this.consumer = new FakeConsumer(world.log, world.clock, world.fetchMessages);
    this.sink = new FaultySink(world.database);
    const deadLetters = new DeadLetters({
      topic: TOPIC,
      producer: { send: (topic, messages) => world.deadLetter(topic, messages) },
      ensureTopic: async () => undefined,
      log: world.logger,
    });
    const { clock } = world;
    const ports = { consumer: this.consumer, sink: this.sink, deadLetters, clock, log: world.logger };
    this.writer = new Writer(world.settings, {
      ...ports,
      prepare: async () => undefined,
      random: world.random,
      close: async () => undefined,
    });
    if (partitions !== undefined) this.consumer.assign(partitions);
    this.ended = this.writer.run(this.#stop.signal).then(() => {
      this.hasEnded = true;
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** As kill -9: it does nothing any more, and whatever it was doing reaches nobody. */
  kill(): void {
    this.consumer.revoke();
    this.sink.away = lost();
  }
}

export class WritingWorld implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'writer-'));
  readonly clock = new FakeClock();
  readonly log: FakeLog;
  readonly database: SqliteSink;
  readonly settings: ResolvedSettings;
  readonly uuids = new UuidSource(() => this.clock.now());
  readonly logged: LogFields[] = [];
  readonly letters: OutgoingMessage[] = [];
  readonly writers: RunningWriter[] = [];
  /** Met by every dead letter while it is set. */
  deadLettersAway: HostspoolError | undefined;
  /** Largest value that the dead-letter topic takes. */
  deadLetterLimit = Number.POSITIVE_INFINITY;
  /** Most messages in one answer of a broker. */
  fetchMessages = 500;
  readonly random = () => 0.5;
  readonly logger: Log = {
    debug: (fields) => this.logged.push({ level: 'debug', ...fields }),
    info: (fields) => this.logged.push({ level: 'info', ...fields }),
    warn: (fields) => this.logged.push({ level: 'warn', ...fields }),
    error: (fields) => this.logged.push({ level: 'error', ...fields }),
  };

  constructor(partitions = 1, flags: Readonly<Record<string, unknown>> = {}) {
    this.log = new FakeLog(partitions);
    this.database = SqliteSink.open({ path: this.#path });
    this.settings = loadSettings({
      flags: {
        config: '/dev/null',
        mode: 'writer',
        'kafka.brokers': 'nowhere:1',
        'writer.sink': 'sqlite',
        'spool.path': join(this.#directory, 'spool.db'),
        'log.stats_interval': '0s',
        ...flags,
      },
      env: {},
    }).settings;
  }

  get #path(): string {
    return join(this.#directory, 'metrics.db');
  }

  start(partitions: readonly number[] | undefined = this.log.partitions): RunningWriter {
    const writer = new RunningWriter(this, partitions);
    this.writers.push(writer);
    return writer;
  }

  /** Lets time pass until the condition holds; gives up loudly. */
  async until(condition: () => boolean, what: string, limitMs = 400_000): Promise<void> {
    for (let passed = 0; !condition(); passed += 100) {
      if (passed > limitMs) throw new Error(`it never came to pass that ${what}: ${this.state()}`);
      await this.clock.advance(100);
    }
  }

  /** Until the database has all that the log has. */
  async untilLoaded(): Promise<void> {
    await this.until(() => this.isLoaded(), 'all was loaded');
  }

  /** What a failing test needs to be understood. */
  state(): string {
    const offsets = this.query('SELECT partition_id, epoch, next_offset, began_at FROM consumer_offsets');
    const bounds = this.log.partitions.map((of) => this.log.bounds(of));
    const said = this.logged.slice(-20).map((fields) => JSON.stringify(fields));
    return [JSON.stringify({ offsets, bounds, left: this.notLoaded() }), ...said].join('\n');
  }

  isLoaded(): boolean {
    const offsets = new Map(
      this.query<{ partition_id: number; next_offset: number }>('SELECT * FROM consumer_offsets').map((row) => [
        row.partition_id,
        row.next_offset,
      ]),
    );
    const atEnd = this.log.partitions.every((of) => {
      const last = this.log.messages(of).at(-1);
      return last === undefined || offsets.get(of) === last.offset + 1;
    });
    return atEnd && this.notLoaded().length === 0;
  }

  /** Messages that are in the log and neither rows nor dead letters, as `partition:offset`. */
  notLoaded(): string[] {
    const rows = new Set(this.rows());
    const letters = new Set(
      this.letters.map(({ headers = {} }) => `${headers['hostspool-partition']}:${headers['hostspool-offset']}`),
    );
    const left: string[] = [];
    for (const of of this.log.partitions) {
      for (const { offset, value } of this.log.messages(of)) {
        const id = /"event_id":"([^"]+)"/.exec(String(value))?.[1]?.replaceAll('-', '');
        const place = `${of}:${offset}`;
        if (id !== undefined && !rows.has(id) && !letters.has(place)) left.push(place);
      }
    }
    return left;
  }

  query<Row>(sql: string): Row[] {
    const database = openSqlite(this.#path, { readonly: true });
    try {
      return database.prepare<[], Row>(sql).all();
    } finally {
      database.close();
    }
  }

  execute(sql: string): void {
    const database = openSqlite(this.#path);
    database.exec(sql);
    database.close();
  }

  rows(): string[] {
    return this.query<{ event: string }>('SELECT lower(hex(event_id)) AS event FROM server_metrics ORDER BY id').map(
      ({ event }) => event,
    );
  }

  sums(): { received: number; lost: number; missing: number } {
    const [sums] = this.query<{ received: number; lost: number; missing: number }>(
      `SELECT coalesce(sum(received), 0) AS received, coalesce(sum(lost), 0) AS lost,
         coalesce(sum(missing), 0) AS missing FROM vw_sample_accounting`,
    );
    return sums as { received: number; lost: number; missing: number };
  }

  reasons(): Record<string, number> {
    const rows = this.query<{ reason: string | null; n: number }>(
      'SELECT reason, sum(last_seq - first_seq + 1) AS n FROM seq_gaps GROUP BY reason',
    );
    return Object.fromEntries(rows.map(({ reason, n }) => [reason ?? 'missing', n]));
  }

  events(name: string): LogFields[] {
    return this.logged.filter(({ event }) => event === name);
  }

  async deadLetter(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.deadLettersAway !== undefined) throw this.deadLettersAway;
    if (topic !== `${TOPIC}.dlq`) throw new Error(`dead letters to ${topic}`);
    const size = messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    if (size > this.deadLetterLimit) throw new HostspoolError('KAFKA_MESSAGE_TOO_LARGE', 'too large');
    this.letters.push(...messages);
  }

  [Symbol.dispose](): void {
    for (const writer of this.writers) writer.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A host that takes samples; what it takes is remembered. */
export class FakeHost {
  readonly #world: WritingWorld;
  readonly #hostname: string;
  #runId: string;
  #seq = 0;
  #notes: object[] = [];
  readonly taken: { readonly event_id: string; readonly value: string; readonly partition: number }[] = [];

  constructor(world: WritingWorld, hostname: string) {
    this.#world = world;
    this.#hostname = hostname;
    this.#runId = world.uuids.next();
  }

  get runId(): string {
    return this.#runId;
  }

  get seq(): number {
    return this.#seq;
  }

  /** A new run; the end of the last goes with the next sample. */
  restart(clean = true): void {
    if (this.#seq > 0) this.#notes.push({ kind: 'run_ended', run_id: this.#runId, last_seq: this.#seq, clean });
    this.#world.clock.pass(1);
    this.#runId = this.#world.uuids.next();
    this.#seq = 0;
  }

  /** Loses samples and notes it. */
  lose(samples: number): void {
    const first_seq = this.#seq + 1;
    this.#seq += samples;
    this.#notes.push({
      kind: 'lost',
      run_id: this.#runId,
      first_seq,
      last_seq: this.#seq,
      reason: 'spool_full',
    });
  }

  /** Takes a sample and sends it; answers its offset. */
  send(change: Record<string, unknown> = {}, partition?: number): number {
    this.#world.clock.pass(1);
    const seq = ++this.#seq;
    const event_id = this.#world.uuids.next();
    const value = JSON.stringify({
      ...sampleOf(this.#hostname, this.#world.clock.now()),
      event_id,
      run_id: this.#runId,
      seq,
      ...(this.#notes.length > 0 ? { notes: this.#notes } : {}),
      ...change,
    });
    this.#notes = [];
    const to = partition ?? this.partition;
    this.taken.push({ event_id: event_id.replaceAll('-', ''), value, partition: to });
    return this.#produce(to, value);
  }

  /** Sends a sample that was sent before once more. */
  repeat(index: number): void {
    const sample = this.taken[index % Math.max(1, this.taken.length)];
    if (sample !== undefined) this.#produce(this.partition, sample.value);
  }

  /** A sample that cannot become a row. */
  sendPoison(change: Record<string, unknown> = { cpu_percent: 'NaN' }): void {
    this.#world.clock.pass(1);
    const seq = ++this.#seq;
    const sample = sampleOf(this.#hostname, this.#world.clock.now());
    const notes = this.#notes.length > 0 ? { notes: this.#notes } : {};
    this.#notes = [];
    this.#produce(
      this.partition,
      JSON.stringify({ ...sample, event_id: this.#world.uuids.next(), run_id: this.#runId, seq, ...notes, ...change }),
    );
  }

  get partition(): number {
    let hash = 0;
    for (const letter of this.#hostname) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
    return hash % this.#world.log.partitions.length;
  }

  #produce(partition: number, value: string): number {
    return this.#world.log.produce(partition, { key: this.#hostname, value, timestamp: this.#world.clock.now() });
  }
}

export function sampleOf(hostname: string, at: number): Record<string, unknown> {
  return {
    hostname,
    timestamp: new Date(at).toISOString(),
    cpu_percent: 12.5,
    memory_percent: 50,
    memory_used_mb: 2048.25,
    memory_total_mb: 4096,
    disk_percent: 10,
    disk_used_gb: 10.01,
    disk_total_gb: 100,
    network_bytes_sent: 1,
    network_bytes_recv: 2,
  };
}
