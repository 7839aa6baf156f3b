/**
 * Paces a drain: after `n` samples the next may leave `n / rate` seconds later. No burst is saved up while idle, so
 * a fleet that comes back after an outage loads the brokers evenly.
 */
import type { Clock } from '../lib/clock.ts';

/** How often a second a paced drain sends, at least: smaller batches, more evenly. */
const BATCHES_PER_SECOND = 10;

export class Pace {
  readonly #clock: Clock;
  #rate: number;
  #freeAt = 0;

  /** `rate` in samples per second; 0 = unlimited. */
  constructor(rate: number, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  setRate(rate: number): void {
    this.#rate = rate;
    this.#freeAt = 0;
  }

  /** The most samples that the next batch should hold. */
  limit(batchSamples: number): number {
    if (this.#rate === 0) return batchSamples;
    return Math.max(1, Math.min(batchSamples, Math.ceil(this.#rate / BATCHES_PER_SECOND)));
  }

  /** Milliseconds until the next batch may leave; 0 when it may now. */
  wait(): number {
    return this.#rate === 0 ? 0 : Math.max(0, this.#freeAt - this.#clock.monotonic());
  }

  left(samples: number): void {
    if (this.#rate === 0) return;
    const now = this.#clock.monotonic();
    this.#freeAt = Math.max(now, this.#freeAt) + (samples / this.#rate) * 1000;
  }
}
