/** What a spool is told when it is opened. */
import type { SizeOrShare } from '../config/kinds.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { SpoolPorts } from './ports.ts';

export interface SpoolOptions {
  /** The database file; its companions lie beside it. */
  readonly path: string;
  /** Bytes. */
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly maxAge: number;
  readonly minFree: SizeOrShare;
  readonly synchronous: 'full' | 'normal';
  /** Group that may read the files, by name or number. */
  readonly group?: string;
  readonly hostname: string;
  /** Time between two samples, ms. */
  readonly interval: number;
  readonly version: string;
  /** drain: begins no run of its own, appends and evicts nothing. */
  readonly purpose: 'agent' | 'drain';
  readonly clock: Clock;
  readonly log: Log;
  /** Where the spool meets the machine; a test brings its own. */
  readonly ports?: SpoolPorts;
}
