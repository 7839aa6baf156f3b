import { describe, expect, it } from 'vitest';
import { judge } from '../../soak/judge.ts';
import { type Reading, riseOf, slopeOf } from '../../soak/slope.ts';

const readings = (value: (at: number) => number, count = 120): Reading[] =>
  Array.from({ length: count }, (_, n) => ({ at: n * 10, value: value(n * 10) }));
const saw = (at: number) => (at % 170) / 20;

describe('the slope of a soak', () => {
  it('is that of a line, whatever a few readings say', () => {
    const line = readings((at) => 50 + at / 100).map((reading, n) =>
      n % 7 === 0 ? { ...reading, value: 900 } : reading,
    );
    expect(slopeOf(line)).toBeCloseTo(0.01, 3);
  });

  it('is nothing of no readings, of one, and of several at once', () => {
    expect([slopeOf([]), slopeOf([{ at: 1, value: 2 }]), riseOf([])]).toEqual([0, 0, 0]);
    expect(slopeOf([1, 2, 3].map((value) => ({ at: 5, value })))).toBe(0);
  });

  it('does not see the growth of the first half', () => {
    expect(riseOf(readings((at) => Math.min(at, 500)))).toBe(0);
  });
});

describe('the judgement of a soak', () => {
  const usage = (what: Partial<Record<'residentMiB' | 'anonymousMiB' | 'descriptors', (at: number) => number>>) =>
    readings(() => 0).map(({ at }) => ({
      at,
      residentMiB: what.residentMiB?.(at) ?? 70 + saw(at),
      anonymousMiB: what.anonymousMiB?.(at) ?? 30 + saw(at),
      descriptors: what.descriptors?.(at) ?? 25 + (at % 3),
    }));

  it('is content with a heap that fills and is collected', () => {
    expect(judge('agent', usage({}))).toEqual([]);
  });

  it('finds memory that goes on growing under the saw teeth, and descriptors', () => {
    expect(judge('agent', usage({ anonymousMiB: (at) => 30 + saw(at) + at / 60 }))).toEqual([
      expect.stringMatching(/^agent: anonymousMiB rises by \d+\.\d within the second half/),
    ]);
    expect(judge('agent', usage({ descriptors: (at) => 25 + at / 100 }))).toEqual([
      expect.stringContaining('descriptors rises'),
    ]);
  });

  it('does not call it good when there is too little to judge by', () => {
    expect(judge('agent', usage({}).slice(0, 15))).toEqual(Array(3).fill(expect.stringContaining('too few')));
  });
});
