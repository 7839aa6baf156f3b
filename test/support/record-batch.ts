/** Record batches byte by byte, to be read by the code under test: also such as no producer would write. */
import crc32c from 'crc-32/crc32c.js';

export interface BatchOptions {
  readonly baseOffset?: number;
  /** Offset of the last record that the batch ever had; compaction may have taken it. */
  readonly lastOffset?: number;
  readonly records?: readonly RecordFields[];
  readonly attributes?: number;
  readonly producerId?: number;
  readonly firstTimestamp?: number;
  readonly maxTimestamp?: number;
  readonly magic?: number;
  /** How many records it says it has; as many as it has unless this is set. */
  readonly count?: number;
  readonly pack?: (records: Buffer) => Buffer;
}

export interface RecordFields {
  readonly offset: number;
  readonly timestamp?: number;
  readonly key?: Buffer | null;
  readonly value?: Buffer | null;
  readonly headers?: readonly (readonly [string, Buffer | null])[];
}

export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;
export const LOG_APPEND_TIME = 0x08;

export function recordBatch(options: BatchOptions = {}): Buffer {
  const { baseOffset = 0, records = [], attributes = 0, producerId = -1, firstTimestamp = 1000, magic = 2 } = options;
  const { lastOffset = records.at(-1)?.offset ?? baseOffset, maxTimestamp = firstTimestamp, pack } = options;
  const plain = Buffer.concat(records.map((record) => encodeRecord(record, baseOffset, firstTimestamp)));
  const body = pack === undefined ? plain : pack(plain);
  const bytes = Buffer.alloc(61 + body.length);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt8(magic, 16);
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE(lastOffset - baseOffset, 23);
  bytes.writeBigInt64BE(BigInt(firstTimestamp), 27);
  bytes.writeBigInt64BE(BigInt(maxTimestamp), 35);
  bytes.writeBigInt64BE(BigInt(producerId), 43);
  bytes.writeInt32BE(options.count ?? records.length, 57);
  body.copy(bytes, 61);
  return withChecksum(bytes);
}

/** The end of a transaction. */
export function marker(offset: number, producerId: number, kind: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]);
  const records = [{ offset, key, value: Buffer.alloc(6) }];
  return recordBatch({ baseOffset: offset, attributes: TRANSACTIONAL | CONTROL, producerId, records });
}

/** The same bytes with the checksum that they should have. */
export function withChecksum(bytes: Buffer): Buffer {
  bytes.writeInt32BE(crc32c.buf(bytes.subarray(21), 0), 17);
  return bytes;
}

function encodeRecord(record: RecordFields, baseOffset: number, firstTimestamp: number): Buffer {
  const { offset, timestamp = firstTimestamp, key = null, value = null, headers = [] } = record;
  const fields = Buffer.concat([
    Buffer.from([0]),
    varint(timestamp - firstTimestamp),
    varint(offset - baseOffset),
    field(key),
    field(value),
    varint(headers.length),
    ...headers.flatMap(([name, content]) => [field(Buffer.from(name)), field(content)]),
  ]);
  return Buffer.concat([varint(fields.length), fields]);
}

function field(bytes: Buffer | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
}

/** Zigzag, seven bits a byte. */
function varint(value: number): Buffer {
  let rest = value < 0 ? BigInt(-value) * 2n - 1n : BigInt(value) * 2n;
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}
