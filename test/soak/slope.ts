/**
 * Whether a row of readings rises: the Theil–Sen slope, the median of the slopes between all pairs of readings. Up to
 * a quarter of the readings may lie anywhere (a collection of garbage, a burst) without moving it.
 */
export interface Reading {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly value: number;
}

/** Per second; 0 of fewer than two readings. */
export function slopeOf(readings: readonly Reading[]): number {
  const slopes: number[] = [];
  for (const [index, one] of readings.entries()) {
    for (const other of readings.slice(index + 1)) {
      if (other.at > one.at) slopes.push((other.value - one.value) / (other.at - one.at));
    }
  }
  return median(slopes);
}

/** How much the second half of the readings rises from its beginning to its end. */
export function riseOf(readings: readonly Reading[]): number {
  const half = secondHalf(readings);
  const span = (half.at(-1)?.at ?? 0) - (half[0]?.at ?? 0);
  return slopeOf(half) * span;
}

/** By time, not by number: readings of a busy machine may come late. */
export function secondHalf(readings: readonly Reading[]): readonly Reading[] {
  const from = ((readings[0]?.at ?? 0) + (readings.at(-1)?.at ?? 0)) / 2;
  return readings.filter(({ at }) => at >= from);
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? 0;
  const high = sorted[Math.floor(middle)] ?? 0;
  return (low + high) / 2;
}
