/**
 * Gives back, once, what starting took and an idle agent never needs again: free memory that the C library keeps for
 * itself, some 4 MB, and pages of the executable and of libraries that were touched once, some 45 MB, of which 20 come
 * back as they are needed (file-pages.c says why that is safe). Where it can't be done nothing else changes.
 *
 * V8's heap is left alone: a thorough collection here would free 2 MB more, but V8 then takes the small heap for the
 * right size and collects again and again, which doubles what an idle agent costs.
 */
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { loadSystemCalls } from './notify.ts';

/** How long after the start, ms: several samples, and Kafka's first answers. */
const SETTLED_MS = 15_000;

/** Does so some seconds from now; what it answers takes that back. */
export function tidyOnceSettled(clock: Clock, log: Log): () => void {
  return clock.after(SETTLED_MS, () => {
    try {
      loadSystemCalls().trim();
    } catch (error) {
      log.debug({ event: 'memory_kept', err: asError(error) });
    }
  });
}
