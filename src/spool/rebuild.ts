/**
 * A fresh spool file, made of the rows that were salvaged from a damaged one.
 *
 * Samples go straight into the new file under the id they had, so the order is the old one and memory holds no payload.
 * A changed bit in an id is not seen by the checksum: if two samples claim one id, the later found is put at the end of
 * the queue; if one sample is found under two ids, the first stays. Everything else is small and kept in memory until
 * all pages were read. Then the runs are made whole, and what is gone is noted.
 *
 * The ids go on above the greatest one ever given, so the offsets of local mode never repeat. Where that number was
 * not found for certain, the spool gets a new `spool_id` instead, and with it local mode a topic of its own.
 *
 * There is no journal: a half-built file is thrown away, and a whole one is fsynced before it counts.
 */
import { hostname as systemHostname } from 'node:os';
import type { SqliteDatabase, SqliteStatement } from '../lib/sqlite.ts';
import { UuidSource } from '../sample/identity.ts';
import { Evidence, hostnameIn, type RunFacts } from './evidence.ts';
import { accountFor, type RunAccount } from './gone.ts';
import type { KnownTail } from './ports.ts';
import type { SpoolRow, StoredNote } from './rows.ts';
import { migrate, prepareEmpty } from './schema.ts';
import type { RunRow, SampleRow } from './store.ts';

/** Rows in one transaction. */
const TRANSACTION_ROWS = 2000;

export interface RebuildOptions {
  /** An empty file, or none; not closed here. */
  readonly database: SqliteDatabase;
  /** `false`: samples are only counted as lost, because there is no room for them. */
  readonly carrySamples: boolean;
  /** What the tail file says of runs. */
  readonly tails: readonly KnownTail[];
  /** Most samples that the damaged file could hold. */
  readonly capacity: number;
  /** Wall clock, ms. */
  readonly now: number;
}

export interface Rebuilt {
  readonly samples: number;
  readonly notes: number;
  /** Samples that the new notes are about. Where a run's own row was destroyed, it may say too much. */
  readonly lost: number;
  readonly newSpoolId: boolean;
}

interface SampleKey {
  readonly id: number;
  readonly run_id: Buffer;
  readonly seq: number;
}

export class Rebuild {
  readonly #options: RebuildOptions;
  readonly #database: SqliteDatabase;
  readonly #insert: SqliteStatement<[SampleRow]>;
  readonly #withId: SqliteStatement<[number], SampleKey>;
  readonly #evidence = new Evidence();
  #pending = 0;
  #lastId = 0;

  constructor(options: RebuildOptions) {
    const { database } = options;
    this.#options = options;
    this.#database = database;
    database.pragma('journal_mode = OFF');
    database.pragma('synchronous = OFF');
    prepareEmpty(database);
    migrate(database);
    database.exec('CREATE TEMP TABLE displaced AS SELECT * FROM samples');
    this.#insert = database.prepare(
      `INSERT INTO samples VALUES ($id, $run_id, $seq, $event_id, $taken_at, $monotonic_at, $crc, $payload)
       ON CONFLICT (id) DO NOTHING`,
    );
    this.#withId = database.prepare('SELECT id, run_id, seq FROM samples WHERE id = ?');
  }

  /** Takes a row that was salvaged; in any order, any number of times. */
  take(found: SpoolRow): void {
    if (found.table === 'samples') this.#takeSample(found.row);
    else this.#evidence.take(found);
  }

  /** Called once, when every row was taken. */
  finish(): Rebuilt {
    this.#commit();
    this.#indexSamples();
    this.#placeDisplaced();
    for (const tail of this.#options.tails) this.#evidence.hearTail(tail);
    return this.#database.transaction(() => {
      const carried = this.#writeNotes();
      const { lost, added } = this.#writeRuns();
      for (const total of this.#evidence.losses.values()) {
        this.#database.prepare('INSERT INTO losses VALUES ($reason, $samples, $first_at, $last_at)').run(total);
      }
      const newSpoolId = this.#writeState();
      this.#writeSequences();
      const samples = this.#database.prepare<[], number>('SELECT COUNT(*) FROM samples').pluck().get() ?? 0;
      return { samples, notes: carried + added, lost, newSpoolId };
    })();
  }

  #takeSample(row: SampleRow): void {
    this.#lastId = Math.max(this.#lastId, row.id);
    if (!this.#options.carrySamples) {
      this.#evidence.hear(row);
      return;
    }
    if (this.#pending === 0) this.#database.exec('BEGIN');
    if (this.#insert.run(row).changes === 0) {
      const other = this.#withId.get(row.id);
      if (other === undefined || !isSame(other, row)) {
        this.#database
          .prepare(
            `INSERT INTO displaced VALUES ($id, $run_id, $seq, $event_id, $taken_at, $monotonic_at, $crc, $payload)`,
          )
          .run(row);
      }
    }
    if (++this.#pending >= TRANSACTION_ROWS) this.#commit();
  }

  #commit(): void {
    if (this.#pending > 0) this.#database.exec('COMMIT');
    this.#pending = 0;
  }

  /** Which numbers of which run are there. What is there twice is deleted. */
  #indexSamples(): void {
    const twice: number[] = [];
    let before: { readonly id: number; readonly seq: number; readonly facts: RunFacts } | undefined;
    const samples = this.#database.prepare<[], SampleKey>('SELECT id, run_id, seq FROM samples ORDER BY id');
    for (const { id, run_id, seq } of samples.iterate()) {
      const facts = before?.facts.id.equals(run_id) ? before.facts : this.#evidence.run(run_id);
      if (facts.present.has(seq)) {
        twice.push(id);
        continue;
      }
      facts.present.add(seq);
      if (facts.firstId === 0) facts.firstId = id;
      if (before !== undefined && before.facts !== facts) {
        this.#idsBehind(before.facts, id - before.id - 1 - (seq - 1));
      }
      before = { id, seq, facts };
    }
    if (before !== undefined) this.#idsBehind(before.facts, (this.#evidence.sequences.get('samples') ?? 0) - before.id);
    for (const id of twice) this.#database.prepare('DELETE FROM samples WHERE id = ?').run(id);
  }

  #idsBehind(facts: RunFacts, count: number): void {
    facts.idsBehind = Math.max(facts.idsBehind, Math.min(count, this.#options.capacity));
  }

  #placeDisplaced(): void {
    const rows = this.#database.prepare<[], SampleKey>('SELECT rowid AS id, run_id, seq FROM displaced ORDER BY rowid');
    const place = this.#database.prepare<[number, number]>(
      `INSERT INTO samples SELECT ?, run_id, seq, event_id, taken_at, monotonic_at, crc, payload
       FROM displaced WHERE rowid = ?`,
    );
    for (const { id, run_id, seq } of rows.all()) {
      const facts = this.#evidence.run(run_id);
      if (facts.present.has(seq)) continue;
      place.run(++this.#lastId, id);
      facts.present.add(seq);
      if (facts.firstId === 0) facts.firstId = this.#lastId;
    }
    this.#database.exec('DROP TABLE displaced');
  }

  #writeNotes(): number {
    const insert = this.#database.prepare<[StoredNote & { readonly place: number | null }]>(
      `INSERT INTO notes VALUES ($place, $kind, $run_id, $first_seq, $last_seq, $reason, $exact, $clean, $created_at)`,
    );
    const notes = this.#evidence.notes();
    // Of two that claim one id the later comes behind all others: an id given before may be that of one yet to come.
    const displaced: StoredNote[] = [];
    const taken = new Set<number>();
    for (const note of notes) {
      if (taken.has(note.id)) displaced.push(note);
      else insert.run({ ...note, place: note.id });
      taken.add(note.id);
    }
    for (const note of displaced) insert.run({ ...note, place: null });
    return notes.length;
  }

  #writeRuns(): { readonly lost: number; readonly added: number } {
    const insertRun = this.#database.prepare<[RunRow]>(
      `INSERT INTO runs VALUES
       ($run_id, $hostname, $boot_id, $started_at, $interval_ms, $last_seq, $acked_seq, $ended)`,
    );
    const insertNote = this.#database.prepare<[string, Buffer, number, number, string | null, number, number | null]>(
      `INSERT INTO notes (kind, run_id, first_seq, last_seq, reason, exact, clean, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ${this.#options.now})`,
    );
    let lost = 0;
    let added = 0;
    for (const facts of this.#evidence.runs()) {
      const account = accountFor(facts);
      insertRun.run(this.#runRow(facts, account));
      for (const { first, last, exact } of account.gone) {
        insertNote.run('lost', facts.id, first, last, 'spool_corrupt', exact ? 1 : 0, null);
        added++;
      }
      lost += account.samples;
      // The note of its end may have been among what was destroyed. Hearing it twice changes nothing.
      if (facts.row !== undefined && facts.row.ended !== null && !facts.endNoted && !facts.told) {
        const clean = facts.row.ended === 'clean' ? 1 : 0;
        insertNote.run('run_ended', facts.id, account.lastSeq, account.lastSeq, null, clean, clean);
        added++;
      }
    }
    this.#addLosses(lost);
    return { lost, added };
  }

  /** A run whose row is gone is open again, and the next start ends it; not one whose end was told. */
  #runRow(facts: RunFacts, { lastSeq, ackedSeq }: RunAccount): RunRow {
    const known = facts.row ?? {
      run_id: facts.id,
      hostname: facts.hostname ?? this.#hostnameOf(facts) ?? this.#evidence.anyHostname() ?? systemHostname(),
      boot_id: '',
      started_at: facts.id.readUIntBE(0, 6),
      interval_ms: 0,
      ended: null,
    };
    const ended = facts.told ? (known.ended ?? 'unclean') : known.ended;
    return { ...known, ended, last_seq: lastSeq, acked_seq: ackedSeq };
  }

  #hostnameOf({ firstId }: RunFacts): string | undefined {
    const payload = this.#database.prepare<[number], string>('SELECT payload FROM samples WHERE id = ?');
    const found = payload.pluck().get(firstId);
    return found === undefined ? undefined : hostnameIn(found);
  }

  #addLosses(lost: number): void {
    if (lost === 0) return;
    const { now } = this.#options;
    const known = this.#evidence.losses.get('spool_corrupt') ?? { samples: 0, first_at: now };
    const samples = known.samples + lost;
    this.#evidence.losses.set('spool_corrupt', {
      reason: 'spool_corrupt',
      samples,
      first_at: known.first_at,
      last_at: now,
    });
  }

  /** Answers whether the spool got a new id. */
  #writeState(): boolean {
    const keepsId =
      this.#evidence.state.has('spool_id') && (this.#evidence.sequences.get('samples') ?? -1) >= this.#lastId;
    if (!keepsId) this.#evidence.state.set('spool_id', new UuidSource(() => this.#options.now).next());
    for (const [key, value] of this.#evidence.state) {
      this.#database.prepare('INSERT INTO state VALUES (?, ?)').run(key, value);
    }
    return !keepsId;
  }

  #writeSequences(): void {
    const greatest = new Map([
      ...this.#evidence.sequences,
      ['samples', Math.max(this.#evidence.sequences.get('samples') ?? 0, this.#lastId)],
    ]);
    for (const [name, seq] of greatest) {
      const { changes } = this.#database
        .prepare('UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?')
        .run(seq, name);
      if (changes === 0) this.#database.prepare('INSERT INTO sqlite_sequence VALUES (?, ?)').run(name, seq);
    }
  }
}

function isSame(one: SampleKey, other: SampleKey): boolean {
  return one.seq === other.seq && one.run_id.equals(other.run_id);
}
