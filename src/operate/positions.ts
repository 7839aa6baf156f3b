/**
 * Where a group stands in its topic: what the log has, what the database says was loaded, what Kafka says.
 *
 * The database's offset is the true one, since it moves in the transaction that loads; Kafka's follows it and may be
 * behind. So Kafka's counts only where no database is configured or the database can't be asked, and which one counts
 * is part of the answer.
 */
import { isThatOne } from '../kafka/evidence.ts';
import type { LogBounds } from '../kafka/log-session.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { LogReader, Sink, StoredOffset } from '../sink/sink.ts';
import type { LogAdmin } from './log-admin.ts';

/** Opens the database; null: none is configured. */
export type OpenOffsets = (() => Promise<Pick<Sink, 'readOffsets'>>) | null;

export interface PartitionPosition {
  readonly partition: number;
  /** null: the topic has no such partition (any more). */
  readonly bounds: LogBounds | null;
  /** What the database has; null where it has nothing. */
  readonly stored: StoredOffset | null;
  /** What the group committed to Kafka. */
  readonly committed: number | null;
}

export interface Positions {
  /** Whose offsets count. */
  readonly source: 'database' | 'kafka';
  /** Why the database could not be asked; null: it was, or there is none. */
  readonly database_error: HostspoolError | null;
  /** Why Kafka would not tell what the group committed; null: it did. */
  readonly kafka_error: HostspoolError | null;
  /** In order. */
  readonly partitions: readonly PartitionPosition[];
}

/** Rejects where the log's bounds can't be had, or nobody can tell where the group stands. */
export async function readPositions(log: LogAdmin, database: OpenOffsets, reader: LogReader): Promise<Positions> {
  const [bounds, stored, committed] = await Promise.all([
    log.bounds(reader.topic),
    database === null ? null : attempt(async () => (await database()).readOffsets(reader)),
    attempt(() => log.committed(reader.group, reader.topic)),
  ]);
  const fromDatabase = stored instanceof HostspoolError ? null : stored;
  const fromKafka = committed instanceof HostspoolError ? null : committed;
  if (fromDatabase === null && fromKafka === null) throw stored instanceof HostspoolError ? stored : committed;
  const known = new Set([...bounds.keys(), ...(fromDatabase?.keys() ?? []), ...(fromKafka?.keys() ?? [])]);
  return {
    source: fromDatabase === null ? 'kafka' : 'database',
    database_error: stored instanceof HostspoolError ? stored : null,
    kafka_error: committed instanceof HostspoolError ? committed : null,
    partitions: [...known]
      .sort((one, other) => one - other)
      .map((partition) => ({
        partition,
        bounds: bounds.get(partition) ?? null,
        stored: fromDatabase?.get(partition) ?? null,
        committed: fromKafka?.get(partition) ?? null,
      })),
  };
}

async function attempt<Result>(ask: () => Promise<Result>): Promise<Result | HostspoolError> {
  try {
    return await ask();
  } catch (thrown) {
    const error = asError(thrown);
    if (error instanceof HostspoolError) return error;
    throw error;
  }
}

/** Whether the log has another message where the last one was taken: then it is not the log that was read. */
export async function isAnotherLog(log: LogAdmin, topic: string, position: PartitionPosition): Promise<boolean> {
  const { partition, bounds, stored } = position;
  if (bounds === null || stored === null || stored.evidence === null) return false;
  const offset = stored.next - 1;
  if (offset < bounds.start || offset >= bounds.end) return false;
  const message = await log.messageAt(topic, partition, offset);
  return message?.offset === offset && !isThatOne({ offset, ...stored.evidence }, message);
}
