/** A limit to waiting: what takes longer goes on by itself, but nobody waits for it any more. */
import type { Clock } from '../lib/clock.ts';

/** What `work` comes to, unless `limit` ms pass or `stop` aborts first: then rejects with what `expired` makes. */
export async function within<Result>(
  clock: Clock,
  limit: number,
  work: Promise<Result>,
  expired: () => Error,
  stop?: AbortSignal,
): Promise<Result> {
  const over = new AbortController();
  const stopped = () => over.abort();
  let settled = false;
  stop?.addEventListener('abort', stopped, { once: true });
  if (stop?.aborted) stopped();
  const late = clock.sleep(limit, over.signal).then(() => {
    if (!settled) throw expired();
  });
  // Whichever loses the race still ends, with nobody left to hear of it.
  work.catch(() => undefined);
  late.catch(() => undefined);
  try {
    return (await Promise.race([work, late])) as Result;
  } finally {
    settled = true;
    stop?.removeEventListener('abort', stopped);
    over.abort();
  }
}
