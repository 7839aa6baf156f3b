/**
 * A set of gaps while it is being changed: in order, disjoint, and touching neighbours of one reason are one gap.
 *
 * Gaps are few, and what changes them lies near the end; places are found by bisection, and the list is copied only
 * by the first change, so reading an unchanged account costs nothing.
 */
import type { Gap, GapReason } from './account.ts';
import { outranks } from './reasons.ts';

export class Gaps {
  #gaps: readonly Gap[];
  #own: Gap[] | undefined;

  constructor(gaps: readonly Gap[]) {
    this.#gaps = gaps;
  }

  /** The gaps as they are now; the very list that was given when nothing changed. */
  list(): readonly Gap[] {
    return this.#own ?? this.#gaps;
  }

  /** Takes one number out. Answers whether it lay in a gap. */
  receive(seq: number): boolean {
    const index = this.#firstEndingAtOrAfter(seq);
    const gap = this.list()[index];
    if (gap === undefined || gap.first_seq > seq) return false;
    const rest: Gap[] = [];
    if (gap.first_seq < seq) rest.push({ ...gap, last_seq: seq - 1 });
    if (gap.last_seq > seq) rest.push({ ...gap, first_seq: seq + 1 });
    this.#owned().splice(index, 1, ...rest);
    return true;
  }

  /** Opens a gap above all others. */
  open(first_seq: number, last_seq: number, reason: GapReason): void {
    if (first_seq > last_seq) return;
    const gaps = this.#owned();
    gaps.push({ first_seq, last_seq, reason });
    this.#joinAt(gaps.length - 1);
  }

  /** Gives the reason to what of the gaps lies within the bounds and has a lesser one. */
  explain(first_seq: number, last_seq: number, reason: GapReason): void {
    for (let index = this.#firstEndingAtOrAfter(first_seq); ; index++) {
      const gap = this.list()[index];
      if (gap === undefined || gap.first_seq > last_seq) return;
      if (!outranks(reason, gap.reason)) continue;
      const from = Math.max(first_seq, gap.first_seq);
      const to = Math.min(last_seq, gap.last_seq);
      const parts: Gap[] = [];
      if (gap.first_seq < from) parts.push({ ...gap, last_seq: from - 1 });
      parts.push({ first_seq: from, last_seq: to, reason });
      if (gap.last_seq > to) parts.push({ ...gap, first_seq: to + 1 });
      this.#owned().splice(index, 1, ...parts);
      const explained = gap.first_seq < from ? index + 1 : index;
      this.#joinAt(explained + 1);
      index = this.#joinAt(explained);
    }
  }

  /** From `first_seq` to the next number received: gives the reason to what nobody has explained. */
  explainBeginningAt(first_seq: number, reason: string): void {
    let index = this.#firstEndingAtOrAfter(first_seq);
    let next = first_seq;
    for (let gap = this.list()[index]; gap?.first_seq === next; gap = this.list()[++index]) next = gap.last_seq + 1;
    this.#explainUnexplained(first_seq, next - 1, reason);
  }

  /** The same from the last number received up to `last_seq`. */
  explainEndingAt(last_seq: number, reason: string): void {
    let index = this.#firstEndingAtOrAfter(last_seq);
    let before = last_seq;
    for (let gap = this.list()[index]; gap?.last_seq === before; gap = this.list()[--index]) before = gap.first_seq - 1;
    this.#explainUnexplained(before + 1, last_seq, reason);
  }

  #explainUnexplained(first_seq: number, last_seq: number, reason: string): void {
    const from = this.#firstEndingAtOrAfter(first_seq);
    const open = this.list().slice(from, this.#firstEndingAtOrAfter(last_seq) + 1);
    for (const gap of open) {
      if (gap.reason === null && gap.last_seq <= last_seq) this.explain(gap.first_seq, gap.last_seq, reason);
    }
  }

  #owned(): Gap[] {
    this.#own ??= [...this.#gaps];
    return this.#own;
  }

  #firstEndingAtOrAfter(seq: number): number {
    const gaps = this.list();
    let low = 0;
    let high = gaps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((gaps[middle] as Gap).last_seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Joins the gap with the one before it where they touch and agree; answers where it now stands. */
  #joinAt(index: number): number {
    const gaps = this.#owned();
    const before = gaps[index - 1];
    const gap = gaps[index];
    if (before === undefined || gap === undefined) return index;
    if (before.last_seq + 1 !== gap.first_seq || before.reason !== gap.reason) return index;
    gaps.splice(index - 1, 2, { ...before, last_seq: gap.last_seq });
    return index - 1;
  }
}
