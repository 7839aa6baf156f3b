/**
 * What the spool knows about its own losses: the notes that wait to be sent, and the totals that never reset.
 *
 * A note is written in the transaction that loses the samples, or in the first one that succeeds after they could not
 * be stored. Neighbouring losses of one run for one reason are one note, which grows; so a week at the bound is one
 * note and not a hundred thousand. A note that was handed out to be sent does not grow any more: its acknowledgement
 * would delete what was added since. Notes are never evicted.
 */

import type { SqliteStatement } from '../lib/sqlite.ts';
import { uuidFromBytes } from '../sample/identity.ts';
import type { LossReason, Note } from '../sample/note.ts';
import { isNote, type StoredNote } from './rows.ts';
import type { Store } from './store.ts';

export interface PendingNote {
  readonly id: number;
  readonly note: Note;
}

/** A stretch of samples of one run that are gone. */
export interface Loss {
  readonly runId: Buffer;
  readonly first: number;
  readonly last: number;
  readonly reason: LossReason;
  /** Whether the stretch is certain; otherwise it may say too much. */
  readonly exact: boolean;
  /** Samples for the totals, where the stretch may say too much. */
  readonly samples?: number;
}

/** Ids of notes that were handed out, and may not grow. */
export interface HandedOutNotes {
  has(id: number): boolean;
}

export class Notes {
  readonly #handedOut: HandedOutNotes;
  readonly #insert: SqliteStatement<[string, Buffer, number, number, LossReason | null, number, number | null, number]>;
  readonly #neighbour: SqliteStatement<[Buffer, string, number, number], { id: number }>;
  readonly #grow: SqliteStatement<[number, number, number]>;
  readonly #total: SqliteStatement<[string, number, number, number]>;
  readonly #pending: SqliteStatement<[], StoredNote>;
  readonly #delete: SqliteStatement<[number]>;
  /** It is known that there are none; asked before each shipment, and nearly always so. */
  #none = false;

  constructor(store: Store, handedOut: HandedOutNotes) {
    const { database } = store;
    this.#handedOut = handedOut;
    this.#insert = database.prepare(
      `INSERT INTO notes (kind, run_id, first_seq, last_seq, reason, exact, clean, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#neighbour = database.prepare(
      `SELECT id FROM notes
       WHERE kind = 'lost' AND run_id = ? AND reason = ? AND exact = 1 AND first_seq <= ? + 1 AND last_seq >= ? - 1
       ORDER BY id DESC`,
    );
    this.#grow = database.prepare(
      'UPDATE notes SET first_seq = MIN(first_seq, ?), last_seq = MAX(last_seq, ?) WHERE id = ?',
    );
    this.#total = database.prepare(
      `INSERT INTO losses (reason, samples, first_at, last_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (reason) DO UPDATE
       SET samples = samples + excluded.samples, last_at = MAX(last_at, excluded.last_at)`,
    );
    this.#pending = database.prepare('SELECT * FROM notes ORDER BY id');
    this.#delete = database.prepare('DELETE FROM notes WHERE id = ?');
  }

  /** `at`: wall clock, ms. */
  lost({ runId, first, last, reason, exact, samples = last - first + 1 }: Loss, at: number): void {
    this.#none = false;
    const grown = exact && this.#growNeighbour(runId, first, last, reason);
    if (!grown) this.#insert.run('lost', runId, first, last, reason, exact ? 1 : 0, null, at);
    this.#total.run(reason, samples, at, at);
  }

  /** `at`: wall clock, ms. */
  runEnded(runId: Buffer, lastSeq: number, clean: boolean, exact: boolean, at: number): void {
    this.#none = false;
    this.#insert.run('run_ended', runId, lastSeq, lastSeq, null, exact ? 1 : 0, clean ? 1 : 0, at);
  }

  /** The oldest notes, in order. Throws SQLITE_CORRUPT at one that was not written so: nothing else would find it. */
  pending(limit: number): PendingNote[] {
    const pending: PendingNote[] = [];
    if (this.#none) return pending;
    for (const row of this.#pending.iterate()) {
      if (pending.length >= limit) break;
      if (!isNote(row)) throw Object.assign(new Error(`note ${row.id} is damaged`), { code: 'SQLITE_CORRUPT' });
      pending.push({ id: row.id, note: noteOf(row) });
    }
    this.#none = pending.length === 0 && limit > 0;
    return pending;
  }

  delete(ids: Iterable<number>): void {
    for (const id of ids) this.#delete.run(id);
  }

  #growNeighbour(runId: Buffer, first: number, last: number, reason: LossReason): boolean {
    for (const { id } of this.#neighbour.all(runId, reason, last, first)) {
      if (this.#handedOut.has(id)) continue;
      this.#grow.run(first, last, id);
      return true;
    }
    return false;
  }
}

function noteOf(row: StoredNote): Note {
  const run_id = uuidFromBytes(row.run_id);
  const guess = row.exact === 1 ? {} : { exact: false as const };
  if (row.kind === 'run_ended') {
    return { kind: 'run_ended', run_id, last_seq: row.last_seq, clean: row.clean === 1, ...guess };
  }
  const reason = row.reason ?? 'spool_corrupt';
  return { kind: 'lost', run_id, first_seq: row.first_seq, last_seq: row.last_seq, reason, ...guess };
}
