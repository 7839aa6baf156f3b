/**
 * Keeps the spool within its bounds, by evicting from the oldest on. Samples that are with the drainer are spared: they
 * may be on their way already, and the note of their loss would be wrong. So are, on a disk that is low, those that only
 * wait for more to leave with them: their place in the file is soon free.
 *
 * A call evicts some hundred samples per transaction and a bounded number of transactions, so that it never holds up
 * the sampling for long, even where the bound was lowered by gigabytes; the next call goes on.
 */
import type { Clock } from '../lib/clock.ts';
import type { LossReason } from '../sample/note.ts';
import type { AgeRule } from './age.ts';
import { type Bounds, ROW_OVERHEAD } from './bounds.ts';
import { evict, going } from './eviction.ts';
import type { Journal } from './journal.ts';
import type { Outlet } from './outlet.ts';
import type { SampleHead } from './store.ts';

export interface TrimmerOptions {
  readonly journal: Journal;
  readonly outlet: Outlet;
  readonly bounds: Bounds;
  readonly age: AgeRule;
  /** Milliseconds. */
  readonly maxAge: number;
  readonly clock: Clock;
}

/** Samples evicted in one transaction at most. */
const ROWS = 256;

/** Transactions that one call makes at most. */
const ROUNDS = 16;

/** Whether a sample goes; `before`: bytes of those that went before it in this transaction. */
type Goes = (sample: SampleHead, before: number) => boolean;

export class Trimmer {
  readonly #options: TrimmerOptions;

  constructor(options: TrimmerOptions) {
    this.#options = options;
  }

  /** Evicts what has to go before a payload of `size` bytes is appended. */
  makeRoom(size: number): void {
    const { journal, outlet, bounds } = this.#options;
    for (let round = 0; round < ROUNDS; round++) {
      const [excess] = journal.read((store) => bounds.excess(size, store));
      if (excess === undefined || (excess.reason === 'disk_full' && outlet.isSpared)) return;
      if (this.#evict(excess.reason, 0, (_, before) => before < excess.bytes) === 0) return;
    }
  }

  /** Evicts what is too old. Where the age of an earlier boot's samples is not certain, those of this boot only. */
  expire(): void {
    const { journal, age, maxAge } = this.#options;
    const { contents } = journal;
    const tooOld: Goes = (sample) => (age.certain(contents.timed(sample)) ?? 0) > maxAge;
    for (let round = 0; round < ROUNDS; round++) {
      const from = age.trustsWallClock ? 0 : contents.firstOfBoot - 1;
      if (this.#evict('spool_expired', from, tooOld) < ROWS) return;
    }
  }

  /** Evicts from the oldest behind id `from` on while they go; answers how many went. */
  #evict(reason: LossReason, from: number, goes: Goes): number {
    const { journal, outlet, bounds, clock } = this.#options;
    const after = Math.max(from, outlet.handedOut);
    const [oldest] = journal.read((store) => store.headsAfter.get(after, 1));
    if (oldest === undefined || !goes(oldest, 0)) return 0;
    let evicted: number | undefined = 0;
    let bytes = 0;
    const written = journal.write((store, notes) => {
      bytes = 0;
      const heads = going(store, after, ROWS, (head) => {
        if (!goes(head, bytes)) return false;
        bytes += head.size + ROW_OVERHEAD;
        return true;
      });
      if (heads !== undefined) evict(store, notes, heads, reason, clock.now());
      evicted = heads?.length;
      return evicted ?? 0;
    });
    if (!written) return 0;
    bounds.evicted(bytes);
    // What a damaged one says of its number is wrong: its neighbours know it.
    return evicted ?? (outlet.dropDamaged(oldest.id) ? 1 : 0);
  }
}
