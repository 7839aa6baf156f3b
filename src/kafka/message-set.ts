/** Logs in the formats from before Kafka 0.11, which brokers up to 3.x may still hold: kafkajs' reader for them. */
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decode from 'kafkajs/src/protocol/messageSet/decoder.js';
import type { Records } from './record-batches.ts';

/** Throws whatever kafkajs does when they can't be read. */
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
  let next = position;
  for (const { offset } of messages) {
    if (offset < next || !Number.isSafeInteger(offset + 1))
      throw new Error('a message’s offset is not above those before it');
    next = offset + 1;
  }
  return { messages, next };
}
