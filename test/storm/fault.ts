/**
 * One thing that goes wrong, and comes right again.
 *
 * A fault is one object in the list of faults/index.ts. `run` does it wholly: when it resolves the fault is over and
 * what it touched works again, also when `stop` aborted it half way. Everything that chance decides is drawn from the
 * generator it is given, so a seed repeats it. Faults on the same target never overlap; on different ones they do.
 */
import type { Random } from './random.ts';
import type { StormWorld } from './world.ts';

/** What a fault acts on; each target has a lane of its own in the schedule. */
export type TargetKind =
  | 'agent'
  | 'agent disk'
  | 'agent clock'
  | 'agent link'
  | 'writer'
  | 'writer clock'
  | 'writer link'
  | 'broker'
  | 'database'
  | 'topic';

/** What goes wrong beside the database: everything that may cost nothing, or logs that lose messages. */
export const PARTS = ['everything', 'lost logs'] as const;
export type StormPart = (typeof PARTS)[number];

export interface FaultContext {
  readonly world: StormWorld;
  /** Which of the kind, from 0. */
  readonly target: number;
  readonly random: Random;
  /** Aborts when the storm is over: heal at once. */
  readonly stop: AbortSignal;
  /** Sleeps, or less if the storm ends. */
  pause(ms: number): Promise<void>;
  /** What was drawn, for the log of the storm. */
  note(what: string): void;
  /** It can't be done here, so it is not counted. */
  skip(why: string): void;
}

export interface Fault {
  readonly name: string;
  readonly on: TargetKind;
  /** How many of it are in the deck that a lane draws from. Default 1. */
  readonly weight?: number;
  run(context: FaultContext): Promise<void>;
}
