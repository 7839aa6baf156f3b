/**
 * How a writer stands, for whoever supervises the process: a line for people, and what of it is stuck.
 *
 * Stuck is only what its own time limits should have ended long ago, so each bound here is beyond the sum of those. A
 * broker or a database that is away is not: attempts go on, and a new process would do no better.
 */
import type { ResolvedSettings } from '../config/load.ts';
import type { Standing } from '../ops/service.ts';

export interface WriterMotion {
  /** For how long it has been at work, ms. */
  readonly runningFor: number;
  /** Partitions it has; undefined while it is in no session. */
  readonly partitions: number | undefined;
  /** Without a session: since the last attempt at one, ms; 0 while none is due. */
  readonly unjoinedFor: number;
  /** In a session: for how long a partition that may be fetched has been silent, earlier sessions included, ms. */
  readonly silentFor: number;
  /** For how long messages have waited without a load and without a failure, ms. */
  readonly stalledFor: number;
  /** Messages not yet loaded. */
  readonly lag: number;
  readonly loaded: number;
}

/** It waits for its group no longer than this before it says that it runs: Kafka may be away. */
const READY_AFTER_MS = 10_000;
/** Beyond what the time limits add up to. */
const GRACE_MS = 120_000;
/** Most requests that one step asks of a server, one after the other. */
const SEVERAL = 3;

export function standingOf(motion: WriterMotion, failed: readonly string[]): Standing {
  const { partitions, runningFor } = motion;
  return {
    ready: partitions !== undefined || runningFor >= READY_AFTER_MS,
    status: statusOf(motion, failed),
  };
}

function statusOf({ partitions, lag, loaded }: WriterMotion, failed: readonly string[]): string {
  const work = `${loaded} samples loaded since the start`;
  const [trouble] = failed;
  if (trouble !== undefined) return `trouble: ${trouble}; ${work}`;
  if (partitions === undefined) return `joining the group; ${work}`;
  return `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}, ${lag} messages behind; ${work}`;
}

/** What stands still, a sentence each. */
export function stuckReasons(motion: WriterMotion, { kafka, backoff, sqlserver }: ResolvedSettings): string[] {
  const { partitions, unjoinedFor, silentFor, stalledFor } = motion;
  const request = SEVERAL * (kafka.connect_timeout + kafka.request_timeout);
  const late = (ms: number, ...limits: number[]) => ms > limits.reduce((sum, limit) => sum + limit, GRACE_MS);
  if (partitions === undefined) {
    // A join waits for the other members as long as a session lasts.
    if (!late(unjoinedFor, request, SEVERAL * kafka.session_timeout, backoff.cap)) return [];
    return [`joining the group has not ended for ${seconds(unjoinedFor)} s`];
  }
  const reasons: string[] = [];
  if (late(silentFor, request, backoff.cap)) {
    reasons.push(`a partition has not been fetched for ${seconds(silentFor)} s`);
  }
  if (late(stalledFor, SEVERAL * (sqlserver.connect_timeout + sqlserver.request_timeout), backoff.cap)) {
    reasons.push(`nothing has been loaded for ${seconds(stalledFor)} s although messages wait`);
  }
  return reasons;
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
