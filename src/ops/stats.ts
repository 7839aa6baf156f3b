/**
 * The line that says, once a minute, what a process did: totals of the period, not of its life, so that two lines
 * compare. It reads counters that are kept anyway; the only cost between two lines is one timer.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { round2 } from '../lib/rounding.ts';

export interface StatsReading {
  /** Counted since the start; reported as what the period added, and per second. */
  readonly totals: Readonly<Record<string, number>>;
  /** Counted since the start; reported as what the period added. */
  readonly counts: Readonly<Record<string, number>>;
  /** Sum and number since the start; reported as the period's mean, null when there was nothing. */
  readonly means: Readonly<Record<string, readonly [sum: number, number: number]>>;
  /** Reported as it is now. */
  readonly gauges: Readonly<Record<string, number | null>>;
}

export class StatsLine {
  readonly #read: () => StatsReading;
  readonly #clock: Clock;
  readonly #log: Log;
  #last: StatsReading;
  #lastAt: number;
  #timer: NodeJS.Timeout | undefined;
  #interval = 0;

  constructor(read: () => StatsReading, clock: Clock, log: Log) {
    this.#read = read;
    this.#clock = clock;
    this.#log = log;
    this.#last = read();
    this.#lastAt = clock.monotonic();
  }

  /** Writes a line every `interval` ms from now on; 0 = none. The interval that it has already goes on undisturbed. */
  every(interval: number): void {
    if (interval === this.#interval) return;
    this.close();
    this.#interval = interval;
    if (interval > 0) this.#timer = setInterval(() => this.write(), interval).unref();
  }

  /** Writes the line for what has passed since the last. */
  write(): void {
    const now = this.#read();
    const monotonic = this.#clock.monotonic();
    const seconds = Math.max(0.001, (monotonic - this.#lastAt) / 1000);
    const line: Record<string, number | null> = { seconds: round2(seconds) };
    for (const [name, total] of Object.entries(now.totals)) {
      const added = total - (this.#last.totals[name] ?? 0);
      line[name] = added;
      line[`${name}_per_second`] = round2(added / seconds);
    }
    for (const [name, count] of Object.entries(now.counts)) line[name] = count - (this.#last.counts[name] ?? 0);
    for (const [name, [sum, number]] of Object.entries(now.means)) {
      const [lastSum, lastNumber] = this.#last.means[name] ?? [0, 0];
      line[name] = number === lastNumber ? null : round2((sum - lastSum) / (number - lastNumber));
    }
    this.#log.info({ event: 'stats', ...line, ...now.gauges });
    this.#last = now;
    this.#lastAt = monotonic;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#interval = 0;
  }
}
