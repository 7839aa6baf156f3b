/** Taking samples out of the spool without their having been sent: each becomes part of a note, in the same transaction. */
import type { LossReason } from '../sample/note.ts';
import { isIntact } from './checksum.ts';
import type { Loss, Notes } from './notes.ts';
import type { SampleHead, SampleRow, Store } from './store.ts';

/**
 * Deletes these samples, which must be neighbours in the file, and notes them. A number missing between two of them
 * was lost earlier and has its own note. Inside a transaction. `at`: wall clock, ms.
 */
export function evict(
  store: Store,
  notes: Notes,
  samples: readonly Pick<SampleHead, 'id' | 'run_id' | 'seq'>[],
  reason: LossReason,
  at: number,
): void {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return;
  for (const loss of stretches(samples, reason)) {
    notes.lost(loss, at);
    store.raiseRun.run({ run: loss.runId, acked: 0, last: loss.last });
  }
  store.deleteBetween.run(first.id, last.id);
}

/**
 * The oldest samples behind this id while they go, at most `limit`; up to the first that is not what was written, since
 * its number and its age are not to be believed: undefined if that is the very first. One at a time in memory.
 */
export function going(
  store: Store,
  after: number,
  limit: number,
  goes: (sample: SampleHead) => boolean,
): readonly SampleHead[] | undefined {
  const found: SampleHead[] = [];
  for (const { payload, ...row } of store.after.iterate(after)) {
    if (found.length === limit) break;
    if (!isIntact({ ...row, payload })) return found.length === 0 ? undefined : found;
    const head = { ...row, size: Buffer.byteLength(payload) };
    if (!goes(head)) break;
    found.push(head);
  }
  return found;
}

function stretches(samples: readonly Pick<SampleHead, 'run_id' | 'seq'>[], reason: LossReason): Loss[] {
  const found: Loss[] = [];
  for (const { run_id, seq } of samples) {
    const previous = found.at(-1);
    if (previous?.last === seq - 1 && previous.runId.equals(run_id))
      found[found.length - 1] = { ...previous, last: seq };
    else found.push({ runId: run_id, first: seq, last: seq, reason, exact: true });
  }
  return found;
}

/**
 * Deletes the damaged samples that begin at this id. What a damaged row says of itself is not to be trusted, so its
 * identity comes from its intact neighbours: the numbers between theirs. If there are exactly as many as rows that is
 * certain; otherwise some of them were lost earlier, or a whole run lies between, and the note may say too much.
 *
 * Inside a transaction; answers how many it deleted. `lastOf`: the greatest number known of a run. `at`: wall clock, ms.
 */
export function dropDamaged(
  store: Store,
  notes: Notes,
  id: number,
  lastOf: (run: Buffer) => number,
  at: number,
): number {
  const damaged: SampleRow[] = [];
  let next: SampleRow | undefined;
  for (const row of store.after.iterate(id - 1)) {
    if (isIntact(row)) {
      next = row;
      break;
    }
    damaged.push({ ...row, payload: '' });
  }
  const [first] = damaged;
  const last = damaged.at(-1);
  if (first === undefined || last === undefined) return 0;
  // One that is with the drainer may have come from memory, and be damaged in the file as well.
  const before = store.before.get(first.id);
  const previous = before !== undefined && isIntact(before) ? before : undefined;
  const losses = stretchesBetween(store, previous, next, damaged, lastOf);
  const possible = losses.reduce((sum, loss) => sum + loss.last - loss.first + 1, 0);
  const exact = possible === damaged.length;
  let uncounted = damaged.length;
  for (const loss of losses) {
    const samples = Math.min(uncounted, loss.last - loss.first + 1);
    uncounted -= samples;
    notes.lost({ ...loss, exact, samples }, at);
    store.raiseRun.run({ run: loss.runId, acked: 0, last: loss.last });
  }
  store.deleteBetween.run(first.id, last.id);
  return damaged.length;
}

/** The numbers that may have stood between two intact rows, run by run. */
function stretchesBetween(
  store: Store,
  previous: SampleRow | undefined,
  next: SampleRow | undefined,
  damaged: readonly SampleRow[],
  lastOf: (run: Buffer) => number,
): Loss[] {
  const runs = store.runs();
  const known = damaged.every((row) => runs.some((run) => run.run_id.equals(row.run_id)));
  const indexOf = (row: SampleRow | undefined): number => runs.findIndex((run) => row?.run_id.equals(run.run_id));
  const from = Math.max(0, indexOf(previous));
  const to = next === undefined ? runs.length - 1 : indexOf(next);
  const losses: Loss[] = [];
  for (const run of runs.slice(from, to + 1)) {
    // A run_id that the table of runs has is right: no damage makes one of its 128-bit numbers out of another.
    if (known && !damaged.some((row) => row.run_id.equals(run.run_id))) continue;
    const after = previous?.run_id.equals(run.run_id) ? previous.seq : run.acked_seq;
    const before = next?.run_id.equals(run.run_id) ? next.seq : lastOf(run.run_id) + 1;
    if (after + 1 < before) {
      losses.push({ runId: run.run_id, first: after + 1, last: before - 1, reason: 'spool_corrupt', exact: false });
    }
  }
  return losses;
}
