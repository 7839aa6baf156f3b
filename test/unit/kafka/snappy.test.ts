import fc from 'fast-check';
import snappyCodec from 'kafkajs-snappy';
import { describe, expect, it } from 'vitest';
import { decompressSnappy } from '../../../src/kafka/snappy.ts';
import { SnappyPacker } from '../../../src/kafka/snappy-pack.ts';
import { fleetSamples } from '../../support/fleet.ts';

/** Beyond everything here. */
const LIMIT = 1 << 26;

const pack = (buffer: Buffer) => snappyCodec().compress({ buffer });

/** Bytes that repeat themselves in all distances and lengths. */
const content = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 60 })), { maxLength: 30 })
  .map((parts) => Buffer.concat(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

/** As the Java library frames it. */
async function frame(blocks: readonly Buffer[]): Promise<Buffer> {
  const framed = await Promise.all(
    blocks.map(async (block) => {
      const packed = await pack(block);
      const size = Buffer.alloc(4);
      size.writeUInt32BE(packed.length);
      return Buffer.concat([size, packed]);
    }),
  );
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  return Buffer.concat([header, ...framed]);
}

const packer = new SnappyPacker();
const unpack = (buffer: Buffer) => snappyCodec().decompress(buffer);

describe('snappy', () => {
  it('packs what others unpack, whatever was packed before', async () => {
    const any = fc.oneof(
      content,
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(255), fc.nat(5000)).map(([byte, count]) => Buffer.alloc(count, byte)),
      fc
        .tuple(content, fc.integer({ min: 1, max: 400 }))
        .map(([bytes, times]) => Buffer.alloc(times * 1000, bytes.length === 0 ? 'x' : bytes)),
    );
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        const packed = packer.pack(bytes);
        expect(decompressSnappy(packed, LIMIT).equals(bytes)).toBe(true);
        expect((await unpack(packed)).equals(bytes)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('packs samples as small as the codec that kafkajs’ authors made, one alone and many', async () => {
    const samples = [...fleetSamples(3, 500)].map(({ value }) => Buffer.from(value));
    for (const bytes of [samples[0] as Buffer, Buffer.concat(samples)]) {
      expect(packer.pack(bytes).length).toBeLessThan((await pack(bytes)).length * 1.01);
    }
  });

  it('packs noise at next to no cost', () => {
    let state = 1;
    const noise = Buffer.from(
      Array.from({ length: 200_000 }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
        return state >>> 16;
      }),
    );
    const packed = packer.pack(noise);
    expect(decompressSnappy(packed, LIMIT).equals(noise)).toBe(true);
    expect(packed.length).toBeLessThan(noise.length * 1.001);
  });

  it('unpacks what another packed', async () => {
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        expect(decompressSnappy(await pack(bytes), LIMIT).equals(bytes)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('unpacks the frames of Java clients', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(content, { maxLength: 4 }), async (blocks) => {
        expect(decompressSnappy(await frame(blocks), LIMIT).equals(Buffer.concat(blocks))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('reads literals and distances of every size', () => {
    const literal = Buffer.alloc(70_000, 'x');
    const length = [0x80 | (70_010 & 0x7f), 0x80 | ((70_010 >> 7) & 0x7f), 70_010 >> 14];
    const size = literal.length - 1;
    const packed = Buffer.concat([
      Buffer.from([...length, 62 << 2, size & 0xff, (size >> 8) & 0xff, size >> 16]),
      literal,
      // Ten bytes from 69,999 back: a distance of four bytes.
      Buffer.from([(9 << 2) | 3, 0x6f, 0x11, 0x01, 0x00]),
    ]);
    expect(decompressSnappy(packed, LIMIT).equals(Buffer.alloc(70_010, 'x'))).toBe(true);
  });

  it('throws at what is cut off, and never ends otherwise than by a result or an error when bytes are changed', async () => {
    const bytes = Buffer.from('the same again, the same again, and something else '.repeat(40));
    const packed = await pack(bytes);
    for (let length = 0; length < packed.length; length++) {
      expect(() => decompressSnappy(packed.subarray(0, length), LIMIT)).toThrow();
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: packed.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(packed);
        changed[at] = (changed[at] as number) ^ flip;
        try {
          expect(decompressSnappy(changed, LIMIT).length).toBeLessThan(packed.length * 22);
        } catch (error) {
          expect(error).toMatchObject({ message: expect.stringContaining('Snappy') });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('does not believe a length that so few bytes cannot have', () => {
    expect(() => decompressSnappy(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 65]), LIMIT)).toThrow('not as long');
  });
});
