/** When a soak has failed: what each measure of a process may rise by within the second half of the time. */
import { type Reading, riseOf, secondHalf } from './slope.ts';
import type { Usage } from './usage.ts';

/** Of an hour's soak at four samples a second: a leak of about 600 bytes a sample, or of one descriptor in 15 minutes. */
export const MOST_RISE = { residentMiB: 8, anonymousMiB: 4, descriptors: 2 } as const;
const FEWEST_READINGS = 20;

/** A sentence for each measure that rises. */
export function judge(name: string, usage: readonly Usage[]): string[] {
  return Object.entries(MOST_RISE).flatMap(([measure, most]) => {
    const readings = seriesOf(usage, measure as keyof typeof MOST_RISE);
    const judged = secondHalf(readings).length;
    if (judged < FEWEST_READINGS) return [`${name}: ${judged} readings of ${measure} are too few to judge by`];
    const rise = riseOf(readings);
    if (rise <= most) return [];
    return [`${name}: ${measure} rises by ${rise.toFixed(1)} within the second half; ${most} is the bound`];
  });
}

export function seriesOf(usage: readonly Usage[], measure: keyof typeof MOST_RISE): Reading[] {
  return usage.map((reading) => ({ at: reading.at, value: reading[measure] }));
}
