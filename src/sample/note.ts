/**
 * What an agent knows about its own losses, sent with its samples. A note is idempotent: hearing it again, late or
 * twice changes nothing; a sample that arrives in spite of a note counts as received.
 */

/** Why an agent lost a sample. Stable names: they are what `vw_sample_accounting` shows. */
export const LOSS_REASONS = [
  /** Evicted, oldest first: the spool had reached `spool.max_bytes`. */
  'spool_full',
  /** Evicted, oldest first: older than `spool.max_age`. */
  'spool_expired',
  /** Evicted, or never stored: the filesystem was below `spool.min_free` or full. */
  'disk_full',
  /** Never stored: the spool could not be written for another reason (read-only, I/O error). */
  'spool_unwritable',
  /** Stored, and found damaged. */
  'spool_corrupt',
  /** Taken and not stored before the process or the machine died. */
  'crash',
  /** Kafka refused this very sample (too large, invalid record); it was logged whole. */
  'refused_by_kafka',
] as const;

export type LossReason = (typeof LOSS_REASONS)[number];

export interface LostNote {
  readonly kind: 'lost';
  readonly run_id: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly reason: LossReason;
  /** `false` where the range is the best guess: then it may say too much, never too little. */
  readonly exact?: false;
}

export interface RunEndedNote {
  readonly kind: 'run_ended';
  readonly run_id: string;
  readonly last_seq: number;
  /** Whether the agent stopped in order. */
  readonly clean: boolean;
  /** `false` where last_seq is the best guess. */
  readonly exact?: false;
}

export type Note = LostNote | RunEndedNote;

/** How many notes one sample carries at most. */
export const NOTES_PER_SAMPLE = 100;
