/**
 * How full a filesystem is, with psutil's meanings: used is everything that is not free, the blocks reserved for root
 * counting as free; the percentage is of what users can have: used / (used + available to users).
 */
import { FIELDS, fieldIndex } from '../sample/fields.ts';
import type { FilesystemUsage } from './statfs-calls.ts';
import { gib, percentOf } from './values.ts';

export interface Usage {
  /** GiB. */
  readonly total: number;
  /** GiB. */
  readonly used: number;
  /** 0–100. */
  readonly percent: number;
}

/** More is refused by every reader. */
const LARGEST_GIB = FIELDS[fieldIndex('disk_total_gb')]?.kind.max ?? 0;

/** Undefined where the answer is not one: a filesystem in user space may say anything. */
export function usageOf(answer: FilesystemUsage): Usage | undefined {
  const unit = answer.frsize || answer.bsize;
  const blocks = answer.blocks;
  if (![unit, blocks, answer.bfree, answer.bavail].every((value) => Number.isFinite(value) && value >= 0)) {
    return undefined;
  }
  const used = Math.max(0, blocks - answer.bfree);
  // An overdrawn reserve is negative to the kernel and comes out as a huge unsigned number: nothing is available.
  const available = answer.bavail > blocks ? 0 : answer.bavail;
  const total = gib(blocks * unit);
  if (Number.isNaN(total) || total > LARGEST_GIB) return undefined;
  return { total, used: gib(used * unit), percent: percentOf(used, used + available) };
}
