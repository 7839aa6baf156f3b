/** `hostspool offsets show`: everything that is known of where a group stands, side by side. */
import type { LogReader } from '../sink/sink.ts';
import type { LogAdmin } from './log-admin.ts';
import { type OpenOffsets, readPositions } from './positions.ts';

export interface PartitionOverview {
  readonly partition: number;
  /** null: the topic has no such partition. */
  readonly log_start: number | null;
  readonly log_end: number | null;
  /** The database's: the offset of the first message not yet loaded. */
  readonly next: number | null;
  readonly epoch: number | null;
  /** Kafka's time of the last message loaded, by which another log is recognized; null where none is remembered. */
  readonly evidence_at: string | null;
  /** Kafka's time of the first message ever read. */
  readonly began_at: string | null;
  readonly kafka_committed: number | null;
}

export interface OffsetOverview {
  readonly topic: string;
  readonly group: string;
  readonly database_error: { readonly code: string; readonly message: string } | null;
  readonly kafka_error: { readonly code: string; readonly message: string } | null;
  readonly partitions: readonly PartitionOverview[];
}

export async function readOverview(log: LogAdmin, database: OpenOffsets, reader: LogReader): Promise<OffsetOverview> {
  const { partitions, database_error, kafka_error } = await readPositions(log, database, reader);
  const failure = (error: typeof database_error) => error && { code: error.code, message: error.message };
  return {
    topic: reader.topic,
    group: reader.group,
    database_error: failure(database_error),
    kafka_error: failure(kafka_error),
    partitions: partitions.map(({ partition, bounds, stored, committed }) => ({
      partition,
      log_start: bounds?.start ?? null,
      log_end: bounds?.end ?? null,
      next: stored?.next ?? null,
      epoch: stored?.epoch ?? null,
      evidence_at: timeText(stored?.evidence?.timestamp),
      began_at: timeText(stored?.began_at),
      kafka_committed: committed,
    })),
  };
}

function timeText(ms: number | null | undefined): string | null {
  return ms == null ? null : new Date(ms).toISOString();
}
