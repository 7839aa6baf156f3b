/**
 * Loads one batch of the spool into the sink, by the protocol of the writer with the spool in Kafka's place.
 *
 *   offset and accounts (cached) ─▶ decode ─▶ advance the accounts ─▶ load ─┬─▶ committed: caches follow
 *                                                                          └─▶ anything else: caches dropped
 *
 * The caches are right because one process holds the spool; whenever the database answers otherwise, or does not
 * answer, they are read again. A batch below the stored offset is no error and is not skipped: after a kill between
 * load and acknowledgement it is the same samples again, and after a restored backup of the spool it may be new ones
 * under old row ids. The event_id tells them apart; the offset only fences.
 */
import { advanceAll, runsOf } from '../accounts/advance-all.ts';
import type { Log } from '../lib/log.ts';
import { AccountCache } from '../sink/account-cache.ts';
import { hostChanges } from '../sink/host-changes.ts';
import type { LoadOutcome, LogReader, OffsetMove, Sink, StoredOffset } from '../sink/sink.ts';
import type { PendingNote, SpooledSample } from '../spool/spool.ts';
import { decodeBatch, EPOCH, PARTITION, type SpooledBatch } from './spooled-batch.ts';

/** Reads a spool; a name that stands in `consumer_offsets` beside those of Kafka's groups. */
const GROUP = 'local';

export class BatchLoader {
  readonly #sink: Sink;
  readonly #log: Log;
  readonly #accounts: AccountCache;
  #topic: string | undefined;
  /** null: the sink has none; undefined: not known. */
  #offset: StoredOffset | null | undefined;

  constructor(sink: Sink, log: Log) {
    this.#sink = sink;
    this.#log = log;
    this.#accounts = new AccountCache(sink);
  }

  /** `samples`: in order, at least one. Rejects with the sink's HostspoolError. */
  async load(
    spoolId: string,
    samples: readonly SpooledSample[],
    notes: readonly PendingNote[],
  ): Promise<LoadOutcome & { readonly undecodable: number }> {
    const topic = `spool:${spoolId}`;
    if (topic !== this.#topic) this.forget();
    this.#topic = topic;
    let known = false;
    try {
      const reader = { group: GROUP, topic };
      const stored = await this.#stored(reader);
      const beganAt = stored?.began_at ?? (samples[0] as SpooledSample).takenAt;
      const batch = decodeBatch(samples, notes, beganAt, this.#log);
      const changes = advanceAll(await this.#accounts.read(runsOf(batch.events)), batch.events);
      const move = moveOf(stored, batch, beganAt);
      const outcome = await this.#sink.load({
        ...reader,
        rows: batch.rows,
        accounts: changes,
        hosts: hostChanges(batch.rows, changes),
        offsets: [move],
        holes: [],
      });
      if (outcome.kind === 'committed') {
        known = true;
        this.#offset = move;
        this.#accounts.committed(changes);
      }
      return { ...outcome, undecodable: batch.undecodable };
    } finally {
      if (!known) this.forget();
    }
  }

  /** What is cached is read again by the next load. */
  forget(): void {
    this.#offset = undefined;
    this.#accounts.forget();
  }

  async #stored(reader: LogReader): Promise<StoredOffset | null> {
    if (this.#offset === undefined) {
      this.#offset = (await this.#sink.readOffsets(reader, [PARTITION])).get(PARTITION) ?? null;
    }
    return this.#offset;
  }
}

function moveOf(stored: StoredOffset | null, batch: SpooledBatch, beganAt: number): OffsetMove & StoredOffset {
  const isAhead = stored === null || batch.next >= stored.next;
  return {
    partition: PARTITION,
    expected: stored === null ? null : { epoch: stored.epoch, offset: stored.next },
    epoch: EPOCH,
    next: isAhead ? batch.next : stored.next,
    evidence: isAhead ? batch.evidence : stored.evidence,
    began_at: beganAt,
  };
}
