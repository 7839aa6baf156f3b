/**
 * What will go wrong, when: made from the seed alone, before the storm begins.
 *
 * Every target (each agent, each writer, each link, the broker, the database, the topic) has a lane: a pause, a fault,
 * a pause, a fault. A lane goes on when its fault is over, so faults on one target never overlap, and lanes are blind to
 * each other, so the broker dies while a database connection is cut and an agent is frozen. Faults are dealt from a
 * shuffled deck per kind of target: even a short storm has most of them, a long one all.
 */
import type { Fault, TargetKind } from './fault.ts';
import { Random } from './random.ts';

export interface StormShape {
  readonly seed: number;
  readonly agents: number;
  readonly writers: number;
  readonly durationMs: number;
}

export interface PlannedFault {
  /** Rest before it, ms. */
  readonly after: number;
  readonly fault: Fault;
  /** Of the generator that the fault draws from. */
  readonly seed: number;
}

export interface Lane {
  readonly on: TargetKind;
  readonly target: number;
  readonly faults: readonly PlannedFault[];
}

/** Shortest and longest rest between two faults of a lane, ms. */
const RESTS: Readonly<Record<TargetKind, readonly [number, number]>> = {
  agent: [3000, 15_000],
  writer: [3000, 15_000],
  'agent link': [5000, 20_000],
  'writer link': [5000, 20_000],
  'agent disk': [15_000, 60_000],
  'agent clock': [5000, 25_000],
  'writer clock': [5000, 25_000],
  broker: [12_000, 40_000],
  database: [3000, 12_000],
  topic: [2000, 10_000],
};

/**
 * In a storm of this length the last agent and the last writer are neither killed nor frozen nor stopped: what goes wrong
 * around them goes wrong within one life, which is long enough to show a leak.
 */
const LONG_MS = 300_000;

export function makeSchedule(shape: StormShape, faults: readonly Fault[]): Lane[] {
  const random = new Random(shape.seed);
  const left = shape.durationMs >= LONG_MS && shape.agents > 1 && shape.writers > 1 ? 1 : 0;
  const targets: [TargetKind, number][] = [
    ['agent', shape.agents - left],
    ['writer', shape.writers - left],
    ['agent link', shape.agents],
    ['writer link', shape.writers],
    ['broker', 1],
    ['database', 1],
    ['topic', 1],
    ['agent disk', shape.agents],
    ['agent clock', shape.agents],
    ['writer clock', shape.writers],
  ];
  return targets.flatMap(([on, count]) => {
    const ofKind = faults.filter((fault) => fault.on === on);
    const deal = dealer(ofKind, new Random(random.seed()));
    // Lanes draw from one deck in turn, so that each of several targets gets its own share of every fault.
    const lanes = Array.from({ length: count }, (_, target) => ({
      on,
      target,
      faults: [] as PlannedFault[],
      length: 0,
    }));
    if (ofKind.length === 0) return lanes;
    const chance = new Random(random.seed());
    const [shortest, longest] = RESTS[on];
    for (;;) {
      const open = lanes.filter(({ length }) => length < shape.durationMs);
      if (open.length === 0) return lanes;
      for (const lane of open) {
        const after = Math.round(chance.between(shortest, longest));
        lane.faults.push({ after, fault: deal(), seed: chance.seed() });
        lane.length += after;
      }
    }
  });
}

function dealer(faults: readonly Fault[], random: Random): () => Fault {
  const cards = faults.flatMap((fault) => Array.from({ length: fault.weight ?? 1 }, () => fault));
  let deck: Fault[] = [];
  return () => {
    if (deck.length === 0) deck = random.shuffled(cards);
    return deck.pop() as Fault;
  };
}
