/** Events per second, as an exponentially weighted mean: recent seconds count most. */
import type { Clock } from './clock.ts';

/** After this long without an event a third of the old rate is left, in ms. */
const TIME_CONSTANT_MS = 30_000;

export class Rate {
  readonly #clock: Clock;
  #perSecond = 0;
  #countedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.monotonic();
  }

  add(events: number): void {
    this.#perSecond = this.perSecond() + (events / TIME_CONSTANT_MS) * 1000;
    this.#countedAt = this.#clock.monotonic();
  }

  perSecond(): number {
    return this.#perSecond * Math.exp(-(this.#clock.monotonic() - this.#countedAt) / TIME_CONSTANT_MS);
  }
}
