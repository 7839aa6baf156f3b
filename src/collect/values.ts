/** How raw numbers become the values of the wire contract: finite, in their range, two decimals. */
import { round2 } from '../lib/rounding.ts';
import { COUNTER_SPAN } from './byte-cursor.ts';

const MIB_PER_KIB = 1 / 1024;
const BYTES_PER_GIB = 1024 ** 3;

/** `part` of `whole` in percent, 0–100, two decimals; 0 of an empty whole, as psutil has it. */
export function percentOf(part: number, whole: number): number {
  return whole > 0 ? percent((part / whole) * 100) : 0;
}

/** A percentage as somebody else computed it, held in 0–100, two decimals. */
export function percent(value: number): number {
  return round2(Math.min(100, Math.max(0, value)));
}

/** KiB as the kernel shows them, in MiB. */
export function mib(kib: number): number {
  return round2(kib * MIB_PER_KIB);
}

/** Bytes in GiB. */
export function gib(bytes: number): number {
  return round2(bytes / BYTES_PER_GIB);
}

/** The sum of two counters in [0, 2^53), modulo 2^53; exact, although the plain sum would not be. */
export function addCounters(a: number, b: number): number {
  return a >= COUNTER_SPAN - b ? a - (COUNTER_SPAN - b) : a + b;
}

/** `sectors` of 512 bytes, whatever the disk's own sector is, in bytes; modulo 2^53 and exact. */
export function sectorBytes(sectors: number): number {
  return (sectors % (COUNTER_SPAN / 512)) * 512;
}
