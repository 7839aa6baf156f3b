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
import { isUuid, UuidSource, uuidToBytes } from '../sample/identity.ts';
import { accountFor, type RunAccount, type RunEvidence } from './gone.ts';
import type { RecoveryRequest } from './ports.ts';
import type { LossTotal, SpoolRow, StoredNote } from './rows.ts';
import { migrate, prepareEmpty } from './schema.ts';
import { SeqSet } from './seq-set.ts';
import type { RunRow, SampleRow } from './store.ts';

/** Rows in one transaction. */
const TRANSACTION_ROWS = 2000;

export interface RebuildOptions {
  /** An empty file, or none; not closed here. */
  readonly database: SqliteDatabase;
  /** `false`: samples are only counted as lost, because there is no room for them. */
  readonly carrySamples: boolean;
  readonly tail: RecoveryRequest['tail'];
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

interface RunFacts {
  readonly id: Buffer;
  row: RunRow | undefined;
  certain: boolean;
  ended: boolean;
  heardOf: number;
  idsBehind: number;
  hostname: string | undefined;
  readonly present: SeqSet;
  readonly noted: SeqSet;
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
  readonly #runs = new Map<string, RunFacts>();
  readonly #notes = new Map<string, StoredNote>();
  readonly #losses = new Map<string, LossTotal>();
  readonly #state = new Map<string, string>();
  readonly #sequences = new Map<string, number>();
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
  take({ table, row }: SpoolRow): void {
    switch (table) {
      case 'samples':
        this.#takeSample(row);
        break;
      case 'runs':
        this.#takeRun(row);
        break;
      case 'notes':
        this.#notes.set(`${row.id} ${row.kind} ${row.run_id.toString('hex')} ${row.first_seq} ${row.last_seq}`, row);
        break;
      case 'losses':
        if (row.samples > (this.#losses.get(row.reason)?.samples ?? -1)) this.#losses.set(row.reason, row);
        break;
      case 'state':
        if (!this.#state.has(row.key) && isStateValue(row.key, row.value)) this.#state.set(row.key, row.value);
        break;
      case 'sqlite_sequence':
        this.#sequences.set(row.name, Math.max(row.seq, this.#sequences.get(row.name) ?? 0));
        break;
    }
  }

  /** Called once, when every row was taken. */
  finish(): Rebuilt {
    this.#commit();
    this.#indexSamples();
    this.#placeDisplaced();
    this.#indexNotes();
    return this.#database.transaction(() => {
      const carried = this.#writeNotes();
      const { lost, added } = this.#writeRuns();
      for (const total of this.#losses.values()) {
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
      const facts = this.#facts(row.run_id);
      facts.heardOf = Math.max(facts.heardOf, row.seq);
      facts.hostname ??= hostnameIn(row.payload);
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

  /** Two rows of one run that differ: an old page was read too. The doubt goes against what was acknowledged. */
  #takeRun(row: RunRow): void {
    const facts = this.#facts(row.run_id);
    if (facts.row === undefined) {
      facts.row = row;
      return;
    }
    const { last_seq, acked_seq, ended } = facts.row;
    if (last_seq !== row.last_seq || acked_seq !== row.acked_seq || ended !== row.ended) facts.certain = false;
    facts.row = {
      ...facts.row,
      last_seq: Math.max(last_seq, row.last_seq),
      acked_seq: Math.min(acked_seq, row.acked_seq),
      ended: ended ?? row.ended,
    };
  }

  /** Which numbers of which run are there. What is there twice is deleted. */
  #indexSamples(): void {
    const twice: number[] = [];
    let before: { readonly id: number; readonly seq: number; readonly facts: RunFacts } | undefined;
    const samples = this.#database.prepare<[], SampleKey>('SELECT id, run_id, seq FROM samples ORDER BY id');
    for (const { id, run_id, seq } of samples.iterate()) {
      const facts = before?.facts.id.equals(run_id) ? before.facts : this.#facts(run_id);
      if (facts.present.has(seq)) {
        twice.push(id);
        continue;
      }
      facts.present.add(seq);
      if (before !== undefined && before.facts !== facts) {
        this.#idsBehind(before.facts, id - before.id - 1 - (seq - 1));
      }
      before = { id, seq, facts };
    }
    if (before !== undefined) this.#idsBehind(before.facts, (this.#sequences.get('samples') ?? 0) - before.id);
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
      const { present } = this.#facts(run_id);
      if (present.has(seq)) continue;
      place.run(++this.#lastId, id);
      present.add(seq);
    }
    this.#database.exec('DROP TABLE displaced');
  }

  #indexNotes(): void {
    for (const note of this.#notes.values()) {
      const facts = this.#facts(note.run_id);
      facts.heardOf = Math.max(facts.heardOf, note.last_seq);
      if (note.kind === 'lost') facts.noted.add(note.first_seq, note.last_seq);
      else facts.ended = true;
    }
    const { tail } = this.#options;
    if (tail === undefined || tail.seq === 0) return;
    const facts = this.#facts(uuidToBytes(tail.runId));
    facts.heardOf = Math.max(facts.heardOf, tail.seq);
    // It says how far the run came; the ids need not.
    facts.idsBehind = 0;
  }

  #writeNotes(): number {
    const insert = this.#database.prepare<[StoredNote & { readonly place: number | null }]>(
      `INSERT INTO notes VALUES ($place, $kind, $run_id, $first_seq, $last_seq, $reason, $exact, $clean, $created_at)`,
    );
    const taken = new Set<number>();
    for (const note of [...this.#notes.values()].sort((one, other) => one.id - other.id)) {
      insert.run({ ...note, place: taken.has(note.id) ? null : note.id });
      taken.add(note.id);
    }
    return this.#notes.size;
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
    for (const facts of [...this.#runs.values()].sort((one, other) => Buffer.compare(one.id, other.id))) {
      const account = accountFor(facts satisfies RunEvidence);
      insertRun.run(this.#runRow(facts, account));
      for (const { first, last, exact } of account.gone) {
        insertNote.run('lost', facts.id, first, last, 'spool_corrupt', exact ? 1 : 0, null);
        added++;
      }
      lost += account.samples;
      // The note of its end may have been among what was destroyed. Hearing it twice changes nothing.
      if (facts.row !== undefined && facts.row.ended !== null && !facts.ended) {
        const clean = facts.row.ended === 'clean' ? 1 : 0;
        insertNote.run('run_ended', facts.id, account.lastSeq, account.lastSeq, null, clean, clean);
        added++;
      }
    }
    this.#addLosses(lost);
    return { lost, added };
  }

  /** A run whose row is gone is open again: the next start ends it. */
  #runRow(facts: RunFacts, { lastSeq, ackedSeq }: RunAccount): RunRow {
    const known = facts.row ?? {
      run_id: facts.id,
      hostname: facts.hostname ?? this.#hostnameOf(facts.id) ?? this.#anyHostname(),
      boot_id: '',
      started_at: facts.id.readUIntBE(0, 6),
      interval_ms: 0,
      ended: null,
    };
    return { ...known, last_seq: lastSeq, acked_seq: ackedSeq };
  }

  #hostnameOf(runId: Buffer): string | undefined {
    const payload = this.#database.prepare<[Buffer], string>('SELECT payload FROM samples WHERE run_id = ? LIMIT 1');
    const found = payload.pluck().get(runId);
    return found === undefined ? undefined : hostnameIn(found);
  }

  #anyHostname(): string {
    const agent = this.#state.get('agent');
    const others = [...this.#runs.values()].map(({ row, hostname }) => row?.hostname ?? hostname);
    const fromAgent = agent === undefined ? undefined : hostnameIn(agent);
    return fromAgent ?? others.find((hostname) => hostname !== undefined) ?? systemHostname();
  }

  #addLosses(lost: number): void {
    if (lost === 0) return;
    const { now } = this.#options;
    const known = this.#losses.get('spool_corrupt') ?? { samples: 0, first_at: now };
    const samples = known.samples + lost;
    this.#losses.set('spool_corrupt', { reason: 'spool_corrupt', samples, first_at: known.first_at, last_at: now });
  }

  /** Answers whether the spool got a new id. */
  #writeState(): boolean {
    const keepsId = this.#state.has('spool_id') && (this.#sequences.get('samples') ?? -1) >= this.#lastId;
    if (!keepsId) this.#state.set('spool_id', new UuidSource(() => this.#options.now).next());
    for (const [key, value] of this.#state) {
      this.#database.prepare('INSERT INTO state VALUES (?, ?)').run(key, value);
    }
    return !keepsId;
  }

  #writeSequences(): void {
    const greatest = new Map([
      ...this.#sequences,
      ['samples', Math.max(this.#sequences.get('samples') ?? 0, this.#lastId)],
    ]);
    for (const [name, seq] of greatest) {
      const { changes } = this.#database
        .prepare('UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?')
        .run(seq, name);
      if (changes === 0) this.#database.prepare('INSERT INTO sqlite_sequence VALUES (?, ?)').run(name, seq);
    }
  }

  #facts(id: Buffer): RunFacts {
    const key = id.toString('latin1');
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const facts: RunFacts = {
      id,
      row: undefined,
      certain: true,
      ended: false,
      heardOf: 0,
      idsBehind: 0,
      hostname: undefined,
      present: new SeqSet(),
      noted: new SeqSet(),
    };
    this.#runs.set(key, facts);
    return facts;
  }
}

function isSame(one: SampleKey, other: SampleKey): boolean {
  return one.seq === other.seq && one.run_id.equals(other.run_id);
}

function isStateValue(key: string, value: string): boolean {
  if (key === 'spool_id') return isUuid(value);
  if (key !== 'agent' && key !== 'shipping') return true;
  return parsedObject(value) !== undefined;
}

function hostnameIn(json: string): string | undefined {
  const hostname = parsedObject(json)?.hostname;
  return typeof hostname === 'string' && hostname !== '' ? hostname : undefined;
}

function parsedObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
