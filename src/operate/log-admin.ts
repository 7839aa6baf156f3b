/** What the operator's commands ask of Kafka. Everything is bounded in time, and rejects with a HostspoolError. */
import type { FetchedMessage, LogBounds } from '../kafka/log-session.ts';

export interface LogAdmin {
  /** Of every partition of the topic; rejects with KAFKA_UNKNOWN_TOPIC where there is none. */
  bounds(topic: string): Promise<ReadonlyMap<number, LogBounds>>;
  /** What the group has committed to Kafka; partitions without it are left out. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /** How many members the group has now. */
  members(group: string): Promise<number>;
  /** Of every partition the offset of the first message that is not older; the log's end where there is none. */
  offsetsAt(topic: string, time: number): Promise<ReadonlyMap<number, number>>;
  /** The first message at the offset or after it; null at the end of the log. */
  messageAt(topic: string, partition: number, offset: number): Promise<FetchedMessage | null>;
  /** Sets what the group has committed; only while it has no members. */
  commit(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void>;
}
