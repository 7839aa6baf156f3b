/** Says once a minute that the writer is behind by more than `lag.warn`, and once that it no longer is. */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

const EVERY_MS = 60_000;

export class LagWarning {
  readonly #read: () => ReadonlyMap<number, number>;
  readonly #clock: Clock;
  readonly #log: Log;
  #warnAbove: number;
  #isBehind = false;

  constructor(read: () => ReadonlyMap<number, number>, warnAbove: number, clock: Clock, log: Log) {
    this.#read = read;
    this.#warnAbove = warnAbove;
    this.#clock = clock;
    this.#log = log;
  }

  /** Messages above which it warns; 0 = never. */
  setThreshold(warnAbove: number): void {
    this.#warnAbove = warnAbove;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#clock.sleep(EVERY_MS, stop);
      if (!stop.aborted) this.look();
    }
  }

  look(): void {
    const partitions = this.#read();
    const lag = sum(partitions.values());
    const wasBehind = this.#isBehind;
    this.#isBehind = this.#warnAbove > 0 && lag > this.#warnAbove;
    if (this.#isBehind) {
      this.#log.warn({ event: 'lag', lag, warn_above: this.#warnAbove, partitions: Object.fromEntries(partitions) });
    } else if (wasBehind) {
      this.#log.info({ event: 'lag_recovered', lag });
    }
  }
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
