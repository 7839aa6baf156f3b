/**
 * What is known to be gone after the readable rows of a damaged spool were carried over.
 *
 * Saying too much is harmless: a sample that arrives outranks a note that it is lost. Saying too little is a silent
 * loss. So where it is not certain, the doubt goes against the sample, and the note says `exact: false`.
 *
 * Of each run that anything is known of: everything from the first number that was not acknowledged to the last that
 * is known to have been taken, except what was carried over and what a surviving note already says.
 *
 *   first  acked_seq + 1, if the run's row survived and nothing contradicts it; else 1; behind what the tail file has
 *          as acknowledged in any case
 *   last   the greatest of: samples carried over; the run's row; notes; the tail file; and, for a run that was not
 *          ended, what the ids tell: they count on by one with each sample stored, so ids missing behind its last
 *          sample, and not needed for the numbers of the run that comes next, may have been its own
 */
import type { SeqSet, Stretch } from './seq-set.ts';

/** What is known of one run. */
export interface RunEvidence {
  /** The run's row; undefined if it was not found. */
  readonly row: { readonly last_seq: number; readonly acked_seq: number; readonly ended: string | null } | undefined;
  /** Whether that row is the only one found of the run. */
  readonly certain: boolean;
  /** Samples that were carried over. */
  readonly present: SeqSet;
  /** Samples that surviving notes say are lost. */
  readonly noted: SeqSet;
  /** The greatest number that a note, or the tail file, speaks of; 0 without either. */
  readonly heardOf: number;
  /** A number up to which the tail file says that all is acknowledged, and the notes about it; 0 without one. */
  readonly acked: number;
  /** Ids missing behind the run's last sample that may have been its own. */
  readonly idsBehind: number;
}

export interface Gone extends Stretch {
  readonly exact: boolean;
}

export interface RunAccount {
  readonly gone: readonly Gone[];
  /** Samples of it for the totals: without what was most likely acknowledged long ago. */
  readonly samples: number;
  /** The last number known to have been taken. */
  readonly lastSeq: number;
  readonly ackedSeq: number;
}

export function accountFor({ row, certain, present, noted, heardOf, acked, idsBehind }: RunEvidence): RunAccount {
  const contradicted = row !== undefined && present.first > 0 && row.acked_seq >= present.first;
  const exact = row !== undefined && certain && !contradicted;
  const ackedSeq = Math.max(exact ? row.acked_seq : 0, acked);
  const told = Math.max(present.last, row?.last_seq ?? 0, heardOf);
  const isOver = row !== undefined && certain && row.ended !== null;
  const lastSeq = isOver || present.last === 0 ? told : Math.max(told, present.last + idsBehind);
  const gone: Gone[] = [];
  let samples = 0;
  for (const gap of present.missing(ackedSeq + 1, lastSeq)) {
    for (const { first, last } of noted.missing(gap.first, gap.last)) {
      gone.push({ first, last, exact: exact && last <= told });
      const doubtful = !exact && last < present.first;
      if (!doubtful) samples += last - first + 1;
    }
  }
  return { gone, samples, lastSeq, ackedSeq };
}
