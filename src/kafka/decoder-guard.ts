/**
 * kafkajs believes every length in an answer. A negative one takes it back in the bytes, so that it may read them over and
 * over; a number of entries of two thousand million is a loop of as many turns, and nothing else happens meanwhile; a text
 * that is cut off is taken for a shorter one. Here a length must be that of what is there: any other fails the answer,
 * which is then an error like others to whoever asked.
 */
import Decoder from 'kafkajs/src/protocol/decoder.js';
import { wrapOnce } from './wrap-once.ts';

/** The length of what is null. */
const NULL = -1;

/** Applies the guard to kafkajs. */
export function guardLengths(): void {
  wrapOnce(Decoder.prototype, 'readString', () => {
    // Null where the protocol allows it; whoever reads such a field knows.
    return function (this: Decoder) {
      return (take(this, this.readInt16())?.toString('utf8') ?? null) as string;
    };
  });
  wrapOnce(Decoder.prototype, 'readBytes', () => {
    return function (this: Decoder, length = this.readInt32()) {
      return take(this, length);
    };
  });
  wrapOnce(Decoder.prototype, 'readArray', () => {
    return function (this: Decoder, read) {
      const entries = [];
      // Each takes a byte at the least.
      for (let left = held(this, this.readInt32()); left > 0; left--) entries.push(read(this));
      return entries;
    };
  });
}

function take(decoder: Decoder, length: number): Buffer | null {
  if (held(decoder, length) === NULL) return null;
  const start = decoder.offset;
  decoder.offset += length;
  return decoder.buffer.subarray(start, decoder.offset);
}

function held({ buffer, offset }: Decoder, length: number): number {
  const left = buffer.length - offset;
  if (length < NULL || length > left) throw new Error(`an answer says ${length} where it has ${left} bytes left`);
  return length;
}
