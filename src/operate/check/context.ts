/** What every check goes by. */
import type { ResolvedSettings } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

export interface CheckContext {
  readonly settings: ResolvedSettings;
  readonly log: Log;
  readonly clock: Clock;
  /** How long a step with a broker may take, ms. */
  readonly brokerLimit: number;
  /** The same of the database. */
  readonly databaseLimit: number;
  /** Throws where collect.host_root is no host's root: the collectors' own question. */
  readonly requireHostRoot: (root: string) => void;
}

/** How long a file system may take to answer, ms. */
export const FILE_LIMIT_MS = 5000;

/** What to do about silence. */
export const SILENT = {
  names: 'look at the name service of this host (/etc/resolv.conf), and whether its servers answer',
  network: 'check the address, and look for a firewall that drops packets',
  disk: 'look for a dead mount or a disk that hangs',
} as const;
