/** The wall clock of a host: stepped forward and back. No sample may be lost by it. */
import type { Fault, TargetKind } from '../fault.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** The longest is beyond every age at which something expires. */
const STEPS = [2, 90, 20 * 60, 3 * HOUR, 2 * DAY, 40 * DAY] as const;

function stepped(on: Extract<TargetKind, 'agent clock' | 'writer clock'>, direction: 'forward' | 'backward'): Fault {
  const of = on === 'agent clock' ? 'agent' : 'writer';
  return {
    name: `the clock of the ${of} is stepped ${direction}`,
    on,
    run: async ({ world, target, random, pause, note, skip }) => {
      const clock = (on === 'agent clock' ? world.agentClocks : world.writerClocks)[target];
      if (clock === undefined) return skip('this one has the true clock');
      const seconds = random.pick(STEPS) * (direction === 'forward' ? 1 : -1);
      note(`by ${seconds} s`);
      clock.step(seconds);
      await pause(random.integer(1500, 8000));
      // Either somebody sets it right, or it stays so until the next step.
      if (random.chance(0.5)) clock.step(0);
    },
  };
}

export const CLOCK_FAULTS: readonly Fault[] = [
  stepped('agent clock', 'forward'),
  stepped('agent clock', 'backward'),
  stepped('writer clock', 'forward'),
  stepped('writer clock', 'backward'),
];
