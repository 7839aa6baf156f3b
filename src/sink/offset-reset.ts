/**
 * A reset of offsets is a load that moves nothing else: the same fence, the same transaction, in which the holes that a
 * skip makes are recorded and those that it goes back over are taken off the record.
 */
import type { Load, LoadOutcome, LogReader } from './sink.ts';
import type { OffsetReset } from './sink-admin.ts';

/** Forgets the evidence, which is about another message; keeps the epoch, and began_at since a load never changes it. */
function resetLoad({ group, topic }: LogReader, resets: readonly OffsetReset[], holes: Load['holes']): Load {
  const offsets = resets.map(({ partition, stored, next }) => ({
    partition,
    expected: stored === null ? null : { epoch: stored.epoch, offset: stored.next },
    epoch: stored?.epoch ?? 0,
    next,
    evidence: null,
    began_at: null,
  }));
  return { group, topic, rows: [], accounts: [], hosts: [], offsets, holes };
}

/** Resets by `load`; answers the partitions whose offset was not as stored: then nothing was changed. */
export async function resetBy(
  load: (load: Load) => Promise<LoadOutcome>,
  reader: LogReader,
  resets: readonly OffsetReset[],
  holes: Load['holes'],
): Promise<readonly number[]> {
  if (resets.length === 0) return [];
  const outcome = await load(resetLoad(reader, resets, holes));
  return outcome.kind === 'fenced' ? outcome.partitions : [];
}
