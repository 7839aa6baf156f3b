/**
 * The checksum of a spooled sample. SQLite's own checks see a broken page, not a changed digit in a row; this sees it.
 *
 * CRC32 over run_id (16 bytes) | seq (8 bytes, big-endian) | event_id (16 bytes) | payload as UTF-8.
 */
import { crc32 } from 'node:zlib';

const head = (runId: Uint8Array, seq: number, eventId: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(40);
  bytes.set(runId, 0);
  bytes.writeUInt32BE(Math.floor(seq / 2 ** 32), 16);
  bytes.writeUInt32BE(seq % 2 ** 32, 20);
  bytes.set(eventId, 24);
  return bytes;
};

/** `runId` and `eventId`: 16 bytes each; `seq`: 0 to 2^53 − 1. */
export function sampleChecksum(runId: Uint8Array, seq: number, eventId: Uint8Array, payload: string): number {
  return crc32(payload, crc32(head(runId, seq, eventId)));
}

/** Whether a row is what was written; false, never a throw, for whatever a damaged file may hold. */
export function isIntact(
  row: { readonly [column in 'run_id' | 'seq' | 'event_id' | 'crc' | 'payload']: unknown },
): boolean {
  const { run_id, seq, event_id, crc, payload } = row;
  if (!(run_id instanceof Uint8Array) || run_id.length !== 16) return false;
  if (!(event_id instanceof Uint8Array) || event_id.length !== 16) return false;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1 || typeof payload !== 'string') return false;
  return sampleChecksum(run_id, seq, event_id, payload) === crc;
}
