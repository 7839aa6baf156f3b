/**
 * Which collectors fail: counted at every sample, logged only when the state changes. Without the log's restraint a
 * host that lacks one file would write a line per sample, for ever.
 */
import type { Log } from '../lib/log.ts';

export class Failures {
  readonly #log: Log;
  readonly #counts = new Map<string, number>();
  readonly #failing = new Map<string, Error>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Failures since the start, by collector; one that never failed is not there. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Why the last try of this collector failed; undefined if it did not. */
  lastOf(collector: string): Error | undefined {
    return this.#failing.get(collector);
  }

  failed(collector: string, error: Error): void {
    this.#counts.set(collector, (this.#counts.get(collector) ?? 0) + 1);
    if (!this.#failing.has(collector)) {
      this.#log.warn({ event: 'collector_failed', collector, err: error }, 'samples go without its fields');
    }
    this.#failing.set(collector, error);
  }

  succeeded(collector: string): void {
    if (!this.#failing.delete(collector)) return;
    this.#log.info({ event: 'collector_recovered', collector, failures: this.#counts.get(collector) });
  }
}
