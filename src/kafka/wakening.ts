/** Waiting for something to change: until somebody says so, a time has passed, or the signal aborts. */
import type { Clock } from '../lib/clock.ts';

export class Wakening {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #next = new AbortController();

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Everybody who waits now goes on. */
  wake(): void {
    const { signal } = this.#next;
    if (signal.aborted) return;
    const woken = this.#next;
    this.#next = new AbortController();
    woken.abort();
  }

  /** Without `ms` only a wakening ends it. */
  async wait(ms?: number): Promise<void> {
    const { signal } = this.#next;
    if (this.#signal.aborted) return;
    if (ms !== undefined) return this.#clock.sleep(ms, signal);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}
