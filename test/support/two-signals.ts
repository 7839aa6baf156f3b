/**
 * For programs that a person stops: the first SIGINT or SIGTERM aborts, the second ends the process at once, and with it
 * what it has started.
 */
export interface TwoSignals {
  readonly first: () => void;
  readonly second: () => void;
}

/** npm hands on to its script what the terminal has sent to both, on a busy machine a while later: that is one Ctrl-C. */
const SAME_MS = 1000;

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
