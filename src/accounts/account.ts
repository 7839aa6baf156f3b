/**
 * The account of one run: which of its sequence numbers arrived, which are missing, which were lost and why.
 *
 * The value holds what is *not* there. Every number from 1 to `last_seq` that lies in no gap was received; a number
 * above it has not been heard of. So a healthy run of a million samples is as small as one of ten.
 */

/** A reason together with where it ranks; see `reasons.ts`. `null`: nobody has said why. */
export type GapReason = string | null;

/** Consecutive sequence numbers that were not received, with one reason. */
export interface Gap {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly reason: GapReason;
}

/** A place in the log of one partition. The epoch rises when the log is made anew and its offsets begin again. */
export interface LogPosition {
  readonly epoch: number;
  readonly offset: number;
}

/** The greatest sequence number that a partition brought of a run, and where it lay. */
export interface Contact extends LogPosition {
  readonly seq: number;
}

/** How a run ended, as its agent told. */
export interface RunEnd {
  readonly clean: boolean;
}

export interface Account {
  readonly run_id: string;
  readonly hostname: string;
  /** Time of the earliest message about this run, ms since the epoch. */
  readonly first_seen: number;
  /** Time of the latest. */
  readonly last_seen: number;
  /** The greatest sequence number known to have been taken. */
  readonly last_seq: number;
  /** By partition; a run has more than one only where partitions were added to the topic. */
  readonly last_seq_by_partition: ReadonlyMap<number, Contact>;
  readonly ended: RunEnd | null;
  /** A note said that it was guessing: the end of the run, or the bounds of a loss, are not certain. */
  readonly uncertain: boolean;
  /** In order, disjoint; neighbours that touch differ in their reasons. */
  readonly gaps: readonly Gap[];
  /**
   * How many times the stored account had been written when this one was read; 0 for one that is not stored yet. A
   * load writes an account only over the version it was computed from, and is stale otherwise: two owners of one run
   * (partitions were added) cannot overwrite each other. `advance` carries it along unchanged.
   */
  readonly version: number;
}

/** Sums over one account. `received + lost + missing` is `last_seq`. */
export interface Tally {
  readonly received: number;
  /** In gaps with a reason. */
  readonly lost: number;
  /** In gaps without one. */
  readonly missing: number;
}

export function tally(account: Account): Tally {
  let lost = 0;
  let missing = 0;
  for (const { first_seq, last_seq, reason } of account.gaps) {
    if (reason === null) missing += last_seq - first_seq + 1;
    else lost += last_seq - first_seq + 1;
  }
  return { received: account.last_seq - lost - missing, lost, missing };
}

/** Whether the position lies before the other in the life of its partition. */
export function isBefore(position: LogPosition, other: LogPosition): boolean {
  return position.epoch < other.epoch || (position.epoch === other.epoch && position.offset < other.offset);
}

/** The account as it stands once a load has written it: what the next load of the same run is computed from. */
export function written(account: Account): Account {
  return { ...account, version: account.version + 1 };
}
