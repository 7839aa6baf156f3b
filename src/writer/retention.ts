/**
 * Lets old rows go, in small deletions with rests between them, so that it is never in the way of a load. Every writer
 * of a group does it; two that meet delete different rows or the same ones, which is as good.
 */
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

export interface RetentionOptions {
  /** Deletes a few rows that arrived before the time (ms since the epoch); answers how many. */
  readonly expire: (before: number) => Promise<number>;
  /** How long rows are kept, ms; 0: for ever. */
  readonly keep: number;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY_MS = 60_000;
/** It rests so many times as long as it worked, and at least so long. */
const REST_SHARE = 4;
const REST_MS = 100;

export async function letOldRowsGo({ expire, keep, clock, log }: RetentionOptions, stop: AbortSignal): Promise<void> {
  if (keep === 0) return;
  let gone = 0;
  while (!stop.aborted) {
    const startedAt = clock.monotonic();
    let deleted = 0;
    try {
      deleted = await expire(clock.now() - keep);
    } catch (error) {
      log.warn({ event: 'retention_failed', err: asError(error) }, 'old rows stay until the next attempt');
    }
    gone += deleted;
    if (deleted === 0 && gone > 0) {
      log.info({ event: 'rows_expired', rows: gone });
      gone = 0;
    }
    const worked = clock.monotonic() - startedAt;
    await clock.sleep(deleted === 0 ? LOOK_EVERY_MS : Math.max(REST_MS, REST_SHARE * worked), stop);
  }
}
