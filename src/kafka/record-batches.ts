/**
 * From the bytes that a fetch brought of one partition to messages.
 *
 *   batch: offset │ length │ epoch │ magic │ CRC │ attributes │ last offset │ … producer │ … count │ records (compressed)
 *
 * The batches' headers tell which offsets were covered, whether or not a message is left of them: compaction takes
 * records out, control records and what a transaction aborted are nobody's to see. The last batch may be cut off at
 * the byte bound; it is left for the next fetch. Each batch is held against its checksum (kafkajs does not) before it
 * is unpacked. What was good before a bad batch is given; the next fetch then begins at the bad one, and that throws.
 *
 * Keys and values are parts of the bytes that came, or of what they unpacked to: nothing is copied.
 */
import crc32c from 'crc-32/crc32c.js';
import { asError, HostspoolError } from '../lib/errors.ts';
import { decompress, LARGEST_UNPACKED } from './codecs.ts';
import type { FetchedMessage } from './log-session.ts';
import { decodeMessageSet } from './message-set.ts';
import { RecordCursor } from './record-cursor.ts';

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface Records {
  /** In order of offset, none below the position asked for. */
  readonly messages: readonly FetchedMessage[];
  /** The first offset after all that was covered. */
  readonly next: number;
}

/** Offset and length, which the length does not count. */
const PREFIX_BYTES = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const HEADER_BYTES = 61;
/** So much of one fetch is unpacked at once, in bytes. */
const MOST_UNPACKED = LARGEST_UNPACKED / 4;
const CURRENT_MAGIC = 2;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** A batch of more records is not believed: a few kilobytes can be made to hold any number of empty ones. */
const MOST_RECORDS = 1_000_000;
/** The type in a control record's key: the transaction was given up. */
const ABORT = 0;
const NO_HEADERS: FetchedMessage['headers'] = Object.freeze({});

interface Batch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly count: number;
  readonly records: Buffer;
}

/** Throws KAFKA_CORRUPT when the first batch that is wanted can't be read. */
export async function decodeRecords(
  bytes: Buffer,
  position: number,
  aborted: readonly AbortedTransaction[],
): Promise<Records> {
  if (bytes.length > MAGIC_AT && (bytes[MAGIC_AT] as number) < CURRENT_MAGIC) {
    return decodeMessageSet(bytes, position).catch((thrown) => {
      throw corrupt(position, thrown);
    });
  }
  const messages: FetchedMessage[] = [];
  const hidden = new HiddenTransactions(aborted);
  let next = position;
  let good = 0;
  let unpacked = 0;
  try {
    // What is too much for one fetch is left for the next.
    for (let at = 0; at + HEADER_BYTES <= bytes.length && unpacked < MOST_UNPACKED; ) {
      const end = at + PREFIX_BYTES + bytes.readInt32BE(at + 8);
      if (end > bytes.length) break;
      const batch = readBatch(bytes, at, end);
      at = end;
      if (batch.lastOffset < next) continue;
      if (!hidden.hides(batch)) unpacked += await decodeBatch(batch, next, messages);
      next = batch.lastOffset + 1;
      good = messages.length;
    }
  } catch (thrown) {
    if (next === position) throw corrupt(next, thrown);
    messages.length = good;
  }
  return { messages, next };
}

function readBatch(bytes: Buffer, at: number, end: number): Batch {
  if (end < at + HEADER_BYTES) throw new Error('a record batch that is shorter than its header');
  const magic = bytes[at + MAGIC_AT];
  if (magic !== CURRENT_MAGIC) throw new Error(`a record batch of the unknown format ${magic}`);
  if (crc32c.buf(bytes.subarray(at + ATTRIBUTES_AT, end), 0) !== bytes.readInt32BE(at + CRC_AT)) {
    throw new Error('a record batch does not match its checksum');
  }
  const baseOffset = Number(bytes.readBigInt64BE(at));
  const lastOffset = baseOffset + bytes.readInt32BE(at + 23);
  if (lastOffset < baseOffset || !Number.isSafeInteger(lastOffset + 1)) {
    throw new Error(`a record batch from offset ${baseOffset} to ${lastOffset}`);
  }
  return {
    baseOffset,
    lastOffset,
    attributes: bytes.readInt16BE(at + ATTRIBUTES_AT),
    firstTimestamp: Number(bytes.readBigInt64BE(at + 27)),
    maxTimestamp: Number(bytes.readBigInt64BE(at + 35)),
    producerId: bytes.readBigInt64BE(at + 43),
    count: bytes.readInt32BE(at + 57),
    records: bytes.subarray(at + HEADER_BYTES, end),
  };
}

/** Answers how many bytes there were to unpack. */
async function decodeBatch(batch: Batch, position: number, messages: FetchedMessage[]): Promise<number> {
  if (batch.count <= 0) return 0;
  if (batch.count > MOST_RECORDS) throw new Error(`a record batch of ${batch.count} records`);
  const codec = batch.attributes & CODEC_MASK;
  const bytes = codec === 0 ? batch.records : await decompress(codec, batch.records);
  const cursor = new RecordCursor(bytes);
  const appendTime = (batch.attributes & LOG_APPEND_TIME) === 0 ? undefined : batch.maxTimestamp;
  let before = batch.baseOffset - 1;
  for (let left = batch.count; left > 0; left--) {
    const end = cursor.varint() + cursor.position;
    if (end > bytes.length) throw new Error('a record that is longer than its batch');
    cursor.skip(1); // attributes: none are defined
    const timestamp = batch.firstTimestamp + cursor.varlong();
    const offset = batch.baseOffset + cursor.varint();
    const key = cursor.bytes();
    const value = cursor.bytes();
    const headers = readHeaders(cursor);
    if (cursor.position !== end) throw new Error('a record is not as long as it says');
    if (offset <= before || offset > batch.lastOffset) throw new Error('a record’s offset is not one of its batch');
    before = offset;
    if (offset >= position) messages.push({ offset, key, timestamp: appendTime ?? timestamp, value, headers });
  }
  if (cursor.position !== bytes.length) throw new Error('a record batch has more in it than it says');
  return codec === 0 ? 0 : bytes.length;
}

function readHeaders(cursor: RecordCursor): FetchedMessage['headers'] {
  let left = cursor.varint();
  if (left === 0) return NO_HEADERS;
  if (left < 0) throw new Error('a record with less than no headers');
  // A name is anybody's choice, `__proto__` too.
  const headers: Record<string, Buffer[]> = Object.create(null);
  for (; left > 0; left--) {
    const name = cursor.bytes()?.toString() ?? '';
    const value = cursor.bytes();
    headers[name] ??= [];
    if (value !== null) headers[name].push(value);
  }
  return headers;
}

/** Which batches a reader of committed messages does not see. The broker lists what was aborted within a fetch. */
class HiddenTransactions {
  readonly #waiting: AbortedTransaction[];
  readonly #running = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** To be asked of each batch, in their order. */
  hides(batch: Batch): boolean {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.firstOffset > batch.lastOffset) break;
      this.#running.add(first.producerId);
      this.#waiting.shift();
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbort(batch)) this.#running.delete(batch.producerId);
      return true;
    }
    return (batch.attributes & TRANSACTIONAL) !== 0 && this.#running.has(batch.producerId);
  }
}

/** A control batch holds one record, never compressed; its key is a version and a type. */
function isAbort(batch: Batch): boolean {
  const cursor = new RecordCursor(batch.records);
  cursor.varint();
  cursor.skip(1);
  cursor.varlong();
  cursor.varint();
  const key = cursor.bytes();
  return key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT;
}

function corrupt(offset: number, thrown: unknown): HostspoolError {
  const what = asError(thrown).message;
  return new HostspoolError('KAFKA_CORRUPT', `what lies at offset ${offset} can't be read: ${what}`, {
    hint: 'when it stays so, the log is damaged: look at it with kafka-dump-log on the partition’s leader',
    cause: thrown,
  });
}
