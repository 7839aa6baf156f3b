/** What a person at the command line does with a database of samples, beside loading it. */
import type { LogHole } from '../accounts/advance.ts';
import type { LogReader, StoredOffset } from './sink.ts';

export type { LogHole } from '../accounts/advance.ts';

/** A host as the database knows it. Times are ms since the epoch. */
export interface HostRecord {
  readonly hostname: string;
  /** null where only notes about its runs were heard. */
  readonly first_seen: number | null;
  readonly last_seen: number | null;
  readonly agent_version: string | null;
  readonly spool_depth: number | null;
  readonly spool_bytes: number | null;
  readonly spool_oldest_age_seconds: number | null;
  /** Rows in server_metrics ever inserted for it. */
  readonly samples: number;
  /** Sums over its runs. */
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
  /** When a person said that the host is gone; null: it is expected to report. A later sample takes it back. */
  readonly retired_at: number | null;
}

export interface OffsetReset {
  readonly partition: number;
  /** What is stored now, as it was read; the reset is refused where it has changed since. */
  readonly stored: StoredOffset | null;
  readonly next: number;
}

/** Throws as the Sink does. */
export interface SinkAdmin {
  /** By hostname. */
  listHosts(): Promise<readonly HostRecord[]>;
  /** Marks the host as gone; its rows stay. Answers false where there is no such host. */
  retireHost(hostname: string): Promise<boolean>;
  /**
   * Sets where the reader goes on, in one transaction, all or none; forgets the evidence, keeps epoch and began_at.
   * `holes` are what the reader passes over thereby: recorded in the same transaction. A skip that it goes back over is
   * none any more: holes of the reason `skipped_by_operator` are shortened to end at `next`, and those that begin there
   * or later removed, or what is read after all would go on excusing gaps. Answers the partitions whose offset was not
   * as stored: then nothing was changed.
   */
  resetOffsets(
    reader: LogReader,
    resets: readonly OffsetReset[],
    holes: readonly LogHole[],
  ): Promise<readonly number[]>;
}
