import { describe, expect, it } from 'vitest';
import { Pace } from '../../../src/agent/pace.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the pace of a drain', () => {
  it('holds nothing back without a rate', () => {
    const pace = new Pace(0, new FakeClock());
    pace.left(1_000_000);
    expect(pace.wait()).toBe(0);
    expect(pace.limit(500)).toBe(500);
  });

  it('lets n samples pass in n / rate seconds, in small batches', () => {
    const clock = new FakeClock();
    const pace = new Pace(200, clock);
    expect(pace.limit(500)).toBe(20);
    pace.left(20);
    expect(pace.wait()).toBe(100);
    clock.pass(60);
    expect(pace.wait()).toBe(40);
  });

  it('saves up no burst while nothing is sent', () => {
    const clock = new FakeClock();
    const pace = new Pace(10, clock);
    clock.pass(3_600_000);
    pace.left(1);
    expect(pace.wait()).toBe(100);
  });

  it('takes a new rate at once', () => {
    const pace = new Pace(1, new FakeClock());
    pace.left(100);
    pace.setRate(0);
    expect(pace.wait()).toBe(0);
  });
});
