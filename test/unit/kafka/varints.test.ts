/** Kafka's numbers of variable length, against an encoding written down independently. */
import fc from 'fast-check';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { describe, expect, it } from 'vitest';
import { quickenVarints } from '../../../src/kafka/varints.ts';

quickenVarints();

/** Zigzag, then seven bits a byte, the lowest first. */
function expected(value: bigint, bits: 32 | 64): number[] {
  let rest = BigInt.asUintN(bits, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('a number of variable length', () => {
  it('is written as Kafka reads it, 32 bits', () => {
    fc.assert(
      fc.property(int32, (value) => {
        const bytes = expected(BigInt(value), 32);
        expect([...new Encoder().writeVarInt(value).buffer]).toEqual(bytes);
        expect(Encoder.sizeOfVarInt(value)).toBe(bytes.length);
      }),
    );
  });

  it('is written as Kafka reads it, 64 bits, small and large', () => {
    const border = fc.integer({ min: 2 ** 30 - 2, max: 2 ** 30 + 2 });
    const anyOf = fc.oneof(
      fc.integer({ min: -300, max: 300 }),
      border,
      border.map((n) => -n),
      int32,
    );
    fc.assert(
      fc.property(anyOf, (value) => {
        const bytes = expected(BigInt(value), 64);
        expect([...new Encoder().writeVarLong(value).buffer]).toEqual(bytes);
        expect(Encoder.sizeOfVarLong(value)).toBe(bytes.length);
      }),
    );
  });

  it('finds room behind what is there already', () => {
    const encoder = new Encoder();
    const numbers = Array.from({ length: 2000 }, (_, n) => n * 7919 - 4_000_000);
    for (const value of numbers) encoder.writeVarInt(value);
    expect([...encoder.buffer]).toEqual(numbers.flatMap((value) => expected(BigInt(value), 32)));
  });
});
