/**
 * What a dead agent's `spool.seq` says, read past the product: the last sequence number whose append had begun.
 *
 * Sixty-four-byte slots, two a run, big-endian: magic 'hsT1', flags, boot, reserved (four bytes each), run_id (16),
 * seq (8), CRC32 of the 40 bytes before it.
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const SLOT = 64;
const MAGIC = 0x68735431;
/** What follows the slots is no slot. */
const SLOTS = 62;

/** The greatest number that the file has for the run; undefined where it knows nothing of it. */
export function tailOf(path: string, runId: string): number | undefined {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch {
    return undefined;
  }
  let greatest: number | undefined;
  for (let at = 0; at + SLOT <= Math.min(content.length, SLOTS * SLOT); at += SLOT) {
    const slot = content.subarray(at, at + SLOT);
    if (slot.readUInt32BE(0) !== MAGIC || slot.readUInt32BE(40) !== crc32(slot.subarray(0, 40))) continue;
    if (slot.toString('hex', 16, 32) !== runId.replaceAll('-', '')) continue;
    greatest = Math.max(greatest ?? 0, Number(slot.readBigUInt64BE(32)));
  }
  return greatest;
}
