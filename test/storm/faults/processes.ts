/** Agents and writers: killed, frozen, stopped. */
import type { Fault, FaultContext } from '../fault.ts';
import type { StormProcess } from '../process.ts';

const of = (world: FaultContext['world'], on: 'agent' | 'writer', target: number) =>
  (on === 'agent' ? world.agents : world.writers)[target] as StormProcess;

async function startAgainAfter(process: StormProcess, ms: number, { pause, note }: FaultContext): Promise<void> {
  note(`back after ${ms} ms`);
  await pause(ms);
  process.start();
}

async function freezeFor(process: StormProcess, ms: number, { pause, note }: FaultContext): Promise<void> {
  note(`for ${ms} ms`);
  try {
    process.freeze();
    await pause(ms);
  } finally {
    process.thaw();
  }
}

function killed(on: 'agent' | 'writer'): Fault {
  return {
    name: `${on} is killed`,
    on,
    weight: 2,
    run: async (context) => {
      const process = of(context.world, on, context.target);
      await process.kill9();
      await startAgainAfter(process, context.random.integer(0, 3000), context);
    },
  };
}

/** SIGSTOP, and SIGCONT after longer or shorter than a session lasts. */
function frozen(on: 'agent' | 'writer'): Fault {
  return {
    name: `${on} is frozen`,
    on,
    weight: 2,
    run: async (context) => {
      await freezeFor(of(context.world, on, context.target), context.random.integer(200, 9000), context);
    },
  };
}

function killedWhileFrozen(on: 'agent' | 'writer'): Fault {
  return {
    name: `${on} is killed while frozen`,
    on,
    run: async (context) => {
      const process = of(context.world, on, context.target);
      process.freeze();
      await context.pause(context.random.integer(100, 6000));
      await process.kill9();
      await startAgainAfter(process, context.random.integer(0, 2000), context);
    },
  };
}

function restarted(on: 'agent' | 'writer'): Fault {
  return {
    name: on === 'agent' ? 'agent is stopped and started' : 'writer leaves the group and comes back',
    on,
    weight: 2,
    run: async (context) => {
      const process = of(context.world, on, context.target);
      await process.stop();
      await startAgainAfter(process, context.random.integer(0, 5000), context);
    },
  };
}

/** The kill falls between a sample's line and the end of its append, or just after. */
const killedAtSample: Fault = {
  name: 'agent is killed while it stores a sample',
  on: 'agent',
  weight: 3,
  run: async (context) => {
    const process = of(context.world, 'agent', context.target);
    const after = context.random.pick([0, 0, 0, 1, 2]);
    await process.next(({ event }) => event === 'sample_taken', context.stop);
    if (after > 0) await context.pause(after);
    await process.kill9();
    await startAgainAfter(process, context.random.integer(0, 2000), context);
  },
};

/** The next kill comes while the spool is being opened and the losses of the last run are worked out. */
const killedAtStart: Fault = {
  name: 'agent is killed again while it starts',
  on: 'agent',
  run: async (context) => {
    const process = of(context.world, 'agent', context.target);
    await process.kill9();
    for (let times = context.random.integer(1, 3); times > 0; times--) {
      process.start();
      await context.pause(context.random.integer(50, 700));
      await process.kill9();
    }
    await startAgainAfter(process, 0, context);
  },
};

/** A writer dies in the middle of what follows a load: between the database's commit and Kafka's. */
const killedAtLoad: Fault = {
  name: 'writer is killed right after a load',
  on: 'writer',
  weight: 2,
  run: async (context) => {
    const process = of(context.world, 'writer', context.target);
    const limit = AbortSignal.any([context.stop, AbortSignal.timeout(5000)]);
    await process.next(({ event }) => event === 'load_committed', limit);
    await process.kill9();
    await startAgainAfter(process, context.random.integer(0, 3000), context);
  },
};

/** To the other version and, the next time, back. */
function upgraded(on: 'agent' | 'writer'): Fault {
  return {
    name: `${on} is replaced by another version`,
    on,
    run: async (context) => {
      const { world, random, skip } = context;
      if (world.otherVersion === undefined) return skip('there is one version only');
      const process = of(world, on, context.target);
      await (random.chance(0.5) ? process.stop() : process.kill9());
      process.use(process.executable === world.executable ? world.otherVersion : world.executable);
      await startAgainAfter(process, random.integer(0, 2000), context);
    },
  };
}

/**
 * A writer stands still with messages in its hands until its partitions are another's; then it goes on where it was, and
 * loads what the other has loaded.
 */
const frozenWithMessages: Fault = {
  name: 'writer is frozen between two loads until its partitions are another’s',
  on: 'writer',
  weight: 2,
  run: async (context) => {
    const { random, stop, pause } = context;
    const process = of(context.world, 'writer', context.target);
    const limit = AbortSignal.any([stop, AbortSignal.timeout(5000)]);
    await process.next(({ event }) => event === 'load_committed', limit);
    await pause(random.integer(0, 300));
    await freezeFor(process, random.integer(4000, 10_000), context);
  },
};

export const PROCESS_FAULTS: readonly Fault[] = [
  killed('agent'),
  frozen('agent'),
  killedWhileFrozen('agent'),
  restarted('agent'),
  killedAtSample,
  killedAtStart,
  killed('writer'),
  frozen('writer'),
  killedWhileFrozen('writer'),
  restarted('writer'),
  killedAtLoad,
  frozenWithMessages,
  upgraded('agent'),
  upgraded('writer'),
];
