/** What runs until it is told to stop, and takes new settings meanwhile: the agent, the writer, local mode. */
import type { ResolvedSettings } from '../config/load.ts';

export interface Service {
  /** Runs until `stop` aborts, then closes everything it opened. */
  run(stop: AbortSignal): Promise<void>;
  /** Takes over the settings that can change live. */
  apply(settings: ResolvedSettings): void;
}
