import { expect, it } from 'vitest';
import { LoopDelay } from '../../../src/ops/loop-delay.ts';
import { FakeClock } from '../../support/fake-clock.ts';

it('counts how late timers fire, from the first reading on until it is closed', async () => {
  const clock = new FakeClock();
  const delay = new LoopDelay(clock);
  await clock.advance(5_000);
  expect(clock.sleeping).toBe(0);
  expect(delay.read().count).toBe(0);
  await clock.advance(1_000);
  expect(delay.read()).toMatchObject({ count: 2, sum: 0 });
  clock.pass(2_500);
  await clock.advance(0);
  expect(delay.read()).toMatchObject({ count: 3, sum: 2 });
  delay.close();
  await clock.advance(5_000);
  expect(delay.read().count).toBe(3);
  expect(clock.sleeping).toBe(0);
});
