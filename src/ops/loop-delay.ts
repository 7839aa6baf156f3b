/**
 * How late timers fire in a process that has no ticks of its own to tell it. Measured twice a second from the first
 * reading on: a process that nobody scrapes is not woken for it.
 */
import type { Clock } from '../lib/clock.ts';
import { DELAY_BOUNDS, Histogram } from '../lib/histogram.ts';

const EVERY_MS = 500;

export class LoopDelay {
  readonly #clock: Clock;
  readonly #delays = new Histogram(DELAY_BOUNDS);
  #takeBack: (() => void) | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In seconds. */
  read(): Histogram {
    if (this.#takeBack === undefined && !this.#closed) this.#measure();
    return this.#delays;
  }

  close(): void {
    this.#closed = true;
    this.#takeBack?.();
  }

  #measure(): void {
    const due = this.#clock.monotonic() + EVERY_MS;
    this.#takeBack = this.#clock.after(EVERY_MS, () => {
      this.#delays.observe(Math.max(0, this.#clock.monotonic() - due) / 1000);
      this.#measure();
    });
  }
}
