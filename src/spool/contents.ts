/**
 * What is in the spool, as memory knows it, so that asking costs no query: how many samples, which is the oldest, which
 * are of this boot, and whose runs they are. Loaded when the file is opened, kept up with every change.
 */
import { uuidFromBytes } from '../sample/identity.ts';
import type { Timed } from './age.ts';
import type { RunRow, SampleHead, Store } from './store.ts';

export class Contents {
  readonly #bootId: string;
  readonly #hostnames = new Map<string, string>();
  #depth = 0;
  #oldest: Timed | undefined;
  #lastId = 0;
  #firstOfBoot = 0;
  #loads = 0;

  constructor(bootId: string) {
    this.#bootId = bootId;
  }

  /** Samples in the file. */
  get depth(): number {
    return this.#depth;
  }

  get oldest(): Timed | undefined {
    return this.#oldest;
  }

  /** The greatest id ever given to a sample, as far as known. */
  get lastId(): number {
    return this.#lastId;
  }

  /** How often it was loaded: what was known of another file says nothing of this one. */
  get loads(): number {
    return this.#loads;
  }

  /** Id from which on all samples are of this boot. */
  get firstOfBoot(): number {
    return this.#firstOfBoot;
  }

  /** The host whose run it is; undefined if the runs of the file don't say. */
  hostname(runId: string): string | undefined {
    return this.#hostnames.get(runId);
  }

  load(store: Store): void {
    this.#loads++;
    const runs = store.runs();
    for (const run of runs) this.#hostnames.set(uuidFromBytes(run.run_id), run.hostname);
    this.#depth = store.count();
    this.#lastId = Math.max(this.#lastId, store.newest.get()?.id ?? 0);
    this.#firstOfBoot = this.#findFirstOfBoot(store, runs);
    this.refreshOldest(store);
  }

  began(runId: string, hostname: string): void {
    this.#hostnames.set(runId, hostname);
  }

  appended(id: number, takenAt: number, monotonicAt: number): void {
    this.#depth++;
    this.#lastId = id;
    this.#oldest ??= { takenAt, monotonicAt, thisBoot: true };
  }

  deleted(samples: number): void {
    this.#depth = Math.max(0, this.#depth - samples);
    if (this.#depth === 0) this.#oldest = undefined;
  }

  refreshOldest(store: Store): void {
    const oldest = this.#depth === 0 ? undefined : store.oldest.get();
    this.#oldest = oldest === undefined ? undefined : this.timed(oldest);
  }

  timed(sample: SampleHead): Timed {
    return {
      takenAt: sample.taken_at,
      monotonicAt: sample.monotonic_at,
      thisBoot: sample.id >= this.#firstOfBoot,
    };
  }

  /** Boots lie one after the other in the file, so the border is found by halving. */
  #findFirstOfBoot(store: Store, runs: readonly RunRow[]): number {
    const ofBoot = runs.filter((run) => run.boot_id === this.#bootId);
    let low = store.oldest.get()?.id ?? 0;
    let high = (store.newest.get()?.id ?? this.#lastId) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [sample] = store.headsAfter.all(middle - 1, 1);
      if (sample === undefined || ofBoot.some((run) => run.run_id.equals(sample.run_id))) high = middle;
      else low = sample.id + 1;
    }
    return low;
  }
}
