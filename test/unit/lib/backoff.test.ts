import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../src/lib/backoff.ts';

describe('backoff', () => {
  it('doubles the window with each failure up to the cap, and begins anew after a success', () => {
    const backoff = new Backoff({ base: 1000, cap: 60_000 }, () => 1);
    const waits = Array.from({ length: 8 }, () => backoff.failed());
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    backoff.succeeded();
    expect(backoff.failed()).toBe(1000);
  });

  it('never waits longer than the cap, however often it failed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, drawn) => {
        const backoff = new Backoff({ base: 1000, cap: 60_000 }, () => drawn);
        let wait = 0;
        for (let n = 0; n < failures; n++) wait = backoff.failed();
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(60_000);
      }),
      { numRuns: 50 },
    );
  });
});
