/**
 * The port between whoever reads a log of samples and the database that keeps them.
 *
 * A sink is one method. `load` takes rows, accounts and offsets together and makes them true in one transaction, or
 * none of them; so a row, the account that counts it and the offset that says it was read can never disagree, and
 * "exactly once" is the database's own atomicity. Whoever loads does not retry here: an error or an outcome says what
 * to do, and the caller does it.
 *
 *   load ─▶ move every offset expected → next ── one did not match ──▶ fenced: nothing written
 *                       │
 *           drop the rows whose event_id is there, insert the rest
 *                       │
 *           write every account over the version it was read with ── another wrote it ──▶ stale: nothing written
 *                       │
 *           add to the hosts, record the holes, commit ──▶ committed
 *
 * The offsets move first: that is the fence. A reader that lost its partition without noticing (it was stopped in the
 * middle of a load, and woke) finds another offset there and writes nothing.
 */

import type { Account } from '../accounts/account.ts';
import type { LogHole } from '../accounts/advance.ts';
import type { AccountChange } from '../accounts/advance-all.ts';
import type { DecodedSample } from '../sample/decode.ts';
import type { HostChange } from './host-changes.ts';

/** Who reads what: the key of the offsets. */
export interface LogReader {
  /** The consumer group, 1 to 150 characters. */
  readonly group: string;
  /** The topic, or `spool:<id>` for a spool that is loaded without Kafka; at most 249 characters. */
  readonly topic: string;
}

/**
 * What the message at `next − 1` was: if the log has another one there, it is not the log we knew. `timestamp` in ms
 * since the epoch, `sha256` of the value's bytes.
 */
export interface Evidence {
  readonly timestamp: number;
  readonly sha256: Buffer;
}

/** How far a partition has been loaded. */
export interface StoredOffset {
  readonly partition: number;
  /** Rises when the topic is made anew and its offsets begin again. From 0. */
  readonly epoch: number;
  /** The offset of the first message not yet loaded. */
  readonly next: number;
  /** null where nothing was ever read, or the message had no evidence to give. */
  readonly evidence: Evidence | null;
  /** Time of the first message that the group ever read from the partition, ms since the epoch; null before it. */
  readonly began_at: number | null;
}

export interface OffsetMove {
  readonly partition: number;
  /** What the database must have, or the load is fenced; null: it has no row for this partition yet. */
  readonly expected: { readonly epoch: number; readonly offset: number } | null;
  readonly epoch: number;
  readonly next: number;
  readonly evidence: Evidence | null;
  /** Kept from the first load that has one; what later loads say of it is not written. */
  readonly began_at: number | null;
}

export interface Load extends LogReader {
  /** Each event_id once. A row without its run is another producer's. */
  readonly rows: readonly DecodedSample[];
  /** At most one per run. */
  readonly accounts: readonly AccountChange[];
  /** At most one per hostname; see `hostChanges`. */
  readonly hosts: readonly HostChange[];
  /** At least one. */
  readonly offsets: readonly OffsetMove[];
  /** Found since the last load. */
  readonly holes: readonly LogHole[];
  /**
   * Do everything, answer as if it had been committed, and roll it back: whether the database takes these rows, without
   * consequences. Default false.
   */
  readonly rehearsal?: boolean;
}

export type LoadOutcome =
  | {
      readonly kind: 'committed';
      readonly inserted: number;
      /** Rows that the database had already. */
      readonly duplicates: number;
    }
  | {
      /** Nothing was written: these partitions' offsets are not what was expected. Read the offsets again. */
      readonly kind: 'fenced';
      readonly partitions: readonly number[];
    }
  | {
      /** Nothing was written: another reader wrote these runs. Read the accounts again and advance them anew. */
      readonly kind: 'stale';
      readonly runs: readonly string[];
    };

/**
 * Every method throws HostspoolError. `retryable` is true where the same call may succeed later (the database is away,
 * locked, full); SINK_DATA says that the database refused the rows themselves. After an error from `load` it is not
 * known whether it was committed: repeat it as it is, the fence and the event_ids decide.
 */
export interface Sink {
  load(load: Load): Promise<LoadOutcome>;
  /** What is stored of these partitions; all that are stored, when none are named. */
  readOffsets(reader: LogReader, partitions?: readonly number[]): Promise<ReadonlyMap<number, StoredOffset>>;
  /** The accounts of these runs, by run_id; runs never heard of do not appear. */
  readAccounts(runs: Iterable<string>): Promise<ReadonlyMap<string, Account>>;
  /** Runs with a gap that nobody has explained: those that a hole found just now may explain. */
  readUnexplained(): Promise<ReadonlyMap<string, Account>>;
  /** All holes ever found in the topic. */
  readHoles(reader: LogReader): Promise<readonly LogHole[]>;
  close(): Promise<void>;
}
