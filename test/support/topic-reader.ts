/** Reads a topic whole, beside the code under test. */
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { registerCodecs } from '../../src/kafka/codecs.ts';
import { withAdmin } from './broker.ts';

export interface Received {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: string;
  /** Kafka's timestamp, ms since the epoch. */
  readonly timestamp: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Everything that is in the topic now, partition by partition in order of offset. */
export async function readTopic(bootstrap: string, topic: string): Promise<Received[]> {
  registerCodecs();
  const ends = await withAdmin(bootstrap, (admin) => admin.fetchTopicOffsets(topic));
  const left = new Map(
    ends.filter(({ low, high }) => Number(low) < Number(high)).map(({ partition, high }) => [partition, Number(high)]),
  );
  if (left.size === 0) return [];
  const kafka = new Kafka({ clientId: 'test-reader', brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const received: Received[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      consumer
        .run({
          autoCommit: false,
          eachMessage: async ({ partition, message }) => {
            const offset = Number(message.offset);
            received.push({
              partition,
              offset,
              key: message.key?.toString(),
              value: message.value?.toString() ?? '',
              timestamp: Number(message.timestamp),
              headers: Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, v]) => [name, String(v)])),
            });
            if (offset + 1 >= (left.get(partition) ?? 0)) left.delete(partition);
            if (left.size === 0) resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return received.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** The values, each at its first occurrence only. */
export function firstOccurrences(received: readonly Received[]): string[] {
  return [...new Set(received.map(({ value }) => value))];
}
