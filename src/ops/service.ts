/** What runs until it is told to stop, and takes new settings meanwhile: the agent, the writer, local mode. */
import type { ResolvedSettings } from '../config/load.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import type { Condition } from './condition.ts';
import type { Readings } from './metrics-catalog.ts';

export interface Service {
  /** Runs until `stop` aborts, then closes everything it opened. */
  run(stop: AbortSignal): Promise<void>;
  /** Takes over the settings that can change live. */
  apply(settings: ResolvedSettings): void;
  /** How it is now; asked from outside, so that the work itself pays nothing for it. */
  condition(): Condition;
  /** What a service manager is told beside it. */
  standing(): Standing;
  /** What it counts, read now. */
  metrics(): Readings | Promise<Readings>;
  /** The files of certificates that its connections are made with now. */
  certificates(): readonly CertificateFile[];
}

export interface Standing {
  /** Whether it has begun, as far as that depends on this host; a server that is away does not keep it from that. */
  readonly ready: boolean;
  /** One line for a person. */
  readonly status: string;
}
