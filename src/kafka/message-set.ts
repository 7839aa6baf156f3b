/** Logs in the formats from before Kafka 0.11, which brokers up to 3.x may still hold: kafkajs' reader for them. */
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decode from 'kafkajs/src/protocol/messageSet/decoder.js';
import type { Records } from './record-batches.ts';

export async function decodeMessageSet(bytes: Buffer, position: number): Promise<Records> {
  const found = await decode(new Decoder(bytes), bytes.length);
  const messages = found
    .map(({ offset, key, value, timestamp = -1 }) => ({
      offset: Number(offset),
      key,
      timestamp: Number(timestamp),
      value,
      headers: {},
    }))
    .filter(({ offset }) => offset >= position);
  return { messages, next: (messages.at(-1)?.offset ?? position - 1) + 1 };
}
