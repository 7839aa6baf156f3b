import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import snappyCodec from 'kafkajs-snappy';
import { describe, expect, it } from 'vitest';
import { decompress } from '../../../src/kafka/codecs.ts';
import { compressFrame } from '../../../src/kafka/lz4-frame.ts';
import { decodeRecords } from '../../../src/kafka/record-batches.ts';
import {
  CONTROL,
  LOG_APPEND_TIME,
  marker,
  type RecordFields,
  recordBatch,
  TRANSACTIONAL,
  withChecksum,
} from '../../support/record-batch.ts';

const text = (offset: number, value = `value ${offset}`): RecordFields => ({ offset, value: Buffer.from(value) });
const valuesOf = (messages: readonly { value: Buffer | null }[]) => messages.map(({ value }) => value?.toString());

/** A batch of a transaction: three records. */
const inTransaction = (baseOffset: number, producerId: number) =>
  recordBatch({
    baseOffset,
    producerId,
    attributes: TRANSACTIONAL,
    records: [text(baseOffset), text(baseOffset + 1), text(baseOffset + 2)],
  });

/** The Java library's frame of so many equal blocks, each one byte repeated by copies of 64. */
function snappyFrames(blocks: number, bytes: number): Buffer {
  const copies = bytes / 64;
  const length = bytes + 1;
  const varint = [0x80 | (length & 0x7f), 0x80 | ((length >> 7) & 0x7f), 0x80 | ((length >> 14) & 0x7f), length >> 21];
  const block = Buffer.concat([
    Buffer.from([...varint, 0, 0x41]),
    Buffer.alloc(copies * 3, Buffer.from([(63 << 2) | 2, 1, 0])),
  ]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(block.length);
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  return Buffer.concat([header, ...Array.from({ length: blocks }, () => [size, block]).flat()]);
}

describe('the records of a fetch', () => {
  it('are read with key, value, headers, offset and time, whatever these are', async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content)));
    const record = fc.record({
      key: bytes,
      value: bytes,
      timestamp: fc.integer({ min: 0, max: 4e12 }),
      headers: fc.array(fc.tuple(fc.string({ maxLength: 10 }), bytes), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 20 }),
        fc.nat(2 ** 48),
        fc.boolean(),
        async (records, baseOffset, packed) => {
          const batch = recordBatch({
            baseOffset,
            firstTimestamp: 1_700_000_000_000,
            attributes: packed ? 1 : 0,
            ...(packed && { pack: (plain: Buffer) => gzipSync(plain) }),
            records: records.map((each, index) => ({ ...each, offset: baseOffset + index })),
          });
          const { messages, next } = await decodeRecords(batch, baseOffset, []);
          expect(next).toBe(baseOffset + records.length);
          expect(messages).toHaveLength(records.length);
          messages.forEach(({ offset, key, value, timestamp, headers }, index) => {
            const wanted = records[index] as (typeof records)[0];
            expect({ offset, key, value, timestamp }).toEqual({
              ...{ offset: baseOffset + index, key: wanted.key },
              ...{ value: wanted.value, timestamp: wanted.timestamp },
            });
            const names = [...new Set(wanted.headers.map(([name]) => name))];
            expect(Object.keys(headers).sort()).toEqual(names.sort());
            for (const name of names) {
              const values = wanted.headers.filter(([other, content]) => other === name && content !== null);
              expect(headers[name]).toEqual(values.map(([, content]) => content));
            }
          });
        },
      ),
    );
  });

  it('share the memory of what came', async () => {
    const batch = recordBatch({ records: [text(0)] });
    const { messages } = await decodeRecords(batch, 0, []);
    expect(messages[0]?.value?.buffer).toBe(batch.buffer);
  });

  it('begin at the position that was asked for, in the middle of a batch too', async () => {
    const bytes = Buffer.concat([
      recordBatch({ baseOffset: 0, records: [text(0), text(1)] }),
      recordBatch({ baseOffset: 2, records: [text(2), text(3), text(4)] }),
    ]);
    const { messages, next } = await decodeRecords(bytes, 3, []);
    expect(valuesOf(messages)).toEqual(['value 3', 'value 4']);
    expect(next).toBe(5);
    // Nothing but older ones: never a step back.
    expect(await decodeRecords(bytes, 7, [])).toEqual({ messages: [], next: 7 });
  });

  it('leave a batch that is cut off for the next fetch', async () => {
    const first = recordBatch({ baseOffset: 0, records: [text(0), text(1)] });
    const second = recordBatch({ baseOffset: 2, records: [text(2)] });
    for (let length = 0; length < second.length; length++) {
      const { messages, next } = await decodeRecords(Buffer.concat([first, second.subarray(0, length)]), 0, []);
      expect(next).toBe(2);
      expect(valuesOf(messages)).toEqual(['value 0', 'value 1']);
    }
    for (let length = 0; length < first.length; length++) {
      expect(await decodeRecords(first.subarray(0, length), 0, [])).toEqual({ messages: [], next: 0 });
    }
  });

  it('cover the offsets that compaction took out', async () => {
    const bytes = Buffer.concat([
      recordBatch({ baseOffset: 10, lastOffset: 19, records: [text(12), text(15)] }),
      recordBatch({ baseOffset: 20, lastOffset: 24 }),
    ]);
    const { messages, next } = await decodeRecords(bytes, 5, []);
    expect(messages.map(({ offset }) => offset)).toEqual([12, 15]);
    expect(next).toBe(25);
    expect(await decodeRecords(bytes, 22, [])).toEqual({ messages: [], next: 25 });
  });

  it('hide what was aborted, the markers, and nothing of others meanwhile', async () => {
    const bytes = Buffer.concat([
      inTransaction(0, 1),
      inTransaction(3, 2),
      recordBatch({ baseOffset: 6, records: [text(6)] }),
      marker(7, 1, 'abort'),
      inTransaction(8, 1),
      marker(11, 2, 'commit'),
      marker(12, 1, 'commit'),
      inTransaction(13, 2),
      marker(16, 2, 'abort'),
    ]);
    const aborted = [
      { producerId: 2n, firstOffset: 13 },
      { producerId: 1n, firstOffset: 0 },
    ];
    const { messages, next } = await decodeRecords(bytes, 0, aborted);
    expect(messages.map(({ offset }) => offset)).toEqual([3, 4, 5, 6, 8, 9, 10]);
    expect(next).toBe(17);
  });

  it('hide a transaction that began before the position', async () => {
    const bytes = Buffer.concat([inTransaction(0, 1), inTransaction(3, 1), marker(6, 1, 'abort')]);
    const { messages, next } = await decodeRecords(bytes, 4, [{ producerId: 1n, firstOffset: 0 }]);
    expect(messages).toEqual([]);
    expect(next).toBe(7);
  });

  it('hide a control record of an unknown kind', async () => {
    const key = Buffer.from([0, 0, 0, 9]);
    const control = recordBatch({ baseOffset: 1, attributes: CONTROL, records: [{ offset: 1, key }] });
    const bytes = Buffer.concat([recordBatch({ records: [text(0)] }), control]);
    expect(await decodeRecords(bytes, 0, [])).toMatchObject({ messages: [{ offset: 0 }], next: 2 });
  });

  it('have the time of the log where the topic wants it so', async () => {
    const records = [text(0), text(1)];
    const batch = recordBatch({ attributes: LOG_APPEND_TIME, firstTimestamp: 5, maxTimestamp: 99, records });
    const { messages } = await decodeRecords(batch, 0, []);
    expect(messages.map(({ timestamp }) => timestamp)).toEqual([99, 99]);
  });

  it('are refused by name when a byte was changed, wherever it is', async () => {
    const batch = recordBatch({ records: [text(0), text(1)] });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 16, max: batch.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = Buffer.from(batch);
          changed[at] = (changed[at] as number) ^ flip;
          // Below 2 the magic byte says that it is of an older format.
          fc.pre(at !== 16 || (changed[at] as number) > 2);
          await expect(decodeRecords(changed, 0, [])).rejects.toMatchObject({
            code: 'KAFKA_CORRUPT',
            message: expect.stringContaining('offset 0'),
            hint: expect.any(String),
          });
        },
      ),
    );
  });

  it('never do anything but come or be refused, whatever the bytes are that have the right checksum', async () => {
    const batch = recordBatch({
      records: [{ ...text(0), key: Buffer.from('k'), headers: [['h', Buffer.from('v')]] }, text(1)],
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 21, max: batch.length - 1 }), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const changed = Buffer.from(batch);
          for (const [at, byte] of changes) changed[at] = byte;
          try {
            const { messages } = await decodeRecords(withChecksum(changed), 0, []);
            expect(messages.length).toBeLessThanOrEqual(2);
          } catch (error) {
            expect(error).toMatchObject({ code: 'KAFKA_CORRUPT' });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('come up to a damaged batch, and the next fetch, which begins there, is refused', async () => {
    const good = recordBatch({ baseOffset: 0, records: [text(0), text(1)] });
    // Its second record is bad: the first must not come either, or it would come twice.
    const bad = recordBatch({ baseOffset: 2, records: [text(2), text(3)] });
    bad.writeUInt8(0x7f, bad.length - 1);
    withChecksum(bad);
    const late = recordBatch({ baseOffset: 4, records: [text(4)] });
    const { messages, next } = await decodeRecords(Buffer.concat([good, bad, late]), 0, []);
    expect(messages.map(({ offset }) => offset)).toEqual([0, 1]);
    expect(next).toBe(2);
    await expect(decodeRecords(Buffer.concat([bad, late]), 2, [])).rejects.toMatchObject({ code: 'KAFKA_CORRUPT' });
  });

  it('are refused when they do not unpack, or are packed by an unknown codec', async () => {
    for (const codec of [1, 2, 3, 4, 5, 7]) {
      const batch = recordBatch({ attributes: codec, records: [text(0)] });
      await expect(decodeRecords(batch, 0, [])).rejects.toMatchObject({ code: 'KAFKA_CORRUPT' });
    }
  });

  /** As large as a bomb is that is just not believed. */
  const TOO_MUCH = 257 * 1024 * 1024;

  it.each<[string, number, () => Buffer]>([
    ['gzip', 1, () => gzipSync(Buffer.alloc(TOO_MUCH), { level: 1 })],
    ['zstd', 4, () => zstdCompressSync(Buffer.alloc(TOO_MUCH))],
    ['snappy', 2, () => snappyFrames(6, 50 * 1024 * 1024)],
    ['lz4', 3, () => Buffer.concat(Array(5).fill(compressFrame(Buffer.alloc(52 * 1024 * 1024))))],
  ])('do not unpack to any size: %s', async (_name, codec, bomb) => {
    const batch = recordBatch({ attributes: codec, records: [text(0)], pack: bomb });
    expect(batch.length).toBeLessThan(TOO_MUCH / 10);
    const before = process.memoryUsage().rss;
    await expect(decodeRecords(batch, 0, [])).rejects.toMatchObject({
      code: 'KAFKA_CORRUPT',
      message: expect.stringMatching(/larger than/),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(3 * TOO_MUCH);
  });

  it('have no more records than is believed, however small they are', async () => {
    const batch = recordBatch({ attributes: 0, records: [text(0)], count: 2_000_000 });
    await expect(decodeRecords(batch, 0, [])).rejects.toMatchObject({
      code: 'KAFKA_CORRUPT',
      message: expect.stringContaining('2000000 records'),
    });
  });

  it('that unpack to much are left for the next fetch once there is enough of them', async () => {
    const large = (offset: number) =>
      recordBatch({
        baseOffset: offset,
        attributes: 1,
        records: [{ ...text(offset), value: Buffer.alloc(30 * 1024 * 1024) }],
        pack: (plain: Buffer) => gzipSync(plain, { level: 1 }),
      });
    const fetched = Buffer.concat([0, 1, 2, 3, 4].map(large));
    const { messages, next } = await decodeRecords(fetched, 0, []);
    expect(messages.map(({ offset }) => offset)).toEqual([0, 1, 2]);
    expect(next).toBe(3);
    expect((await decodeRecords(fetched, next, [])).messages.map(({ offset }) => offset)).toEqual([3, 4]);
  });

  it('do not unpack to any size in any codec, nor take room for what they only announce', async () => {
    const plain = Buffer.alloc(2 << 20);
    const snappy = (await snappyCodec().compress({ buffer: plain })) as Buffer;
    const packed = [gzipSync(plain), snappy, compressFrame(plain), zstdCompressSync(plain)];
    for (const [index, bytes] of packed.entries()) {
      expect(await decompress(index + 1, bytes, plain.length)).toHaveLength(plain.length);
      await expect(decompress(index + 1, bytes, plain.length - 1)).rejects.toThrow();
    }
    // LZ4 frames of one byte each, whose headers announce blocks of 4 MiB.
    const one = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 1, 0, 0, 0x80, 65, 0, 0, 0, 0]);
    const before = process.memoryUsage().arrayBuffers;
    expect((await decompress(3, Buffer.concat(Array(2000).fill(one)))).toString()).toBe('A'.repeat(2000));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
  });

  it('of a batch that comes twice in an answer are taken once', async () => {
    const batch = recordBatch({ baseOffset: 3, records: [text(3), text(4)] });
    const { messages, next } = await decodeRecords(Buffer.concat([batch, batch]), 3, []);
    expect(messages.map(({ offset }) => offset)).toEqual([3, 4]);
    expect(next).toBe(5);
  });

  it('are refused when there are more of them than the batch says, or their offsets are not its own', async () => {
    const batch = (change: (bytes: Buffer) => void) => {
      const bytes = recordBatch({ baseOffset: 0, records: [text(0), text(1)] });
      change(bytes);
      return decodeRecords(withChecksum(bytes), 0, []);
    };
    await expect(batch((bytes) => bytes.writeInt32BE(1, 57))).rejects.toMatchObject({ code: 'KAFKA_CORRUPT' });
    await expect(batch((bytes) => bytes.writeInt32BE(0, 23))).rejects.toMatchObject({ code: 'KAFKA_CORRUPT' });
    await expect(batch((bytes) => bytes.writeInt32BE(-1, 23))).rejects.toMatchObject({ code: 'KAFKA_CORRUPT' });
  });

  it('are read in the formats from before Kafka 0.11 too', async () => {
    // Two messages of format 1, without a checksum that anybody looks at.
    const message = (offset: number) => {
      const value = Buffer.from(`old ${offset}`);
      const bytes = Buffer.alloc(34 + value.length);
      bytes.writeBigInt64BE(BigInt(offset), 0);
      bytes.writeInt32BE(22 + value.length, 8);
      bytes.writeInt8(1, 16);
      bytes.writeBigInt64BE(1234n, 18);
      bytes.writeInt32BE(-1, 26);
      bytes.writeInt32BE(value.length, 30);
      value.copy(bytes, 34);
      return bytes;
    };
    const { messages, next } = await decodeRecords(Buffer.concat([message(7), message(8)]), 8, []);
    expect(messages).toEqual([{ offset: 8, key: null, timestamp: 1234, value: Buffer.from('old 8'), headers: {} }]);
    expect(next).toBe(9);
  });
});
