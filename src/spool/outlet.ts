/**
 * The way out: what the one drainer reads, and what becomes of it.
 *
 * What it holds is known in memory only, so that eviction spares it; nothing on disk says so, and after a restart it is
 * simply read again. What is acknowledged or refused while the file can't be written is owed, and not read again.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { uuidFromBytes, uuidToBytes } from '../sample/identity.ts';
import type { LossReason } from '../sample/note.ts';
import type { SampleIdentity } from '../sample/sample.ts';
import { ID_BYTES, isIntact } from './checksum.ts';
import { dropDamaged } from './eviction.ts';
import { readIntact } from './intact-batch.ts';
import type { Journal } from './journal.ts';
import type { PendingNote } from './notes.ts';
import type { Reached } from './owed.ts';
import type { OutgoingRow, SampleRow, Store } from './store.ts';

export interface SpooledSample {
  /** Order in the spool; greater than that of every sample before. */
  readonly id: number;
  /** Of the run it belongs to. */
  readonly hostname: string;
  readonly identity: SampleIdentity;
  /** Wall clock, ms. */
  readonly takenAt: number;
  readonly payload: string;
  /** The payload in UTF-8, where it lies in memory so: making a text of it costs as much as reading it. */
  readonly bytes?: Buffer;
}

export interface ReadLimits {
  readonly samples: number;
  /** Of the payloads, in UTF-8. */
  readonly bytes: number;
}

export interface OutletOptions {
  readonly journal: Journal;
  /** For samples of a run that the file knows nothing else of. */
  readonly hostname: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** More notes than a spool ever has; keeps sums with it exact. */
const ALL_NOTES = 2 ** 40;
/** Most samples that memory keeps as they were stored: what comes together while Kafka is up. */
const MOST_RECENT = 64;

export class Outlet {
  readonly #options: OutletOptions;
  readonly #journal: Journal;
  /** What is with the drainer. */
  #handedOut: readonly SpooledSample[] = [];
  #spared = false;
  /** All samples of the spool as they were stored, while they are few and nothing befell any; else empty. */
  #recent: SpooledSample[] = [];
  #recentOf = 0;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#journal = options.journal;
  }

  /** Id up to which samples are with the drainer, or delivered. */
  get handedOut(): number {
    return Math.max(this.#handedOut.at(-1)?.id ?? 0, this.#journal.owed.upTo);
  }

  /** Whether what is in the spool only waits for more to come with it before it is read. */
  get isSpared(): boolean {
    return this.#spared;
  }

  spare(): void {
    this.#spared = true;
  }

  /**
   * This sample was just stored. Where memory has all that is in the spool it is handed out as it is, and not read back:
   * so it goes while Kafka is up, and reading a sample back is a tenth of what it costs.
   */
  stored(sample: SpooledSample): void {
    const { depth, loads } = this.#journal.contents;
    const areAll = this.#recent.length === depth - 1 && this.#recentOf === loads;
    if (depth === 1) this.#recent = [sample];
    else if (areAll && depth <= MOST_RECENT) this.#recent.push(sample);
    else this.#recent = [];
    this.#recentOf = loads;
  }

  read(limits: ReadLimits): readonly SpooledSample[] {
    this.#spared = false;
    const recent = this.#fromMemory(limits);
    if (recent.length > 0) {
      this.#handedOut = recent;
      return recent;
    }
    if (this.#journal.isEmpty) return [];
    for (;;) {
      const [found] = this.#journal.read((store) => this.#scan(store, limits));
      if (found === undefined) return [];
      if (found.samples.length === 0 && found.damaged !== undefined) {
        if (!this.dropDamaged(found.damaged)) return [];
        continue;
      }
      this.#handedOut = found.samples;
      return found.samples;
    }
  }

  notes(limit: number): readonly PendingNote[] {
    const { owed, notesHandedOut } = this.#journal;
    const [pending = []] = this.#journal.read((_, notes) => notes.pending(Math.min(limit + owed.delivered, ALL_NOTES)));
    const fresh = pending.filter(({ id }) => !owed.isDelivered(id)).slice(0, limit);
    for (const { id } of fresh) notesHandedOut.add(id);
    return fresh;
  }

  acknowledge(upTo: number, noteIds: readonly number[]): void {
    const { owed, notesHandedOut } = this.#journal;
    // An id that was not handed out belongs to a note of a file that was replaced meanwhile.
    owed.acknowledge(
      upTo,
      reachedBy(this.#handedOut.filter(({ id }) => id <= upTo)),
      noteIds.filter((id) => notesHandedOut.has(id)),
    );
    this.release();
    this.#journal.settleDebts();
  }

  release(): void {
    this.#handedOut = [];
    this.#spared = false;
    this.#journal.notesHandedOut.clear();
  }

  refuse(sample: SpooledSample, reason: LossReason): void {
    const { run_id, seq } = sample.identity;
    this.#journal.owed.refuse(sample.id, { runId: uuidToBytes(run_id), seq, reason });
    this.#journal.write();
  }

  /** The oldest samples up to the limits, where memory has all that are in the file. */
  #fromMemory(limits: ReadLimits): readonly SpooledSample[] {
    const { contents, owed } = this.#journal;
    const [first] = this.#recent;
    if (first === undefined) return [];
    const areAll = this.#recent.length === contents.depth && this.#recent.at(-1)?.id === contents.lastId;
    if (!areAll || this.#recentOf !== contents.loads || owed.refused > 0 || owed.upTo >= first.id) {
      this.#recent = [];
      return [];
    }
    let bytes = 0;
    const over = this.#recent.findIndex(({ payload }, index) => {
      bytes += Buffer.byteLength(payload);
      return index > 0 && (index >= limits.samples || bytes > limits.bytes);
    });
    return this.#recent.slice(0, over < 0 ? undefined : over);
  }

  /** The oldest samples up to the limits, or up to the first damaged one. */
  #scan(store: Store, limits: ReadLimits): { samples: SpooledSample[]; damaged?: number } {
    const { owed, contents } = this.#journal;
    const hostnameOf = (runId: string) => contents.hostname(runId) ?? this.#options.hostname;
    const intact = owed.refused === 0 ? readIntact(store, owed.upTo, limits, hostnameOf) : undefined;
    if (intact !== undefined) return { samples: intact };
    const samples: SpooledSample[] = [];
    let bytes = 0;
    let runId = '';
    let run: Buffer | undefined;
    for (const outgoing of store.outgoing.iterate(owed.upTo)) {
      if (samples.length >= limits.samples) break;
      if (owed.isRefused(outgoing.id)) continue;
      const row = withBlobs(outgoing);
      if (!isIntact(row)) return { samples, damaged: row.id };
      bytes += Buffer.byteLength(row.payload);
      if (samples.length > 0 && bytes > limits.bytes) break;
      if (run === undefined || !run.equals(row.run_id)) {
        run = row.run_id;
        runId = uuidFromBytes(run);
      }
      samples.push(spooled(row, runId, hostnameOf(runId)));
    }
    return { samples };
  }

  /** Deletes and notes the damaged samples that begin at this id; answers whether that is committed. */
  dropDamaged(id: number): boolean {
    const { log, clock } = this.#options;
    const journal = this.#journal;
    let dropped = 0;
    const written = journal.write((store, notes) => {
      const lastOf = (run: Buffer) => (run.equals(journal.runBytes) ? journal.settled : store.lastSeq(run));
      dropped = dropDamaged(store, notes, id, lastOf, clock.now());
      return dropped;
    });
    if (written) {
      log.error(
        { event: 'samples_damaged', samples: dropped, first_id: id },
        'samples in the spool are not what was written; their loss is noted',
      );
    }
    return written && dropped > 0;
  }
}

/** The last number of each run among them. The samples of a run lie together, in order, and nearly always all are of one. */
function reachedBy(samples: readonly SpooledSample[]): readonly Reached[] {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return [];
  return first.identity.run_id === last.identity.run_id ? [last.identity] : samples.map(({ identity }) => identity);
}

/** Blobs that are not what they should be come out empty, which no checksum holds for. */
function withBlobs({ id, ids, seq, taken_at, monotonic_at, crc, payload }: OutgoingRow): SampleRow {
  const bytes = Buffer.from(ids ?? '', 'hex');
  const run_id = bytes.subarray(0, ID_BYTES);
  const event_id = bytes.subarray(ID_BYTES);
  return { id, run_id, seq, event_id, taken_at, monotonic_at, crc, payload };
}

function spooled(row: SampleRow, runId: string, hostname: string): SpooledSample {
  const identity = { event_id: uuidFromBytes(row.event_id), run_id: runId, seq: row.seq };
  return { id: row.id, hostname, identity, takenAt: row.taken_at, payload: row.payload };
}
