/**
 * An answer that costs something to work out, and that anybody may ask for: worked out at most a few times a second,
 * whoever asks in between, or while it is being worked out, gets the same. So nobody who may ask can keep the process
 * from its work by asking.
 */
import type { Clock } from '../lib/clock.ts';

const FRESH_MS = 250;

export class SharedAnswer {
  readonly #make: () => Promise<string>;
  readonly #clock: Clock;
  #answer: Promise<string> | undefined;
  /** When the answer was ready, by the monotonic clock; undefined while it is not. */
  #readyAt: number | undefined;

  constructor(make: () => Promise<string>, clock: Clock) {
    this.#make = make;
    this.#clock = clock;
  }

  /** Rejects as the making does; the next who asks has it tried again. */
  get(): Promise<string> {
    const isOld = this.#readyAt !== undefined && this.#clock.monotonic() - this.#readyAt >= FRESH_MS;
    if (this.#answer === undefined || isOld) this.#answer = this.#begin();
    return this.#answer;
  }

  async #begin(): Promise<string> {
    this.#readyAt = undefined;
    try {
      const answer = await this.#make();
      this.#readyAt = this.#clock.monotonic();
      return answer;
    } catch (error) {
      this.#answer = undefined;
      throw error;
    }
  }
}
