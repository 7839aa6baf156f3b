/**
 * What is remembered of the last message taken from a partition, so that the same place of the log can be looked at
 * again: another message there means another log, whatever the offsets say.
 */
import { hash } from 'node:crypto';
import type { FetchedMessage } from './log-session.ts';

export interface LastTaken {
  readonly offset: number;
  /** Kafka's time of the message, as a database can keep it; ms since the epoch. */
  readonly timestamp: number;
  /** Of the value's bytes. */
  readonly sha256: Buffer;
}

const NOTHING = Buffer.alloc(0);
/** The last ms of the year 9999: a database has no later time. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function lastTaken(message: FetchedMessage): LastTaken {
  const sha256 = hash('sha256', message.value ?? NOTHING, 'buffer');
  return { offset: message.offset, timestamp: timeOf(message), sha256 };
}

/** Whether the message is the one that was taken at its offset. */
export function isThatOne(known: LastTaken, message: FetchedMessage): boolean {
  return timeOf(message) === known.timestamp && lastTaken(message).sha256.equals(known.sha256);
}

/** Kafka's timestamp as a database can keep it: producers may write any number there, and −1 stands for none. */
export function timeOf({ timestamp }: Pick<FetchedMessage, 'timestamp'>): number {
  return Math.min(LATEST, Math.max(0, timestamp));
}
