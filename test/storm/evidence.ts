/** What the audit compares with the ledger: plain values, read past the product. */

/** A row of server_metrics. UUIDs in canonical writing. */
export interface TableRow {
  readonly event_id: string;
  readonly run_id: string | null;
  readonly seq: number | null;
  readonly hostname: string;
}

/** A row of vw_sample_accounting. */
export interface AccountingRow {
  readonly run_id: string;
  readonly hostname: string;
  readonly taken: number;
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
  readonly uncertain: boolean;
  readonly ended: string | null;
  /** Reason to samples, of those that are not 0. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** A row of seq_gaps: samples of a run that did not arrive. */
export interface GapRow {
  readonly run_id: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly reason: string | null;
}

/** A row of hosts. */
export interface HostRow {
  readonly hostname: string;
  readonly samples: number;
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
}

export interface DatabaseCopy {
  readonly rows: readonly TableRow[];
  readonly accounting: readonly AccountingRow[];
  readonly gaps: readonly GapRow[];
  readonly hosts: readonly HostRow[];
  /** Partition to next offset and epoch. */
  readonly offsets: ReadonlyMap<number, { readonly next: number; readonly epoch: number }>;
  /** Recorded holes of the log. */
  readonly holes: number;
}

/** A message of the topic; run, seq and event_id where it is an agent's sample. */
export interface TopicMessage {
  readonly partition: number;
  readonly offset: number;
  readonly event_id: string | null;
  readonly run_id: string | null;
  readonly seq: number | null;
  /** Its number where it is poison. */
  readonly poison: number | null;
  /** What it tells of losses and ends of runs. */
  readonly notes: readonly TopicNote[];
}

/** A note as it rides on a message: samples lost, or the end of a run. */
export interface TopicNote {
  readonly kind: string;
  readonly run_id: string;
  readonly first_seq?: number;
  readonly last_seq: number;
}

export interface TopicCopy {
  readonly messages: readonly TopicMessage[];
  /** Partition to the end of its log. */
  readonly ends: ReadonlyMap<number, number>;
  /** How often it was deleted and made anew. */
  readonly madeAnew: number;
  /** How often the beginning of its logs was deleted before it was read. */
  readonly cutShort: number;
}

/** A message of the dead-letter topic. */
export interface DeadLetter {
  readonly poison: number | null;
  readonly reason: string | null;
  readonly value: string;
}
