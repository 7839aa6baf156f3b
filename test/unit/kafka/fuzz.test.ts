/** Whatever a broker's bytes are: messages within what was asked for, or an error by name, in bounded time and memory. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import snappyCodec from 'kafkajs-snappy';
import { describe, expect, it } from 'vitest';
import { decodeAssignment, decodeClaim, encodeAssignment, encodeMetadata } from '../../../src/kafka/assignment.ts';
import { decompress } from '../../../src/kafka/codecs.ts';
import { guardLengths } from '../../../src/kafka/decoder-guard.ts';
import { decodeAnswer } from '../../../src/kafka/fetch-request.ts';
import { compressFrame } from '../../../src/kafka/lz4-frame.ts';
import { decodeRecords } from '../../../src/kafka/record-batches.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { damage, FUZZ_LIMIT, runs } from '../../support/fuzz.ts';
import { marker, recordBatch, TRANSACTIONAL, withChecksum } from '../../support/record-batch.ts';

guardLengths();

const LIMIT_MS = 5000;
const text = 'a value of a sample; '.repeat(4);
const records = (first: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    offset: first + n,
    timestamp: 1_700_000_000_000 + n,
    key: Buffer.from('web-1'),
    value: Buffer.from(`${first + n} ${text}`),
    headers: [['origin', Buffer.from('here')]] as const,
  }));
const snappy = async (bytes: Buffer): Promise<Buffer> =>
  (await snappyCodec().compress({ buffer: bytes } as never)) as Buffer;
const packed = {
  gzip: { codec: 1, bytes: (plain: Buffer) => gzipSync(plain) },
  lz4: { codec: 3, bytes: compressFrame },
  zstd: { codec: 4, bytes: (plain: Buffer) => zstdCompressSync(plain) },
} as const;

/** Batches of a log from offset 40 on: plain, of each codec, of transactions. */
const BATCHES: readonly Buffer[] = [
  recordBatch({ baseOffset: 40, records: records(40, 3) }),
  ...Object.values(packed).map(({ codec, bytes }, index) =>
    recordBatch({ baseOffset: 43 + 3 * index, attributes: codec, pack: bytes, records: records(43 + 3 * index, 3) }),
  ),
  recordBatch({ baseOffset: 52, attributes: TRANSACTIONAL, producerId: 7, records: records(52, 2) }),
  marker(54, 7, 'abort'),
];
const POSITION = 41;
const ABORTED = [{ producerId: 7n, firstOffset: 52 }];

async function expectRecords(bytes: Buffer, position = POSITION): Promise<void> {
  const began = performance.now();
  try {
    const { messages, next } = await decodeRecords(bytes, position, ABORTED);
    expect(next).toBeGreaterThanOrEqual(position);
    expect(Number.isSafeInteger(next)).toBe(true);
    let before = position - 1;
    for (const { offset, timestamp } of messages) {
      expect(offset).toBeGreaterThan(before);
      expect(offset).toBeLessThan(next);
      expect(Number.isFinite(timestamp)).toBe(true);
      before = offset;
    }
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    expect(error.code).toBe('KAFKA_CORRUPT');
  }
  expect(performance.now() - began).toBeLessThan(LIMIT_MS);
}

describe('records of a fetch, fuzzed', () => {
  it(
    'of any bytes',
    async () => {
      const property = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(3), async (bytes, magic) => {
        const given = Buffer.from(bytes);
        // Otherwise nearly all would end at the first look.
        if (given.length > 16) given[16] = magic;
        await expectRecords(given);
      });
      await fc.assert(property, runs(500));
    },
    FUZZ_LIMIT,
  );

  it(
    'of damaged batches of every codec, without and with the checksum that makes them believed',
    async () => {
      const batch = fc.tuple(fc.constantFrom(...BATCHES), fc.option(damage(2)), fc.boolean());
      const property = fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
        const bytes = batches.map(([original, change, believed]) => {
          const changed = change === null ? original : change(original);
          if (!believed || changed.length < 61) return changed;
          const again = Buffer.from(changed);
          again.writeInt32BE(again.length - 12, 8);
          again[16] = 2;
          return withChecksum(again);
        });
        await expectRecords(Buffer.concat(bytes));
      });
      await fc.assert(property, runs(500));
    },
    FUZZ_LIMIT,
  );

  it(
    'of batches whose header lies: offsets, numbers of records, times',
    async () => {
      const header = fc.record({
        base: fc.oneof(
          fc.integer({ min: 30, max: 60 }).map(BigInt),
          fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        ),
        last: fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer()),
        count: fc.oneof(fc.integer({ min: -1, max: 6 }), fc.integer()),
        time: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      });
      const property = fc.asyncProperty(
        fc.constantFrom(...BATCHES),
        header,
        async (batch, { base, last, count, time }) => {
          const lying = Buffer.from(batch);
          lying.writeBigInt64BE(base, 0);
          lying.writeInt32BE(last, 23);
          lying.writeBigInt64BE(time, 27);
          lying.writeInt32BE(count, 57);
          await expectRecords(withChecksum(lying));
        },
      );
      await fc.assert(property, runs(500));
    },
    FUZZ_LIMIT,
  );
});

describe('codecs, fuzzed', () => {
  it.each([1, 2, 3, 4])(
    'codec %i gives bytes or throws an error, whatever it is given',
    async (codec) => {
      const plain = Buffer.from(text.repeat(40));
      const real =
        codec === 2
          ? await snappy(plain)
          : Object.values(packed)
              .find((each) => each.codec === codec)
              ?.bytes(plain);
      const given = fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        damage(4).map((change) => change(real as Buffer)),
      );
      const property = fc.asyncProperty(given, async (bytes) => {
        const began = performance.now();
        const result = await decompress(codec, bytes).catch((error: unknown) => error);
        expect(result instanceof Error || Buffer.isBuffer(result)).toBe(true);
        expect(performance.now() - began).toBeLessThan(LIMIT_MS);
      });
      await fc.assert(property, runs(300));
    },
    FUZZ_LIMIT,
  );
});

describe('answers to a fetch, fuzzed', () => {
  /** One topic, one partition, one aborted transaction, as the versions 4 to 11 have it. */
  function answer(version: number): Buffer {
    const int = (size: 2 | 4, value: number) => {
      const bytes = Buffer.alloc(size);
      bytes.writeIntBE(value, 0, size);
      return bytes;
    };
    const long = (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(value);
      return bytes;
    };
    const batch = BATCHES[0] as Buffer;
    return Buffer.concat([
      int(4, 0),
      ...(version >= 7 ? [int(2, 0), int(4, 0)] : []),
      int(4, 1),
      ...[int(2, 5), Buffer.from('topic'), int(4, 1)],
      ...[int(4, 3), int(2, 0), long(55n), long(55n)],
      ...(version >= 5 ? [long(0n)] : []),
      ...[int(4, 1), long(7n), long(52n)],
      ...(version >= 11 ? [int(4, -1)] : []),
      ...[int(4, batch.length), batch],
    ]);
  }

  it.each([4, 5, 7, 8, 11])(
    'of version %i are read or refused',
    (version) => {
      const real = answer(version);
      expect(decodeAnswer(real, version).partitions).toMatchObject([{ partition: 3, end: 55, records: BATCHES[0] }]);
      const given = fc.oneof(
        fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
        damage(3).map((change) => change(real)),
        // Lengths that lie.
        fc.tuple(fc.nat(real.length - 4), fc.integer()).map(([at, value]) => {
          const lying = Buffer.from(real);
          lying.writeInt32BE(value, at);
          return lying;
        }),
      );
      const property = fc.property(given, (bytes) => {
        const began = performance.now();
        try {
          const { partitions } = decodeAnswer(bytes, version);
          for (const { records: part } of partitions) expect(part.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
        expect(performance.now() - began).toBeLessThan(LIMIT_MS);
      });
      fc.assert(property, runs(200));
    },
    FUZZ_LIMIT,
  );
});

describe('what members of a group tell each other, fuzzed', () => {
  const told = fc.record({
    generation: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    partitions: fc.array(fc.nat(2 ** 31 - 1), { maxLength: 20 }),
  });

  it(
    'is a claim of whole numbers, or none',
    () => {
      const given = fc.oneof(
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
        fc.tuple(told, damage(3)).map(([claim, change]) => change(encodeMetadata('topic', claim))),
      );
      const property = fc.property(given, (bytes) => {
        const { generation, partitions } = decodeClaim(bytes);
        expect([generation, ...partitions].every(Number.isInteger)).toBe(true);
        expect(partitions.length).toBeLessThanOrEqual(bytes.length);
      });
      fc.assert(property, runs(300));
    },
    FUZZ_LIMIT,
  );

  it(
    'is an assignment of whole numbers in order, or an error',
    () => {
      const given = fc.oneof(
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
        fc.tuple(told, damage(3)).map(([{ partitions }, change]) => change(encodeAssignment('topic', partitions))),
      );
      const property = fc.property(given, (bytes) => {
        try {
          const partitions = decodeAssignment('topic', bytes);
          expect(partitions.length).toBeLessThanOrEqual(bytes.length);
          expect([...partitions].sort((a, b) => a - b)).toEqual(partitions);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      });
      fc.assert(property, runs(300));
    },
    FUZZ_LIMIT,
  );
});
