/** Reads one message of a partition: the first at an offset or after it. */
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import type { Brokers } from './brokers.ts';
import { noLeaderError } from './errors.ts';
import { fetchFrom } from './fetch-request.ts';
import { logBounds } from './list-offsets.ts';
import type { FetchedMessage } from './log-session.ts';
import { decodeRecords } from './record-batches.ts';

const PARTITION_BYTES = 1 << 16;
/** Nobody waits for a message that is not there yet, ms. */
const MAX_WAIT_MS = 100;

/** Undefined when the log has none from there on. */
export async function readMessage(
  brokers: Brokers,
  partition: number,
  offset: number,
): Promise<FetchedMessage | undefined> {
  const leader = brokers.leaderOf(partition);
  const bounds = (await logBounds(brokers, [partition])).get(partition);
  if (leader === undefined || bounds === undefined) throw noLeaderError(brokers.topic, partition);
  for (let position = Math.max(offset, bounds.start); position < bounds.end; ) {
    const { topic } = brokers;
    const limits = { maxWait: MAX_WAIT_MS, maxBytes: PARTITION_BYTES, partitionBytes: PARTITION_BYTES };
    const wanted = { topic, positions: new Map([[partition, position]]), ...limits };
    const [fetched] = await brokers.ask(leader, (broker) => fetchFrom(broker, wanted));
    if (fetched === undefined) return undefined;
    if (fetched.errorCode !== 0) throw createErrorFromCode(fetched.errorCode);
    const { messages, next } = await decodeRecords(fetched.records, position, fetched.aborted);
    if (messages[0] !== undefined) return messages[0];
    // An open transaction ends what can be read.
    if (next === position) return undefined;
    position = next;
  }
  return undefined;
}
