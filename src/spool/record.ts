/**
 * Rows as SQLite lays them out in a table's leaf page, read without trusting a byte.
 *
 *   cell    payload size (varint) | rowid (varint) | payload, or its beginning | [first overflow page u32]
 *   payload header size (varint) | serial types (varints) | the columns' bytes
 *
 * Every function answers undefined or NaN for what can't be a row of ours, and never throws. The chief test is that
 * the sizes the header announces add up to exactly the payload size the cell announces: garbage hardly ever passes it,
 * so an overflow chain is followed, and memory taken, only for what is almost certainly a row.
 */
import { PAGE_SIZE } from './schema.ts';

/** Largest payload that lies whole in a leaf page, in bytes. */
const WHOLE = PAGE_SIZE - 35;
/** Least that stays in the leaf page when the rest overflows, in bytes. */
const LEAST = Math.floor(((PAGE_SIZE - 12) * 32) / 255) - 23;
/** Bytes of a payload in one overflow page; the first four are the number of the next. */
export const OVERFLOW_SHARE = PAGE_SIZE - 4;

/** Largest record header of ours by far, in bytes: nine columns of at most nine bytes each. */
const LARGEST_HEADER = 90;
/** Largest payload that is believed, in bytes: sixteen times what Kafka takes as one message. */
const LARGEST_PAYLOAD = 16 * 1024 * 1024;

export type Value = null | number | string | Buffer;

/** Where a row begins, before its overflow pages are read. */
export interface Cell {
  /** 1 to 2^53 − 1. */
  readonly rowid: number;
  /** Bytes of the payload, overflow pages included. */
  readonly size: number;
  /** The part of the payload that lies in the page. */
  readonly local: Buffer;
  /** Number of the first overflow page; 0 without one. */
  readonly overflow: number;
}

/** The columns of a record by their serial types, and where the first one's bytes begin. */
export interface Layout {
  readonly types: readonly number[];
  readonly bodyAt: number;
  readonly bodySize: number;
}

/** The varint at `at`; NaN where it runs out of the bytes or over 2^53 − 1. */
export function readVarint(bytes: Buffer, at: number): number {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return Number.NaN;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
  }
  // A ninth byte makes it longer than 53 bits, or was not needed.
  return Number.NaN;
}

/** Bytes of the varint at `at`: 1 to 9. */
export function varintSize(bytes: Buffer, at: number): number {
  let size = 1;
  while (size < 9 && (bytes[at + size - 1] ?? 0) >= 0x80) size++;
  return size;
}

/** Bytes that `value` takes as a varint. */
export function sizeAsVarint(value: number): number {
  let size = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** The cell that begins at `at` of a table's leaf page. */
export function readCell(page: Buffer, at: number): Cell | undefined {
  const size = readVarint(page, at);
  if (!(size >= 2 && size <= LARGEST_PAYLOAD)) return undefined;
  const rowidAt = at + varintSize(page, at);
  const rowid = readVarint(page, rowidAt);
  if (!(rowid >= 1)) return undefined;
  const payloadAt = rowidAt + varintSize(page, rowidAt);
  const localSize = localPart(size);
  const end = payloadAt + localSize;
  if (end + (localSize < size ? 4 : 0) > page.length) return undefined;
  const overflow = localSize < size ? page.readUInt32BE(end) : 0;
  return { rowid, size, local: page.subarray(payloadAt, end), overflow };
}

/** The header of a record whose payload has `size` bytes; `size` undefined takes what the header announces. */
export function readLayout(local: Buffer, size: number | undefined): Layout | undefined {
  const headerSize = readVarint(local, 0);
  if (!(headerSize >= 2 && headerSize <= LARGEST_HEADER && headerSize <= local.length)) return undefined;
  const types: number[] = [];
  let bodySize = 0;
  let at = varintSize(local, 0);
  while (at < headerSize) {
    const type = readVarint(local, at);
    const bytes = sizeOfType(type);
    if (Number.isNaN(bytes)) return undefined;
    types.push(type);
    bodySize += bytes;
    at += varintSize(local, at);
  }
  if (at !== headerSize || bodySize > LARGEST_PAYLOAD) return undefined;
  if (size !== undefined && headerSize + bodySize !== size) return undefined;
  return { types, bodyAt: headerSize, bodySize };
}

/** The columns' values. Integers beyond 2^53 and reals come as NaN: none of ours is. Nothing refers to `payload`. */
export function readValues(payload: Buffer, { types, bodyAt }: Layout): Value[] {
  let at = bodyAt;
  return types.map((type) => {
    const from = at;
    at += sizeOfType(type);
    return readValue(payload, type, from, at);
  });
}

function readValue(payload: Buffer, type: number, from: number, to: number): Value {
  if (type === 0) return null;
  if (type <= 5) return type === 5 ? payload.readIntBE(from, 6) : payload.readIntBE(from, type);
  if (type === 6) {
    const value = payload.readBigInt64BE(from);
    return BigInt.asIntN(53, value) === value ? Number(value) : Number.NaN;
  }
  if (type === 7) return Number.NaN;
  if (type <= 9) return type - 8;
  return type % 2 === 0 ? Buffer.from(payload.subarray(from, to)) : payload.toString('utf8', from, to);
}

/** Bytes of a column of this serial type; NaN for the types that are reserved. */
function sizeOfType(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type] ?? Number.NaN;
}

/** How much of a payload of `size` bytes lies in the leaf page. */
function localPart(size: number): number {
  if (size <= WHOLE) return size;
  const wanted = LEAST + ((size - LEAST) % OVERFLOW_SHARE);
  return wanted <= WHOLE ? wanted : LEAST;
}
