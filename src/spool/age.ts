/**
 * How old a sample is, without trusting a clock that somebody may set.
 *
 * A sample of this boot: by the monotonic clock, which nobody can set. A sample of an earlier boot has only its wall
 * clock time, and the wall clock may be wrong right after a start (no battery, no network yet): stepping it forward a
 * year would make everything too old at once. So it counts only after wall and monotonic clock of this process have
 * gone alike for an hour; a step starts the hour anew. Until then such a sample has no age, and none is evicted for it.
 */
import type { Clock } from '../lib/clock.ts';

/** How long both clocks must agree, ms. */
const AGREEMENT_MS = 3_600_000;

/** How far they may drift apart in that time, ms. A slewed clock moves both; a step is larger. */
const TOLERANCE_MS = 2_000;

export interface Timed {
  /** Wall clock, ms since the epoch. */
  readonly takenAt: number;
  /** Monotonic clock, ms since the boot of that time. */
  readonly monotonicAt: number;
  /** Whether that boot is this one. */
  readonly thisBoot: boolean;
}

export class AgeRule {
  readonly #clock: Clock;
  #offset: number;
  #agreedSince: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#agreedSince = clock.monotonic();
    this.#offset = clock.now() - this.#agreedSince;
  }

  /** Compares the clocks; to be called every few seconds, so that no step goes unseen. */
  observe(): void {
    const monotonic = this.#clock.monotonic();
    const offset = this.#clock.now() - monotonic;
    if (Math.abs(offset - this.#offset) <= TOLERANCE_MS) return;
    this.#offset = offset;
    this.#agreedSince = monotonic;
  }

  /** Whether the wall clock may decide over a sample. */
  get trustsWallClock(): boolean {
    return this.#clock.monotonic() - this.#agreedSince >= AGREEMENT_MS;
  }

  /** Age for eviction, ms; undefined where it is not certain. */
  certain(sample: Timed): number | undefined {
    if (sample.thisBoot) return this.#clock.monotonic() - sample.monotonicAt;
    return this.trustsWallClock ? this.#clock.now() - sample.takenAt : undefined;
  }

  /** Age for people, ms: the best guess, never negative. */
  shown(sample: Timed): number {
    const age = sample.thisBoot ? this.#clock.monotonic() - sample.monotonicAt : this.#clock.now() - sample.takenAt;
    return Math.max(0, age);
  }
}
