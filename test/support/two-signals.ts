/**
 * For programs that a person stops: the first SIGINT or SIGTERM aborts, the second ends the process at once, and with it
 * what it has started.
 */
export interface TwoSignals {
  readonly first: () => void;
  readonly second: () => void;
}

/** npm hands on to its script what the terminal has sent to both: that is one Ctrl-C, not two. */
const SAME_MS = 300;

export function stopSignal({ first, second }: TwoSignals): AbortSignal {
  const stop = new AbortController();
  let stoppedAt = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!stop.signal.aborted) {
        stoppedAt = performance.now();
        first();
        stop.abort();
      } else if (performance.now() - stoppedAt > SAME_MS) {
        second();
        process.exit(130);
      }
    });
  }
  return stop.signal;
}
