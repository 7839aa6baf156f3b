/**
 * Whether a partition's log is still the one that was read before.
 *
 * A topic that is deleted and made anew gives no error and no rebalance: the new log simply has other messages under
 * the same offsets, and where it has grown past the place where reading stopped, reading would go on in its middle and
 * leave its beginning out for ever. So after every occasion on which that may have happened the last message taken is
 * fetched once more, compared, and dropped:
 *
 *                     nothing there          ┌─ the same ─▶ settled, go on behind it
 *            ┌──────────┐ ─────▶ ┌─────────┐ │
 *   due ───▶ │ checking │        │ probing │ ├─ no message there any more (expired, compacted) ─▶ settled: no evidence
 *            └──────────┘ ◀───── └─────────┘ │
 *             at the last         at `next`  └─ another message, or the log ends before it ─▶ made anew
 *
 * Nothing there, which is no error, has two causes: a new leader's high watermark that lags behind for a moment, or a
 * new log that ends exactly at that place. Asked for `next`, the broker tells them apart: a log that ends before it
 * answers that the offset is out of range.
 */

import { isThatOne, type LastTaken } from '../kafka/evidence.ts';
import type { FetchedBatch } from '../kafka/log-session.ts';

export type Verdict = 'same' | 'other' | 'undecided';

export class LogCheck {
  #known: LastTaken | undefined;
  #due: boolean;
  #probing = false;

  /** `known`: the last message taken, or undefined where there is no evidence. */
  constructor(known: LastTaken | undefined) {
    this.#known = known;
    this.#due = known !== undefined;
  }

  /** What is taken from the log must wait for the verdict. */
  get due(): boolean {
    return this.#due;
  }

  get hasEvidence(): boolean {
    return this.#known !== undefined;
  }

  /** Something happened after which the log may be another. Without evidence there is nothing to compare. */
  demand(): void {
    if (this.#known === undefined || this.#due) return;
    this.#due = true;
    this.#probing = false;
  }

  /** Where to fetch; `next`: where reading goes on. */
  position(next: number): number {
    return this.#due && !this.#probing && this.#known !== undefined ? this.#known.offset : next;
  }

  /** A message was taken; undefined: what lies before `next` cannot be looked at again. */
  took(known: LastTaken | undefined): void {
    this.#known = known;
    this.#due = false;
  }

  /** What an answer at `position()` says while the check is due. */
  judge(batch: FetchedBatch): Verdict {
    const known = this.#known;
    if (known === undefined) return this.#settle('same');
    if (this.#probing) {
      this.#probing = false;
      return 'undecided';
    }
    const first = batch.messages[0];
    if (first?.offset === known.offset) return this.#settle(isThatOne(known, first) ? 'same' : 'other');
    if (batch.next <= known.offset) {
      // What is there, and did not come, had no room in the answer: it is asked for again.
      this.#probing = batch.end <= known.offset;
      return 'undecided';
    }
    // Compacted away, or never shown: no evidence any more.
    this.#known = undefined;
    return this.#settle('same');
  }

  /** Kafka says that `position()` is below the log's start or above its end. */
  outOfRange(place: 'below' | 'above' | 'within'): Verdict {
    if (place === 'below') {
      this.#known = undefined;
      return this.#settle('same');
    }
    if (place === 'above' || this.#known === undefined) return this.#settle('other');
    // It was out of range and has grown since: the evidence decides.
    this.#due = true;
    this.#probing = false;
    return 'undecided';
  }

  #settle(verdict: Verdict): Verdict {
    this.#due = false;
    this.#probing = false;
    return verdict;
  }
}
