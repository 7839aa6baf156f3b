/**
 * A log that loses messages before they were read: by its age while no writer runs, or with the topic that is deleted
 * and made anew. These are losses, so they are a part of the storm by themselves: what only the old log held is known
 * beforehand, message by message, and nothing else may be lost.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { TopicMessage } from '../evidence.ts';
import type { Fault, FaultContext } from '../fault.ts';
import { GROUP, type StormWorld, TOPIC } from '../world.ts';

/** Until the brokers have what was on its way when the agents were cut off. */
const ARRIVED_AFTER_MS = 1000;

/** The database may be away at the moment: it comes back by itself. */
async function loadedUpTo({ database }: StormWorld): Promise<ReadonlyMap<number, number>> {
  for (;;) {
    try {
      return await database.offsets({ group: GROUP, topic: TOPIC });
    } catch {
      await delay(200);
    }
  }
}

/** Dead or stopped in order, and started again when `action` is done. */
async function withoutWriters({ world, random, pause }: FaultContext, action: () => Promise<void>): Promise<void> {
  const kill = random.chance(0.5);
  await Promise.all(world.writers.map((writer) => (kill ? writer.kill9() : writer.stop())));
  try {
    await pause(random.integer(500, 6000));
    await action();
  } finally {
    for (const writer of world.writers) writer.start();
  }
}

/** Nothing of the agents reaches the broker, and nothing is on its way. */
async function withoutAgents(world: StormWorld, action: () => Promise<void>): Promise<void> {
  try {
    for (const link of world.agentLinks) {
      await link.refuse();
      link.cut();
    }
    await delay(ARRIVED_AFTER_MS);
    await action();
  } finally {
    for (const link of world.agentLinks) await link.accept();
  }
}

/** Where both befall a log before it is read, only one can be seen; and a group that read nothing yet knows neither. */
const REASONS = ['expired_in_kafka', 'topic_recreated', 'before_first_contact'];

/** Of these messages, those that no writer can have loaded: they go, and what is in them. */
function unread(world: StormWorld, messages: readonly TopicMessage[], loaded: ReadonlyMap<number, number>) {
  // The offsets may still be those of the log before; then no message is known to have been read.
  const isOfThisLog = world.traffic.madeAnew === 0;
  return messages.filter(({ partition, offset }) => !isOfThisLog || offset >= (loaded.get(partition) ?? 0));
}

function excuse(world: StormWorld, gone: readonly TopicMessage[], fault: string) {
  for (const message of gone) world.ledger.excuseMessage(message, { fault, reasons: REASONS });
}

const expired: Fault = {
  name: 'messages expire while no writer runs',
  on: 'topic',
  weight: 2,
  run: (context) =>
    withoutWriters(context, async () => {
      const { world, random, note } = context;
      const loaded = await loadedUpTo(world);
      const messages = await world.traffic.messages();
      const left = unread(world, messages, loaded);
      const cuts = new Map<number, number>();
      for (const { partition, offset } of left) {
        if (!cuts.has(partition) || random.chance(0.5)) cuts.set(partition, offset + 1);
      }
      const gone = left.filter(({ partition, offset }) => offset < (cuts.get(partition) ?? 0));
      note(`${gone.length} messages of ${cuts.size} partitions`);
      if (cuts.size === 0) return;
      excuse(world, gone, expired.name);
      await world.traffic.cutShort(cuts);
    }),
};

const madeAnew: Fault = {
  name: 'the topic is deleted and made anew',
  on: 'topic',
  run: async (context) => {
    const { world, random, note } = context;
    const recreate = () =>
      withoutAgents(world, async () => {
        const loaded = await loadedUpTo(world);
        const messages = await world.traffic.messages();
        // Writers that run may still load some of them; then they are rows.
        const gone = unread(world, messages, loaded);
        note(`${gone.length} messages may not have been read when its end began`);
        excuse(world, gone, madeAnew.name);
        await world.traffic.makeAnew(await world.traffic.partitions());
      });
    // Under the running writers, or while they are away.
    await (random.chance(0.5) ? recreate() : withoutWriters(context, recreate));
  },
};

export const LOG_FAULTS: readonly Fault[] = [expired, madeAnew];
