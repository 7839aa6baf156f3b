import { describe, expect, it } from 'vitest';
import { within } from '../../../src/kafka/time-limit.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const late = () => new Error('too late');

describe('a time limit', () => {
  it('gives what comes in time, and leaves no sleeper behind', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    expect(await within(clock, 100, Promise.resolve('done'), late, stop.signal)).toBe('done');
    await expect(within(clock, 100, Promise.reject(new Error('failed')), late)).rejects.toThrow('failed');
    expect(clock.sleeping).toBe(0);
  });

  it('rejects what takes longer, and hears nothing of it any more', async () => {
    const clock = new FakeClock();
    const work = Promise.withResolvers<void>();
    const waiting = within(clock, 100, work.promise, late);
    waiting.catch(() => undefined);
    await clock.advance(99);
    expect(clock.sleeping).toBe(1);
    await clock.advance(1);
    await expect(waiting).rejects.toThrow('too late');
    work.reject(new Error('nobody listens'));
    await clock.advance(1);
  });

  it('ends at once when it is stopped, before or meanwhile', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const waiting = within(clock, 100, new Promise(() => undefined), late, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow('too late');
    await expect(within(clock, 100, new Promise(() => undefined), late, stop.signal)).rejects.toThrow('too late');
    expect(clock.sleeping).toBe(0);
  });
});
