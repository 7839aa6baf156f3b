/** A set of sequence numbers, kept as the stretches it consists of: cheap for numbers that come nearly in order. */
export interface Stretch {
  readonly first: number;
  /** The last number that belongs to it. */
  readonly last: number;
}

export class SeqSet {
  /** In order, disjoint, not adjacent. */
  readonly #stretches: Stretch[] = [];

  /** The least number in it; 0 of an empty set. */
  get first(): number {
    return this.#stretches[0]?.first ?? 0;
  }

  /** The greatest number in it; 0 of an empty set. */
  get last(): number {
    return this.#stretches.at(-1)?.last ?? 0;
  }

  has(seq: number): boolean {
    const found = this.#stretches[this.#firstEndingFrom(seq)];
    return found !== undefined && found.first <= seq;
  }

  /** Adds `first` to `last`, both included. */
  add(first: number, last: number = first): void {
    if (last < first) return;
    const newest = this.#stretches.at(-1);
    if (newest === undefined || first > newest.last + 1) {
      this.#stretches.push({ first, last });
      return;
    }
    const from = this.#firstEndingFrom(first - 1);
    let to = from;
    let merged: Stretch = { first, last };
    for (
      let other = this.#stretches[to];
      other !== undefined && other.first <= last + 1;
      other = this.#stretches[++to]
    ) {
      merged = { first: Math.min(merged.first, other.first), last: Math.max(merged.last, other.last) };
    }
    this.#stretches.splice(from, to - from, merged);
  }

  /** What of `first` to `last`, both included, is not in it. */
  missing(first: number, last: number): Stretch[] {
    const gaps: Stretch[] = [];
    let next = first;
    for (let index = this.#firstEndingFrom(first); next <= last; index++) {
      const stretch = this.#stretches[index];
      if (stretch === undefined || stretch.first > last) {
        gaps.push({ first: next, last });
        break;
      }
      if (stretch.first > next) gaps.push({ first: next, last: stretch.first - 1 });
      next = stretch.last + 1;
    }
    return gaps;
  }

  *[Symbol.iterator](): Generator<Stretch> {
    yield* this.#stretches;
  }

  /** Index of the first stretch whose end is not before `seq`. */
  #firstEndingFrom(seq: number): number {
    let low = 0;
    let high = this.#stretches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#stretches[middle]?.last ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
