/** What runs until it is told to stop, and takes new settings meanwhile: the agent, the writer, local mode. */
import type { ResolvedSettings } from '../config/load.ts';

export interface Service {
  /** Runs until `stop` aborts, then closes everything it opened. */
  run(stop: AbortSignal): Promise<void>;
  /** Takes over the settings that can change live. */
  apply(settings: ResolvedSettings): void;
  /** How it stands at this moment; asked from outside, so that the work itself pays nothing for it. */
  standing(): Standing;
}

export interface Standing {
  /** Whether it has begun what it is there for. */
  readonly ready: boolean;
  /** One line for a person. */
  readonly status: string;
  /** What should have moved by itself long ago and has not, and only a new process can mend; undefined otherwise. */
  readonly stuck: string | undefined;
}
