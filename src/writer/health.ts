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
  /** What fails without a success between, since when, and how it last did. */
  readonly #failing = new Map<Organ, { readonly since: number; readonly error: Error }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ill(organ: Organ, reason: string): void {
    this.#ills.set(organ, reason);
  }

  /** An attempt succeeded. */
  well(organ: Organ): void {
    this.#ills.delete(organ);
    this.#failing.delete(organ);
  }

  /** Something waits to be loaded. */
  behind(): void {
    this.#behindSince ??= this.#clock.monotonic();
  }

  /** What waited was left to others. */
  dropped(): void {
    this.#behindSince = undefined;
  }

  /** A load succeeded; `isBehind`: there is more. */
  progress(isBehind: boolean): void {
    this.#behindSince = isBehind ? this.#clock.monotonic() : undefined;
    this.well('database');
  }

  /** An attempt failed that is repeated. */
  failed(organ: Organ, error: Error): void {
    this.#failing.set(organ, { since: this.#failing.get(organ)?.since ?? this.#clock.monotonic(), error });
  }

  /** What fails and is tried again, a sentence each; it may pass. */
  concerns(): string[] {
    return [...this.#failing]
      .filter(([organ]) => !this.#ills.has(organ))
      .map(([organ, { error }]) => `${organ}: ${error.message}`);
  }

  /** For how long messages have waited without a load, and without an attempt that failed, ms. */
  get stalledFor(): number {
    if (this.#behindSince === undefined || this.#ills.size > 0 || this.#failing.size > 0) return 0;
    return this.#clock.monotonic() - this.#behindSince;
  }

  report(): HealthReport {
    const now = this.#clock.monotonic();
    const reasons = [...this.#ills.values()];
    for (const [organ, { since, error }] of this.#failing) {
      if (this.#ills.has(organ) || now - since <= STALLED_MS) continue;
      reasons.push(`${organ}: nothing succeeded for ${seconds(now - since)} s: ${error.message}`);
    }
    const waited = this.#behindSince === undefined ? 0 : now - this.#behindSince;
    if (reasons.length === 0 && waited > STALLED_MS) {
      reasons.push(`nothing was loaded for ${seconds(waited)} s although messages wait`);
    }
    return { healthy: reasons.length === 0, reasons };
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
