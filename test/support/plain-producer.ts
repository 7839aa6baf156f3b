/** Sends messages as some other program would. */
import { Kafka, logLevel, Partitioners } from 'kafkajs';

export interface PlainMessage {
  readonly key: string | null;
  readonly value: string | Buffer | null;
  readonly headers?: Record<string, string>;
}

export async function produce(bootstrap: string, topic: string, messages: readonly PlainMessage[]): Promise<void> {
  const kafka = new Kafka({ clientId: 'test', brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic, messages: [...messages] });
  } finally {
    await producer.disconnect();
  }
}
