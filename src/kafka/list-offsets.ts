/** Which offsets the topic's logs have: their bounds, or the first at a time. Asks each leader once. */
import type { Brokers } from './brokers.ts';
import { noLeaderError } from './errors.ts';
import type { LogBounds } from './log-session.ts';

type Asked = Pick<Brokers, 'topic' | 'leaderOf' | 'ask'>;

const EARLIEST = -2;
const LATEST = -1;
/** The end is the high watermark, transactions that are open or not. */
const READ_UNCOMMITTED = 0;

/** Rejects with what went wrong for any of them; `Brokers.error` makes a HostspoolError of it. */
export async function logBounds(
  brokers: Asked,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, LogBounds>> {
  // One after the other: a log that is trimmed in between is told with its newer start.
  const ends = await offsetsAt(brokers, partitions, LATEST);
  const starts = await offsetsAt(brokers, partitions, EARLIEST);
  return new Map(
    [...starts].map(([partition, start]) => [partition, { start, end: Math.max(start, ends.get(partition) ?? start) }]),
  );
}

/** Partition to the offset of the first message at `timestamp` (ms) or later; left out where there is none. */
export async function offsetsAt(
  brokers: Asked,
  partitions: readonly number[],
  timestamp: number,
): Promise<ReadonlyMap<number, number>> {
  const byLeader = Map.groupBy(partitions, (partition) => leaderOf(brokers, partition));
  const { topic } = brokers;
  const answers = await Promise.all(
    [...byLeader].map(([leader, led]) =>
      brokers.ask(leader, (broker) =>
        broker.listOffsets({
          isolationLevel: READ_UNCOMMITTED,
          topics: [{ topic, partitions: led.map((partition) => ({ partition, timestamp })) }],
        }),
      ),
    ),
  );
  const found = answers.flatMap(({ responses }) => responses.flatMap((response) => response.partitions));
  return new Map(
    found.filter(({ offset }) => Number(offset) >= 0).map(({ partition, offset }) => [partition, Number(offset)]),
  );
}

function leaderOf(brokers: Asked, partition: number): number {
  const leader = brokers.leaderOf(partition);
  if (leader === undefined) throw noLeaderError(brokers.topic, partition);
  return leader;
}
