/**
 * Writes a record batch of Kafka's format 2 (0.11 and later): the counterpart of record-batches.ts.
 *
 *   61 bytes of header │ { length │ attributes │ time │ offset │ key │ value │ headers }*
 *
 * The lengths of all records are worked out first, then everything is written once, into one buffer: the texts go
 * straight from the spool into what is packed. All messages of a batch have one timestamp, that of sending, and offsets
 * from 0 on; the broker gives them their own. Without an idempotent producer: see producer.ts.
 */
import crc32c from 'crc-32/crc32c.js';
import { compress } from './codecs.ts';

export interface OutgoingMessage {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  /** One name may have several values. */
  readonly headers?: Readonly<Record<string, string | Buffer | readonly Buffer[]>>;
}

const HEADER_BYTES = 61;
/** What the length of a batch does not count: its first offset and the length itself. */
const PREFIX_BYTES = 12;
const MAGIC_AT = 16;
const MAGIC = 2;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_AT = 23;
const FIRST_TIME_AT = 27;
const LAST_TIME_AT = 35;
const PRODUCER_AT = 43;
const PRODUCER_BYTES = 8;
const COUNT_AT = 57;
/** Attributes and time of a record: both are 0. */
const FIXED_BYTES = 2;

/** `compression`: Kafka's number of the codec. */
export async function encodeBatch(
  messages: readonly OutgoingMessage[],
  timestamp: number,
  compression: number,
): Promise<Buffer> {
  const records = await compress(compression, encodeRecords(messages));
  const batch = Buffer.alloc(HEADER_BYTES + records.length);
  batch.writeInt32BE(batch.length - PREFIX_BYTES, PREFIX_BYTES - 4);
  batch[MAGIC_AT] = MAGIC;
  batch.writeInt16BE(compression, ATTRIBUTES_AT);
  batch.writeInt32BE(messages.length - 1, LAST_OFFSET_AT);
  const time = BigInt(Math.floor(timestamp));
  batch.writeBigInt64BE(time, FIRST_TIME_AT);
  batch.writeBigInt64BE(time, LAST_TIME_AT);
  batch.fill(0xff, PRODUCER_AT, PRODUCER_AT + PRODUCER_BYTES);
  batch.writeInt32BE(messages.length, COUNT_AT);
  records.copy(batch, HEADER_BYTES);
  batch.writeInt32BE(crc32c.buf(batch.subarray(ATTRIBUTES_AT), 0), CRC_AT);
  return batch;
}

/** The records without the batch's header, not packed. */
export function encodeRecords(messages: readonly OutgoingMessage[]): Buffer {
  const lengths: number[] = new Array(messages.length);
  let total = 0;
  for (let index = 0; index < messages.length; index++) {
    const length = lengthOf(messages[index] as OutgoingMessage, index);
    lengths[index] = length;
    total += varintLength(length) + length;
  }
  const bytes = Buffer.allocUnsafe(total);
  let at = 0;
  for (let index = 0; index < messages.length; index++) {
    const { key, value, headers } = messages[index] as OutgoingMessage;
    at = writeVarint(bytes, lengths[index] as number, at);
    bytes[at++] = 0;
    bytes[at++] = 0;
    at = writeVarint(bytes, index, at);
    at = writeField(bytes, key, at);
    at = writeField(bytes, value, at);
    at = headers === undefined ? writeVarint(bytes, 0, at) : writeHeaders(bytes, headers, at);
  }
  return bytes;
}

function lengthOf({ key, value, headers }: OutgoingMessage, index: number): number {
  let length = FIXED_BYTES + varintLength(index) + fieldLength(key) + fieldLength(value);
  const list = headers === undefined ? [] : headersOf(headers);
  length += varintLength(list.length);
  for (const [name, content] of list) length += fieldLength(name) + fieldLength(content);
  return length;
}

function writeHeaders(bytes: Buffer, headers: NonNullable<OutgoingMessage['headers']>, begin: number): number {
  const list = headersOf(headers);
  let at = writeVarint(bytes, list.length, begin);
  for (const [name, content] of list) at = writeField(bytes, content, writeField(bytes, name, at));
  return at;
}

function headersOf(headers: NonNullable<OutgoingMessage['headers']>): [name: string, content: string | Buffer][] {
  return Object.entries(headers).flatMap(([name, given]) => {
    const contents = typeof given === 'string' || Buffer.isBuffer(given) ? [given] : given;
    return contents.map((content): [string, string | Buffer] => [name, content]);
  });
}

function fieldLength(field: string | Buffer | null): number {
  if (field === null) return varintLength(-1);
  const length = typeof field === 'string' ? Buffer.byteLength(field) : field.length;
  return varintLength(length) + length;
}

function writeField(bytes: Buffer, field: string | Buffer | null, begin: number): number {
  if (field === null) return writeVarint(bytes, -1, begin);
  if (typeof field !== 'string') {
    const at = writeVarint(bytes, field.length, begin);
    return at + field.copy(bytes, at);
  }
  const at = writeVarint(bytes, Buffer.byteLength(field), begin);
  return at + bytes.write(field, at);
}

/** Zigzag, seven bits a byte, the lowest first. */
function writeVarint(bytes: Buffer, value: number, begin: number): number {
  let at = begin;
  let rest = (value << 1) ^ (value >> 31);
  for (; rest >>> 0 > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

function varintLength(value: number): number {
  const zigzag = (value << 1) ^ (value >> 31);
  return zigzag === 0 ? 1 : Math.ceil((32 - Math.clz32(zigzag)) / 7);
}
