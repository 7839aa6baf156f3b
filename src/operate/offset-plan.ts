/**
 * What an `offsets reset` would do, partition by partition: worked out from what the log and the database have, before
 * anything is changed.
 *
 *              stored                         target
 *   ──────────────┤  start                       │            end
 *      loaded     │▒▒▒│░░░░░░░░░░░░░░░░░░░░░░░░░░░┤─────────────┤
 *                  ▲        ▲ skipped: on record as skipped_by_operator, with whatever gaps it leaves
 *                  expired: the log no longer has it; on record as expired_in_kafka
 *
 * A target before `stored` reads messages again, which makes no row twice: their event_ids are known.
 */
import { HostspoolError } from '../lib/errors.ts';
import type { LogHole, OffsetReset } from '../sink/sink-admin.ts';
import type { PartitionPosition } from './positions.ts';

export type ResetTarget =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** By partition, the first offset that is not older than a time. */
  | { readonly kind: 'time'; readonly offsets: ReadonlyMap<number, number> };

export interface PlannedReset {
  readonly partition: number;
  /** Where the database is; null: never read. */
  readonly from: number | null;
  readonly to: number;
  /** Whether there is anything to set: a partition that was never read begins at the log's start by itself. */
  readonly changes: boolean;
  readonly log_start: number;
  readonly log_end: number;
  /** Messages that are read once more. */
  readonly again: number;
  /** Messages that nobody will read. */
  readonly skipped: number;
  /** Messages that expired in Kafka before they were read. */
  readonly expired: number;
  readonly reset: OffsetReset;
  readonly holes: readonly LogHole[];
}

/** Throws where the target is not in the log, or the log is not the one that was read. `now`: ms since the epoch. */
export function planReset(
  positions: readonly PartitionPosition[],
  target: ResetTarget,
  partitions: readonly number[] | null,
  now: number,
): PlannedReset[] {
  const known = new Map(positions.map((position) => [position.partition, position]));
  const wanted = partitions ?? positions.filter(({ bounds }) => bounds !== null).map((position) => position.partition);
  return wanted.map((partition) => {
    const position = known.get(partition);
    if (position === undefined || position.bounds === null) {
      throw new HostspoolError('PARTITION_UNKNOWN', `the topic has no partition ${partition}`, {
        hint: 'hostspool offsets show lists those it has',
      });
    }
    return planOne(position, targetIn(position.bounds, partition, target), now);
  });
}

type Bounds = NonNullable<PartitionPosition['bounds']>;

function targetIn({ start, end }: Bounds, partition: number, target: ResetTarget): number {
  switch (target.kind) {
    case 'earliest':
      return start;
    case 'latest':
      return end;
    case 'time':
      return Math.min(end, Math.max(start, target.offsets.get(partition) ?? end));
    case 'offset':
      if (target.offset >= start && target.offset <= end) return target.offset;
      throw new HostspoolError(
        'OFFSET_OUTSIDE_LOG',
        `partition ${partition} has no offset ${target.offset}: its log has ${start} to ${end}`,
        { hint: 'name the partitions that are meant with --partition, or take --to-earliest or --to-latest' },
      );
  }
}

function planOne({ partition, bounds, stored }: PartitionPosition, to: number, now: number): PlannedReset {
  const { start, end } = bounds as Bounds;
  const from = stored?.next ?? null;
  if (from !== null && from > end) throw anotherLog(partition);
  const first = Math.max(from ?? start, start);
  const hole = (first_offset: number, next_offset: number, reason: LogHole['reason']): LogHole[] => {
    if (next_offset <= first_offset) return [];
    return [{ partition, epoch: stored?.epoch ?? 0, first_offset, next_offset, reason, found_at: now }];
  };
  return {
    partition,
    from,
    to,
    changes: to !== (from ?? start),
    log_start: start,
    log_end: end,
    again: Math.max(0, (from ?? start) - to),
    skipped: Math.max(0, to - first),
    expired: from === null ? 0 : Math.max(0, start - from),
    reset: { partition, stored, next: to },
    holes: [...hole(from ?? start, start, 'expired_in_kafka'), ...hole(first, to, 'skipped_by_operator')],
  };
}

/** Only the writer can take up such a log rightly: it records what went with the old one. */
export function anotherLog(partition: number): HostspoolError {
  return new HostspoolError(
    'TOPIC_RECREATED',
    `partition ${partition} was made anew since it was read: its offsets mean other messages now`,
    { hint: 'start the writer, which begins at its beginning and puts the change on record; then reset, if need be' },
  );
}
