/**
 * Whether the writer does its work, and if not, why: a value that anybody may read at any time.
 *
 * Unhealthy is what needs a look from outside: the database or the dead-letter topic refuses, or nothing has been
 * loaded for a minute although there is something to load. A retry that is under way is neither.
 */
import type { Clock } from '../lib/clock.ts';

export interface HealthReport {
  readonly healthy: boolean;
  /** Sentences for a person; empty when healthy. */
  readonly reasons: readonly string[];
}

/** What can be ill by itself. */
export type Organ = 'database' | 'dead letters' | 'kafka';

const STALLED_MS = 60_000;

export class Health {
  readonly #clock: Clock;
  readonly #ills = new Map<Organ, string>();
  /** Since when there has been something to load without a success. */
  #behindSince: number | undefined;
  #lastError: string | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ill(organ: Organ, reason: string): void {
    this.#ills.set(organ, reason);
  }

  well(organ: Organ): void {
    this.#ills.delete(organ);
  }

  /** Something waits to be loaded. */
  behind(): void {
    this.#behindSince ??= this.#clock.monotonic();
  }

  /** A load succeeded; `isBehind`: there is more. */
  progress(isBehind: boolean): void {
    this.#behindSince = isBehind ? this.#clock.monotonic() : undefined;
    this.#lastError = undefined;
    this.well('database');
  }

  /** An attempt failed that is repeated. */
  failed(error: Error): void {
    this.#lastError = error.message;
  }

  report(): HealthReport {
    const reasons = [...this.#ills.values()];
    const waited = this.#behindSince === undefined ? 0 : this.#clock.monotonic() - this.#behindSince;
    if (waited > STALLED_MS) {
      const because = this.#lastError === undefined ? '' : `: ${this.#lastError}`;
      reasons.push(`nothing was loaded for ${Math.round(waited / 1000)} s although messages wait${because}`);
    }
    return { healthy: reasons.length === 0, reasons };
  }
}
