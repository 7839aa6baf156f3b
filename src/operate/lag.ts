/**
 * `hostspool lag`: how many messages of the topic are not in the database yet, and how old the oldest of them is.
 *
 * Where the log no longer has what is to be read next, messages are gone unread; where it ends before that, or has
 * another message where the last one was taken, the topic was made anew. Both are told loudly: the writer records them
 * when it gets there, but a person may want to know before.
 */
import type { Clock } from '../lib/clock.ts';
import type { LogReader } from '../sink/sink.ts';
import { type LagThresholds, lagFindings } from './lag-findings.ts';
import type { LogAdmin } from './log-admin.ts';
import { type Verdict, verdictOf } from './monitoring.ts';
import { isAnotherLog, type OpenOffsets, type PartitionPosition, type Positions, readPositions } from './positions.ts';

/**
 * `ok`: read up to `committed`. `never_read`: the group has no offset. `expired`: the log begins after it.
 * `recreated`: the log ends before it, or is another one. `gone`: the topic has no such partition any more.
 */
export type PartitionState = 'ok' | 'never_read' | 'expired' | 'recreated' | 'gone';

export interface PartitionLag {
  readonly partition: number;
  readonly state: PartitionState;
  /** The offset of the first message not yet loaded; null: never read. */
  readonly committed: number | null;
  readonly log_start: number | null;
  readonly log_end: number | null;
  /** Messages that the log has and the group has yet to read. */
  readonly lag: number;
  /** Offsets that the log no longer has and nobody read. */
  readonly expired: number;
  /** Kafka's time of the oldest message not yet read; null: there is none, or it can't be told. */
  readonly oldest_unread: string | null;
  readonly oldest_unread_age_seconds: number;
}

export interface LagReport extends Verdict {
  readonly checked_at: string;
  readonly topic: string;
  readonly group: string;
  /** Whose offsets these are. */
  readonly source: Positions['source'];
  /** Why the database was not asked although one is configured. */
  readonly database_error: { readonly code: string; readonly message: string } | null;
  readonly lag: number;
  readonly expired: number;
  readonly oldest_unread: string | null;
  readonly oldest_unread_age_seconds: number;
  readonly partitions: readonly PartitionLag[];
}

/** Partitions whose oldest message is read side by side: each may bring a batch of a megabyte. */
const SIDE_BY_SIDE = 8;

export async function readLag(
  log: LogAdmin,
  database: OpenOffsets,
  reader: LogReader,
  thresholds: LagThresholds,
  clock: Clock,
): Promise<LagReport> {
  const positions = await readPositions(log, database, reader);
  const partitions: PartitionLag[] = [];
  for (let from = 0; from < positions.partitions.length; from += SIDE_BY_SIDE) {
    const some = positions.partitions.slice(from, from + SIDE_BY_SIDE);
    partitions.push(...(await Promise.all(some.map((each) => lagOf(each, positions.source, log, reader, clock)))));
  }
  const { database_error } = positions;
  const oldest = partitions.reduce<PartitionLag | undefined>(
    (worst, each) => (each.oldest_unread_age_seconds > (worst?.oldest_unread_age_seconds ?? 0) ? each : worst),
    partitions.find((each) => each.oldest_unread !== null),
  );
  const facts = {
    checked_at: new Date(clock.now()).toISOString(),
    topic: reader.topic,
    group: reader.group,
    source: positions.source,
    database_error: database_error && { code: database_error.code, message: database_error.message },
    lag: sum(partitions.map(({ lag }) => lag)),
    expired: sum(partitions.map(({ expired }) => expired)),
    oldest_unread: oldest?.oldest_unread ?? null,
    oldest_unread_age_seconds: oldest?.oldest_unread_age_seconds ?? 0,
    partitions,
  };
  return { ...verdictOf(lagFindings(facts, thresholds)), ...facts };
}

async function lagOf(
  position: PartitionPosition,
  source: Positions['source'],
  log: LogAdmin,
  { topic }: LogReader,
  clock: Clock,
): Promise<PartitionLag> {
  const { partition, bounds, stored } = position;
  const committed = source === 'database' ? (stored?.next ?? null) : position.committed;
  const isOther = source === 'database' && (await isAnotherLog(log, topic, position));
  const state = isOther ? 'recreated' : stateOf(committed, position);
  if (bounds === null) {
    return { partition, state, committed, log_start: null, log_end: null, ...NOTHING_UNREAD };
  }
  const { start: log_start, end: log_end } = bounds;
  const next = state === 'ok' ? (committed ?? log_start) : log_start;
  const message = next < log_end ? await log.messageAt(topic, partition, next) : undefined;
  // A clock that is ahead of ours makes no message younger than now.
  const age = message === undefined ? 0 : Math.max(0, clock.now() - message.timestamp);
  return {
    partition,
    state,
    committed,
    log_start,
    log_end,
    // Offsets without a message (control records, compaction) are no lag.
    lag: message === undefined ? 0 : log_end - next,
    expired: state === 'expired' && committed !== null ? log_start - committed : 0,
    oldest_unread: message === undefined ? null : timeText(message.timestamp),
    oldest_unread_age_seconds: age / 1000,
  };
}

const NOTHING_UNREAD = { lag: 0, expired: 0, oldest_unread: null, oldest_unread_age_seconds: 0 } as const;

function stateOf(committed: number | null, { bounds }: PartitionPosition): PartitionState {
  if (bounds === null) return 'gone';
  if (committed === null) return 'never_read';
  if (committed < bounds.start) return 'expired';
  return committed > bounds.end ? 'recreated' : 'ok';
}

/** Any number may stand in a message as its time. */
function timeText(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
