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

/** These messages go. Where nothing of their partition was ever read, a run may seem to begin before the group did. */
function excuse(world: StormWorld, gone: readonly TopicMessage[], loaded: ReadonlyMap<number, number>, fault: string) {
  const reason = fault === expired.name ? 'expired_in_kafka' : 'topic_recreated';
  for (const message of gone) {
    const reasons = loaded.has(message.partition) ? [reason] : [reason, 'before_first_contact'];
    world.ledger.excuseMessage(message, { fault, reasons });
  }
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
      const cuts = new Map<number, number>();
      for (const { partition, offset } of messages) {
        const next = loaded.get(partition) ?? 0;
        if (offset >= next && (!cuts.has(partition) || random.chance(0.5))) cuts.set(partition, offset + 1);
      }
      const gone = messages.filter(({ partition, offset }) => {
        return offset >= (loaded.get(partition) ?? 0) && offset < (cuts.get(partition) ?? 0);
      });
      note(`${gone.length} messages of ${cuts.size} partitions`);
      if (cuts.size === 0) return;
      excuse(world, gone, loaded, expired.name);
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
        const gone = messages.filter(({ partition, offset }) => offset >= (loaded.get(partition) ?? 0));
        note(`${gone.length} messages had not been read when its end began`);
        excuse(world, gone, loaded, madeAnew.name);
        await world.traffic.makeAnew(await world.traffic.partitions());
      });
    // Under the running writers, or while they are away.
    await (random.chance(0.5) ? recreate() : withoutWriters(context, recreate));
  },
};

export const LOG_FAULTS: readonly Fault[] = [expired, madeAnew];
