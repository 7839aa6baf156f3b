/** A limit to waiting: what takes longer goes on by itself, but nobody waits for it any more. */
import type { Clock } from '../lib/clock.ts';

/** What `work` comes to, unless `limit` ms pass or one of `stops` aborts first: then rejects with what `givenUp` makes. */
export function within<Result>(
  clock: Clock,
  limit: number,
  work: Promise<Result>,
  givenUp: () => Error,
  ...stops: readonly (AbortSignal | undefined)[]
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const over = () => {
      takeBack();
      for (const stop of stops) stop?.removeEventListener('abort', giveUp);
    };
    const giveUp = () => {
      over();
      reject(givenUp());
    };
    const takeBack = clock.after(limit, giveUp);
    for (const stop of stops) stop?.addEventListener('abort', giveUp);
    // Where the work loses the race it still ends, with nobody left to hear of it.
    void work.then(resolve, reject).then(over);
    if (stops.some((stop) => stop?.aborted)) giveUp();
  });
}
