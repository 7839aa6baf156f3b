/**
 * What the harness itself does with the topic: poison, the messages of plain producers, partitions, and at the end a
 * copy of everything. It goes to the broker past the proxies, and waits while that is away.
 */
import { createHash } from 'node:crypto';
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs';
import { quietIdleConnections } from '../../src/kafka/idle-timer.ts';
import { createTopic, withAdmin } from '../support/broker.ts';
import { readTopic } from '../support/topic-reader.ts';
import type { DeadLetter, TopicCopy, TopicMessage, TopicNote } from './evidence.ts';
import type { LedgerBook } from './ledger.ts';
import { POISON, type Poison } from './poison.ts';
import type { Random } from './random.ts';

/** Header of poison, so that it is known again wherever it turns up. */
export const POISON_HEADER = 'storm-poison';
/** A broker that starts on a busy machine takes its time. */
const PERSIST_MS = 300_000;

export class Traffic implements AsyncDisposable {
  readonly topic: string;
  readonly #bootstrap: string;
  readonly #ledger: LedgerBook;
  readonly #config: Readonly<Record<string, string>>;
  #producer: Producer | undefined;
  #poison = 0;
  #madeAnew = 0;
  #cutShort = 0;
  #plain = 0;

  /** `config`: of the topic, should it be made anew. */
  constructor(bootstrap: string, topic: string, ledger: LedgerBook, config: Readonly<Record<string, string>>) {
    this.topic = topic;
    this.#config = config;
    this.#bootstrap = bootstrap;
    this.#ledger = ledger;
  }

  /** How often the topic was deleted and made again. */
  get madeAnew(): number {
    return this.#madeAnew;
  }

  async sendPoison(count: number, random: Random): Promise<void> {
    const messages: Message[] = [];
    for (let n = 0; n < count; n++) {
      const number = ++this.#poison;
      const poison: Poison = random.pick(POISON)(random);
      messages.push({
        key: `poison-${number}`,
        value: poison.value,
        headers: { [POISON_HEADER]: String(number), kept: 'as it came' },
      });
      this.#ledger.poison.add(number);
      if (poison.runId !== undefined) this.#ledger.poisonRuns.set(poison.runId, 1);
    }
    await this.#send(messages);
  }

  /** Messages with the eleven fields alone; about a third are sent once more. */
  async sendPlain(count: number, random: Random): Promise<void> {
    const messages: Message[] = [];
    for (let n = 0; n < count; n++) {
      const hostname = `plain-${random.integer(1, 5)}`;
      const value = plainMessage(hostname, ++this.#plain);
      this.#ledger.plain.set(plainEventId(value), hostname);
      messages.push({ key: hostname, value });
      if (random.chance(0.3)) messages.push({ key: hostname, value });
    }
    await this.#send(messages);
  }

  /** Until it is acknowledged; so a message may be there more than once, and is there at least once. */
  async #send(messages: Message[]): Promise<void> {
    await this.#persist(async () => {
      try {
        this.#producer ??= await this.#connect();
        await this.#producer.send({ topic: this.topic, messages });
      } catch (error) {
        await this.#producer?.disconnect().catch(() => undefined);
        this.#producer = undefined;
        throw error;
      }
    });
  }

  async #connect(): Promise<Producer> {
    quietIdleConnections();
    const kafka = new Kafka({
      clientId: 'storm',
      brokers: [this.#bootstrap],
      logLevel: logLevel.NOTHING,
      requestTimeout: 5000,
      retry: { retries: 0 },
    });
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    return producer;
  }

  async partitions(): Promise<number> {
    const ends = await this.#persist(() => withAdmin(this.#bootstrap, (admin) => admin.fetchTopicOffsets(this.topic)));
    return ends.length;
  }

  async addPartitions(count: number): Promise<void> {
    await this.#persist(async () => {
      const topicPartitions = [{ topic: this.topic, count }];
      await withAdmin(this.#bootstrap, (admin) => admin.createPartitions({ topicPartitions }));
    });
  }

  /** Partition to the end of its log. */
  async ends(): Promise<ReadonlyMap<number, number>> {
    const ends = await this.#persist(() => withAdmin(this.#bootstrap, (admin) => admin.fetchTopicOffsets(this.topic)));
    return new Map(ends.map(({ partition, high }) => [partition, Number(high)]));
  }

  /** Deletes what lies below these offsets, as retention does. */
  async cutShort(offsets: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
    await this.#persist(() =>
      withAdmin(this.#bootstrap, async (admin) => {
        // kafkajs looks for the leaders among what it has heard of.
        await admin.fetchTopicOffsets(this.topic);
        await admin.deleteTopicRecords({ topic: this.topic, partitions });
      }),
    );
    this.#cutShort++;
  }

  /** Deletes the topic and makes one of the same name. */
  async makeAnew(partitions: number): Promise<void> {
    await withAdmin(this.#bootstrap, async (admin) => {
      await admin.deleteTopics({ topics: [this.topic] });
      while ((await admin.listTopics()).includes(this.topic)) await new Promise((resolve) => setTimeout(resolve, 50));
    });
    await this.#persist(() => createTopic(this.#bootstrap, this.topic, { partitions, config: this.#config }));
    this.#madeAnew++;
  }

  async copy(): Promise<TopicCopy> {
    const ends = await this.ends();
    return { ends, messages: await this.messages(), madeAnew: this.#madeAnew, cutShort: this.#cutShort };
  }

  async messages(): Promise<TopicMessage[]> {
    return (await this.#persist(() => readTopic(this.#bootstrap, this.topic))).map(
      ({ partition, offset, value, headers }): TopicMessage => {
        const poison = headers[POISON_HEADER];
        const sample = poison === undefined ? (JSON.parse(value) as Record<string, unknown>) : {};
        return {
          partition,
          offset,
          event_id: (sample.event_id as string | undefined) ?? null,
          run_id: (sample.run_id as string | undefined) ?? null,
          seq: (sample.seq as number | undefined) ?? null,
          poison: poison === undefined ? null : Number(poison),
          notes: (sample.notes as TopicNote[] | undefined) ?? [],
        };
      },
    );
  }

  async deadLetters(): Promise<DeadLetter[]> {
    const topics = await withAdmin(this.#bootstrap, (admin) => admin.listTopics());
    const topic = `${this.topic}.dlq`;
    if (!topics.includes(topic)) return [];
    return (await readTopic(this.#bootstrap, topic)).map(({ value, headers }) => ({
      poison: headers[POISON_HEADER] === undefined ? null : Number(headers[POISON_HEADER]),
      reason: headers['hostspool-reason'] ?? null,
      value,
    }));
  }

  /** The broker is being killed all the while: tries again until it answers. */
  async #persist<Result>(action: () => Promise<Result>): Promise<Result> {
    const giveUpAt = performance.now() + PERSIST_MS;
    for (;;) {
      try {
        return await action();
      } catch (error) {
        if (performance.now() > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer?.disconnect().catch(() => undefined);
  }
}

function plainMessage(hostname: string, number: number): string {
  return JSON.stringify({
    hostname,
    timestamp: new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString(),
    cpu_percent: 12.5,
    memory_percent: 40.25,
    memory_used_mb: 3210.5,
    memory_total_mb: 7976.25,
    disk_percent: 61,
    disk_used_gb: 30.5,
    disk_total_gb: 50,
    network_bytes_sent: number,
    network_bytes_recv: 2 ** 40 + number,
  });
}

/** docs/protocol.md: a UUIDv8 of the SHA-256 of the message's bytes. */
export function plainEventId(value: string): string {
  const bytes = createHash('sha256').update(value).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
