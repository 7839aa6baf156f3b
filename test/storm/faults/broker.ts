/** The Kafka broker itself. */
import type { Fault } from '../fault.ts';

export const BROKER_FAULTS: readonly Fault[] = [
  {
    name: 'the broker is restarted',
    on: 'broker',
    run: async ({ world }) => {
      await world.broker.restart();
    },
  },
  {
    name: 'the broker is killed',
    on: 'broker',
    run: async ({ world, random, pause, note }) => {
      const ms = random.integer(0, 4000);
      note(`back after ${ms} ms`);
      await world.broker.kill9();
      await pause(ms);
      await world.broker.restart();
    },
  },
  {
    name: 'the broker is frozen',
    on: 'broker',
    run: async ({ world, random, pause, note }) => {
      const ms = random.integer(300, 7000);
      note(`for ${ms} ms`);
      const { pid } = world.broker;
      if (pid === undefined) return;
      try {
        process.kill(pid, 'SIGSTOP');
        await pause(ms);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    },
  },
];
