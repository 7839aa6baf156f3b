/** How one list of gaps becomes another: what a database that holds the first has to delete and to insert. */
import type { Gap } from './account.ts';

export interface GapDifference {
  readonly gone: readonly Gap[];
  readonly come: readonly Gap[];
}

/** Both lists in order; gaps that are alike in all three fields appear in neither result. */
export function gapDifference(before: readonly Gap[], after: readonly Gap[]): GapDifference {
  const gone: Gap[] = [];
  const come: Gap[] = [];
  let old = 0;
  for (const gap of after) {
    for (; (before[old]?.first_seq ?? Number.POSITIVE_INFINITY) < gap.first_seq; old++) gone.push(before[old] as Gap);
    const same = before[old];
    if (same?.first_seq !== gap.first_seq) {
      come.push(gap);
      continue;
    }
    old++;
    if (same.last_seq === gap.last_seq && same.reason === gap.reason) continue;
    gone.push(same);
    come.push(gap);
  }
  for (; old < before.length; old++) gone.push(before[old] as Gap);
  return { gone, come };
}
