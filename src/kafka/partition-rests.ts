/**
 * Partitions whose fetch failed and that wait for their next attempt, each with its own count of failures. Those that
 * failed together wait equally long, so that they are asked for together again.
 */
import { Backoff, type BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';

interface Rest {
  readonly backoff: Backoff;
  /** By the monotonic clock. */
  until: number;
  /** Its leader is to be asked for before the next attempt. */
  stale: boolean;
  code: string | undefined;
}

export class PartitionRests {
  readonly #backoff: BackoffSettings;
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #rests = new Map<number, Rest>();

  constructor(backoff: BackoffSettings, random: () => number, clock: Clock) {
    this.#backoff = backoff;
    this.#random = random;
    this.#clock = clock;
  }

  /** How long this one waits still, ms; 0 when it may be asked for. */
  left(partition: number): number {
    return Math.max(0, (this.#rests.get(partition)?.until ?? 0) - this.#clock.monotonic());
  }

  isStale(partition: number): boolean {
    return this.#rests.get(partition)?.stale === true;
  }

  /** What it failed with last; undefined when it is well. */
  codeOf(partition: number): string | undefined {
    return this.#rests.get(partition)?.code;
  }

  /** Whether any of all partitions failed with this last. */
  has(code: string): boolean {
    return [...this.#rests.values()].some((rest) => rest.code === code);
  }

  /** Counts a failure of each; returns their wait, ms. */
  failed(partitions: readonly number[], code: string | undefined, stale: boolean): number {
    let wait: number | undefined;
    for (const partition of partitions) {
      const rest = this.#of(partition);
      const own = rest.backoff.failed();
      wait ??= own;
      Object.assign(rest, { until: this.#clock.monotonic() + wait, stale, code });
    }
    return wait ?? 0;
  }

  /** Their leaders were asked for. */
  refreshed(partitions: readonly number[]): void {
    for (const partition of partitions) {
      const rest = this.#rests.get(partition);
      if (rest !== undefined) rest.stale = false;
    }
  }

  succeeded(partition: number): void {
    this.#rests.delete(partition);
  }

  #of(partition: number): Rest {
    const known = this.#rests.get(partition);
    if (known !== undefined) return known;
    const rest = { backoff: new Backoff(this.#backoff, this.#random), until: 0, stale: false, code: undefined };
    this.#rests.set(partition, rest);
    return rest;
  }
}
