/**
 * What a collector is: one source, some fields. A new one is one file and one line in host.ts.
 *
 * It answers all of its fields or throws; then the sample goes without them. Reading /proc is synchronous and takes
 * microseconds; only a filesystem can keep a caller waiting, so only those collectors are asynchronous.
 */
import type { HostspoolError } from '../lib/errors.ts';
import type { HostReading } from '../sample/sample.ts';
import type { Deadline } from './deadline.ts';

export type Fields = Partial<HostReading>;

export interface Collector {
  /** Stable: the label under which failures are counted. */
  readonly name: string;
  collect(): Fields;
  close(): void;
}

export interface SlowCollector {
  readonly name: string;
  /** Answers by the deadline, with what is there by then. */
  collect(deadline: Deadline): Promise<SlowResult>;
  close(): void;
}

export interface SlowResult {
  readonly fields: Fields;
  /** Why some of the fields are missing, where some are. */
  readonly problem?: HostspoolError;
}

/** Entries in each detail array at most: a container host with 500 mounts must not make messages of 100 KB. */
export const DETAIL_ENTRIES = 64;
