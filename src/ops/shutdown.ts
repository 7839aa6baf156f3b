/**
 * How a process is told to stop, and to read its settings again.
 *
 * The first SIGTERM or SIGINT aborts the signal that everything which waits listens to; a second one ends the process
 * at once, as that signal does by itself. It is not `process.exit`, which would wait for a file system call that never
 * returns. Nothing is lost either way: what is not shipped is spooled.
 */
import type { Log } from '../lib/log.ts';

export class ProcessSignals implements Disposable {
  readonly #stop = new AbortController();
  readonly #listeners: [NodeJS.Signals, () => void][] = [];

  /** `reload` is called at each SIGHUP; without it the signal is ignored rather than ending the process. */
  constructor(log: Log, reload: () => void = () => undefined) {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      this.#listen(name, () => {
        if (this.#stop.signal.aborted) {
          this[Symbol.dispose]();
          process.kill(process.pid, name);
          return;
        }
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
