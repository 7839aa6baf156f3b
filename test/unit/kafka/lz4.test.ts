import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compressFrame, decompressFrame } from '../../../src/kafka/lz4-frame.ts';
import { xxhash32 } from '../../../src/kafka/xxhash32.ts';

/** Beyond everything here. */
const LIMIT = 1 << 26;

/** Bytes of the kinds that matter to a compressor: noise, runs, repeated pieces. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(255), fc.nat(5000)).map(([byte, count]) => Buffer.alloc(count, byte)),
      fc
        .tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.nat(3000))
        .map(([piece, times]) => Buffer.from(piece.repeat(times))),
    ),
    { maxLength: 8 },
  )
  .map((pieces) => Buffer.concat(pieces));

describe('LZ4 frames', () => {
  it('give back what they were made of', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        expect(decompressFrame(compressFrame(bytes), LIMIT).equals(bytes)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each([0, 1, 4, 5, 11, 12, 13, 65_535, 65_536, 65_537, 200_000])(
    'hold %i bytes of one kind, and of no kind',
    (size) => {
      for (const bytes of [Buffer.alloc(size, 'x'), noise(size)]) {
        expect(decompressFrame(compressFrame(bytes), LIMIT).equals(bytes)).toBe(true);
      }
    },
  );

  it('grow by a few bytes a block at most when there is nothing to compress', () => {
    const bytes = noise(1 << 20);
    expect(compressFrame(bytes).length).toBeLessThanOrEqual(bytes.length + 11 + 16 * 4);
  });

  it('make a batch of samples several times smaller', () => {
    const samples = Array.from({ length: 500 }, (_, n) =>
      JSON.stringify({ hostname: 'web-1', seq: n, cpu_percent: n / 7 }),
    );
    const bytes = Buffer.from(samples.join(''));
    expect(compressFrame(bytes).length * 2).toBeLessThan(bytes.length);
  });

  it('read what the reference implementation writes: linked blocks, checksums, content size, frames in a row', () => {
    const alphabet = 'abcdefghijklmnopqrstuvwxyz';
    for (const [frame, text] of REFERENCE)
      expect(decompressFrame(Buffer.from(frame, 'hex'), LIMIT).toString()).toBe(text);
    const both = Buffer.concat(REFERENCE.map(([frame]) => Buffer.from(frame, 'hex')));
    expect(decompressFrame(both, LIMIT).toString()).toBe(alphabet.repeat(10 * REFERENCE.length));
  });

  it('that are damaged or cut off are refused, or give other bytes; they never hang or read beyond their end', () => {
    const frame = compressFrame(Buffer.from('a sample, and another sample, and the sample again; '.repeat(50)));
    for (let at = 0; at < frame.length; at++) {
      expect(() => decompressFrame(frame.subarray(0, at === 0 ? 1 : at), LIMIT)).toThrow();
    }
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.nat(254), (at, by) => {
        const damaged = Buffer.from(frame);
        damaged[at] = (damaged[at] as number) ^ (by + 1);
        try {
          expect(decompressFrame(damaged, LIMIT).length).toBeLessThan(1 << 24);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });

  it('with a wrong checksum are refused', () => {
    const frame = Buffer.from(REFERENCE[0]?.[0] ?? '', 'hex');
    frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 1;
    expect(() => decompressFrame(frame, LIMIT)).toThrow(/checksum/);
  });
});

describe('xxhash32', () => {
  it.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('of %j is the published value', (text, hash) => {
    expect(xxhash32(Buffer.from(text))).toBe(hash);
  });
});

/** Bytes without any repetition to speak of, the same at each run. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 0x12345678;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

const REFERENCE: readonly (readonly [frame: string, text: string])[] = [
  [
    '04224d187c4004010000000000008e25000000ff0b6162636465666768696a6b6c6d6e6f707172737475767778797a1a00d250767778797a5a214a3700000000faa53c3e',
    'abcdefghijklmnopqrstuvwxyz'.repeat(10),
  ],
  [
    '04224d1860408225000000ff0b6162636465666768696a6b6c6d6e6f707172737475767778797a1a00d250767778797a00000000',
    'abcdefghijklmnopqrstuvwxyz'.repeat(10),
  ],
  [
    '04224d186440a725000000ff0b6162636465666768696a6b6c6d6e6f707172737475767778797a1a00d250767778797a00000000faa53c3e',
    'abcdefghijklmnopqrstuvwxyz'.repeat(10),
  ],
];
