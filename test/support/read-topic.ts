/** Everything a topic holds now, read by a plain consumer from its beginning, in the order of each partition. */
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { registerCodecs } from '../../src/kafka/codecs.ts';
import { withAdmin } from './broker.ts';

export interface ReadMessage {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string;
  readonly value: string;
}

export async function readTopic(bootstrap: string, topic: string): Promise<ReadMessage[]> {
  registerCodecs();
  const ends = await withAdmin(bootstrap, (admin) => admin.fetchTopicOffsets(topic));
  const waiting = new Set(ends.filter(({ low, high }) => BigInt(high) > BigInt(low)).map(({ partition }) => partition));
  const messages: ReadMessage[] = [];
  if (waiting.size === 0) return messages;
  const kafka = new Kafka({ clientId: 'test-reader', brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer
      .run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { offset, key, value } of batch.messages) {
            messages.push({
              partition: batch.partition,
              offset: BigInt(offset),
              key: String(key),
              value: String(value),
            });
          }
          const end = ends.find(({ partition }) => partition === batch.partition);
          if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= BigInt(end.high)) waiting.delete(batch.partition);
          if (waiting.size === 0) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return messages;
}

export interface SeenRun {
  readonly runId: string;
  /** Sequence numbers in the order of their first occurrence. */
  readonly firstSeqs: readonly number[];
}

/** The runs in a topic, each with its sequence numbers in the order in which they first occurred. */
export function runsOf(messages: readonly ReadMessage[]): SeenRun[] {
  const runs = new Map<string, Set<number>>();
  for (const { value } of messages) {
    const { run_id, seq } = JSON.parse(value) as { run_id: string; seq: number };
    const seqs = runs.get(run_id) ?? new Set();
    runs.set(run_id, seqs.add(seq));
  }
  return [...runs].map(([runId, seqs]) => ({ runId, firstSeqs: [...seqs] }));
}

/** 1, 2, … last. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
