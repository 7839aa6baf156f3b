import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../src/lib/histogram.ts';

describe('a histogram', () => {
  it('counts each observation in every bucket that it fits', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 20, noNaN: true })), (values) => {
        const histogram = new Histogram([0, 1, 10]);
        for (const value of values) histogram.observe(value);
        const upTo = (bound: number) => values.filter((value) => value <= bound).length;
        expect(histogram.cumulative()).toEqual([upTo(0), upTo(1), upTo(10)]);
        expect(histogram.count).toBe(values.length);
        expect(histogram.sum).toBe(values.reduce((sum, value) => sum + value, 0));
      }),
    );
  });
});
