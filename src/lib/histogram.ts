/**
 * How a quantity is spread, counted where it arises: an observation is a few comparisons and an addition, allocates
 * nothing, and nothing is worked out until somebody reads it.
 */
/** For how late timers fire, in seconds. */
export const DELAY_BOUNDS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** For loads of a database, in seconds. */
export const LOAD_BOUNDS: readonly number[] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 5, 30];

/** For sizes of batches. */
export const SIZE_BOUNDS: readonly number[] = [1, 10, 100, 500, 1000, 5000, 10_000];

export class Histogram {
  /** Upper bounds of the buckets, ascending; a last one without a bound follows. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
    this.#count++;
  }

  /** Observations so far. */
  get count(): number {
    return this.#count;
  }

  /** Their sum. */
  get sum(): number {
    return this.#sum;
  }

  /** Observations up to each bound. */
  cumulative(): number[] {
    let total = 0;
    return this.bounds.map((_, bucket) => {
      total += this.#counts[bucket] as number;
      return total;
    });
  }
}
