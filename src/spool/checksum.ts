/**
 * The checksum of a spooled sample. SQLite's own checks see a broken page, not a changed digit in a row; this sees it.
 * It is over every column but the id: a sample under a wrong number would be accounted for wrongly, and one with a
 * wrong time be thrown away as too old.
 *
 * CRC32 over run_id (16 bytes) | seq | taken_at | monotonic_at (8 bytes each, big-endian) | event_id (16 bytes) |
 * payload as UTF-8.
 */
import { crc32 } from 'node:zlib';

export interface CheckedColumns {
  /** 16 bytes. */
  readonly run_id: Uint8Array;
  /** This and the times: whole numbers below 2^53. */
  readonly seq: number;
  /** 16 bytes. */
  readonly event_id: Uint8Array;
  readonly taken_at: number;
  readonly monotonic_at: number;
  readonly payload: string;
}

export const ID_BYTES = 16;
/** What comes before the payload. */
export const HEAD_BYTES = 56;
const SEQ_AT = 16;
const TAKEN_AT = 24;
const MONOTONIC_AT = 32;
const EVENT_ID_AT = 40;

export function sampleChecksum({ run_id, seq, event_id, taken_at, monotonic_at, payload }: CheckedColumns): number {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.set(run_id, 0);
  writeNumbers(head, seq, taken_at, monotonic_at);
  head.set(event_id, EVENT_ID_AT);
  return crc32(payload, crc32(head));
}

/** The same of a sample that lies in this order in one piece, but for the numbers, which are written into it. */
export function checksumInPlace(sample: Buffer, seq: number, taken_at: number, monotonic_at: number): number {
  writeNumbers(sample, seq, taken_at, monotonic_at);
  return crc32(sample);
}

function writeNumbers(into: Buffer, seq: number, taken_at: number, monotonic_at: number): void {
  writeWhole(into, seq, SEQ_AT);
  writeWhole(into, taken_at, TAKEN_AT);
  writeWhole(into, monotonic_at, MONOTONIC_AT);
}

/** A signed number of 64 bits; without BigInt, since this runs for every sample. */
function writeWhole(into: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 2 ** 32);
  into.writeInt32BE(high, at);
  into.writeUInt32BE(value - high * 2 ** 32, at + 4);
}

/** Whether a row is what was written; false, never a throw, for whatever a damaged file may hold. */
export function isIntact(row: { readonly [column in keyof CheckedColumns | 'crc']: unknown }): boolean {
  const { run_id, seq, event_id, taken_at, monotonic_at, crc, payload } = row;
  if (!(run_id instanceof Uint8Array) || run_id.length !== ID_BYTES) return false;
  if (!(event_id instanceof Uint8Array) || event_id.length !== ID_BYTES) return false;
  if (!isWhole(seq) || seq < 1 || !isWhole(taken_at) || !isWhole(monotonic_at)) return false;
  if (typeof payload !== 'string') return false;
  return sampleChecksum({ run_id, seq, event_id, taken_at, monotonic_at, payload }) === crc;
}

export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
