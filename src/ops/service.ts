/** What runs until it is told to stop, and takes new settings meanwhile: the agent, the writer, local mode. */
import type { ResolvedSettings } from '../config/load.ts';
import type { Condition } from './condition.ts';
import type { Readings } from './metrics-catalog.ts';

export interface Service {
  /** Runs until `stop` aborts, then closes everything it opened. */
  run(stop: AbortSignal): Promise<void>;
  /** Takes over the settings that can change live. */
  apply(settings: ResolvedSettings): void;
  /** How it is now; asked from outside, so that the work itself pays nothing for it. */
  condition(): Condition;
  /** The same for whoever supervises the process. */
  standing(): Standing;
  /** What it counts, read now. */
  metrics(): Readings | Promise<Readings>;
}

export interface Standing {
  /** Whether it runs: its work has begun, or waits for nothing of its own. */
  readonly ready: boolean;
  /** One line for a person. */
  readonly status: string;
  /** The first that is stuck of its condition; undefined where nothing is. */
  readonly stuck: string | undefined;
}
