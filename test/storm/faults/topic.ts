/** What comes into the topic beside the agents' samples, and the topic's own shape. */
import type { Fault } from '../fault.ts';

/** Partitions never go away again, so they may not come without end. */
const MOST_PARTITIONS = 12;

export const TOPIC_FAULTS: readonly Fault[] = [
  {
    name: 'poison',
    on: 'topic',
    weight: 3,
    run: async ({ world, random, note }) => {
      const messages = random.integer(1, 5);
      await world.traffic.sendPoison(messages, random);
      note(`${messages} messages`);
    },
  },
  {
    name: 'messages of a plain producer, some of them twice',
    on: 'topic',
    weight: 2,
    run: async ({ world, random, note }) => {
      const messages = random.integer(1, 20);
      await world.traffic.sendPlain(messages, random);
      note(`${messages} messages`);
    },
  },
  {
    name: 'a partition is added',
    on: 'topic',
    run: async ({ world, note }) => {
      const partitions = await world.traffic.partitions();
      if (partitions >= MOST_PARTITIONS) return note(`not beyond ${MOST_PARTITIONS}`);
      await world.traffic.addPartitions(partitions + 1);
      note(`${partitions + 1} now`);
    },
  },
];
