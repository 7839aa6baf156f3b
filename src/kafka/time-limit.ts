/** A limit to waiting: what takes longer goes on by itself, but nobody waits for it any more. */
import type { Clock } from '../lib/clock.ts';

/** What `work` comes to, unless `limit` ms pass first: then rejects with what `expired` makes. */
export async function within<Result>(
  clock: Clock,
  limit: number,
  work: Promise<Result>,
  expired: () => Error,
): Promise<Result> {
  const done = new AbortController();
  const late = clock.sleep(limit, done.signal).then((): never => {
    throw expired();
  });
  // Whichever loses the race still ends, with nobody left to hear of it.
  work.catch(() => undefined);
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
