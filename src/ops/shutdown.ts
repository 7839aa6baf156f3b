/**
 * How a process is told to stop, and to read its settings again.
 *
 * The first SIGTERM or SIGINT aborts the signal that everything which waits listens to; a second one ends the process
 * at once, with the code a shell expects of that signal. Nothing is lost either way: what is not shipped is spooled.
 */
import type { Log } from '../lib/log.ts';

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export class ProcessSignals implements Disposable {
  readonly #stop = new AbortController();
  readonly #listeners: [NodeJS.Signals, () => void][] = [];

  /** `reload` is called at each SIGHUP; without it the signal is ignored rather than ending the process. */
  constructor(log: Log, reload: () => void = () => undefined) {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      this.#listen(name, () => {
        if (this.#stop.signal.aborted) process.exit(EXIT_CODES[name]);
        log.info({ event: 'stop_requested', signal: name });
        this.#stop.abort();
      });
    }
    this.#listen('SIGHUP', reload);
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  #listen(name: NodeJS.Signals, listener: () => void): void {
    process.on(name, listener);
    this.#listeners.push([name, listener]);
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }
}
