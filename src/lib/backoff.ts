/**
 * How long to wait before the next attempt against a server that failed.
 *
 * Full jitter: a uniform draw from [0, min(cap, base · 2^failures)). A fleet that lost the same broker at the same
 * moment comes back spread over the whole window instead of in waves.
 */
export interface BackoffSettings {
  /** Upper bound of the first wait, in ms. */
  readonly base: number;
  /** Upper bound of every wait, in ms. */
  readonly cap: number;
}

export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #random: () => number;
  #failures = 0;

  constructor(settings: BackoffSettings, random: () => number = Math.random) {
    this.#settings = settings;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure; returns the wait before the next attempt, in ms. */
  failed(): number {
    const { base, cap } = this.#settings;
    const window = Math.min(cap, base * 2 ** this.#failures++);
    return this.#random() * window;
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
