import { describe, expect, it } from 'vitest';
import { SharedAnswer } from '../../../src/ops/shared-answer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('a shared answer', () => {
  it('is the same for all who ask while it is worked out, however long that takes', async () => {
    const clock = new FakeClock();
    const gates: PromiseWithResolvers<string>[] = [];
    const shared = new SharedAnswer(() => {
      const gate = Promise.withResolvers<string>();
      gates.push(gate);
      return gate.promise;
    }, clock);
    const first = shared.get();
    clock.pass(60_000);
    const second = shared.get();
    gates[0]?.resolve('one');
    expect(await Promise.all([first, second])).toEqual(['one', 'one']);
    clock.pass(249);
    expect(await shared.get()).toBe('one');
    clock.pass(1);
    const third = shared.get();
    gates[1]?.resolve('two');
    expect(await third).toBe('two');
    expect(gates).toHaveLength(2);
  });

  it('that failed is tried again by the next who asks', async () => {
    let attempts = 0;
    const make = async () => {
      if (++attempts === 1) throw new Error('not now');
      return 'now';
    };
    const shared = new SharedAnswer(make, new FakeClock());
    await expect(shared.get()).rejects.toThrow('not now');
    expect(await shared.get()).toBe('now');
  });
});
