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
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In seconds. */
  read(): Histogram {
    if (this.#timer === undefined && !this.#closed) this.#start();
    return this.#delays;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #start(): void {
    let last = this.#clock.monotonic();
    this.#timer = setInterval(() => {
      const now = this.#clock.monotonic();
      this.#delays.observe(Math.max(0, now - last - EVERY_MS) / 1000);
      last = now;
    }, EVERY_MS).unref();
  }
}
