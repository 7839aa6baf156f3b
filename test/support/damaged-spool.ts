/**
 * A spool as a busy agent leaves it, to be damaged: three runs, samples that were acknowledged and evicted (so there
 * are free pages, and pages used again), rows of several pages, notes, totals and state. Each payload is full of its
 * own mark, so a test can tell which samples have bytes on a page without knowing how SQLite lays them out.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqlite, type SqliteDatabase } from '../../src/lib/sqlite.ts';
import { uuidToBytes } from '../../src/sample/identity.ts';
import { sampleChecksum } from '../../src/spool/checksum.ts';
import { migrate, PAGE_SIZE, prepareEmpty } from '../../src/spool/schema.ts';
import type { RunRow, SampleRow } from '../../src/spool/store.ts';

export const STARTED = Date.UTC(2026, 2, 1);
const MARK = /<(\d+)>/g;

/** A UUIDv7 of the test's time: the n-th run, or the n-th event. */
export function uuidOf(n: number, kind: 'run' | 'event' = 'run'): string {
  const time = STARTED.toString(16).padStart(12, '0');
  const tail = n.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${kind === 'run' ? '000' : '111'}-8000-${tail}`;
}

export interface NoteRow {
  readonly kind: string;
  readonly run_id: Buffer;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly reason: string | null;
  readonly exact: number;
}

/** Everything in a spool file, by way of SQLite. */
export interface SpoolContent {
  readonly samples: ReadonlyMap<number, SampleRow>;
  readonly runs: readonly RunRow[];
  readonly notes: readonly NoteRow[];
  readonly losses: ReadonlyMap<string, number>;
  readonly state: ReadonlyMap<string, string>;
  readonly sequence: number;
}

export function contentOf(path: string): SpoolContent {
  const database = openSqlite(path);
  try {
    const check = database.pragma('integrity_check', { simple: true });
    if (check !== 'ok') throw new Error(`the spool is damaged: ${String(check)}`);
    const all = <Row>(sql: string): Row[] => database.prepare<[], Row>(sql).all();
    const losses = all<{ reason: string; samples: number }>('SELECT * FROM losses');
    const state = all<{ key: string; value: string }>('SELECT * FROM state');
    return {
      samples: new Map(all<SampleRow>('SELECT * FROM samples ORDER BY id').map((row) => [row.id, row])),
      runs: all<RunRow>('SELECT * FROM runs ORDER BY run_id'),
      notes: all<NoteRow>('SELECT * FROM notes ORDER BY id'),
      losses: new Map(losses.map(({ reason, samples }) => [reason, samples])),
      state: new Map(state.map(({ key, value }) => [key, value])),
      sequence: all<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'samples'")[0]?.seq ?? 0,
    };
  } finally {
    database.close();
  }
}

/** Whether the notes say of this sample that it is lost. */
export function isNoted(notes: readonly NoteRow[], run: Buffer, seq: number): boolean {
  return notes.some(
    (note) => note.kind === 'lost' && note.run_id.equals(run) && note.first_seq <= seq && note.last_seq >= seq,
  );
}

export interface BusySpoolOptions {
  /** Samples stored in all; the first fifth of them is gone again. */
  readonly samples: number;
  /** Leave the newest part of it in the log, as a killed process does. */
  readonly keepLog?: boolean;
  /** Delete nothing: every sample that such a spool ever held. */
  readonly keepDeleted?: boolean;
  /** Every n-th payload takes several pages. */
  readonly largeEvery?: number;
}

/** A directory of its own with a spool in it. */
export class BusySpool {
  readonly directory = mkdtempSync(join(tmpdir(), 'spool-recovery-'));
  readonly path = join(this.directory, 'spool.db');
  #known: readonly ReadonlySet<number>[] | undefined;

  static build(options: BusySpoolOptions): BusySpool {
    const spool = new BusySpool();
    const source = join(spool.directory, 'source.db');
    const database = openSqlite(source);
    fill(database, options);
    // A copy of an open database is what a kill leaves: file and log, without the memory they share.
    if (options.keepLog !== true) database.pragma('wal_checkpoint(TRUNCATE)');
    copyFileSync(source, spool.path);
    if (options.keepLog === true) copyFileSync(`${source}-wal`, `${spool.path}-wal`);
    database.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(source + suffix, { force: true });
    return spool;
  }

  /** A copy in a directory of its own. */
  copy(): BusySpool {
    const copy = new BusySpool();
    for (const suffix of ['', '-wal']) {
      if (existsSync(this.path + suffix)) copyFileSync(this.path + suffix, copy.path + suffix);
    }
    return copy;
  }

  /** Overwrites a page of the file, numbered from 1. */
  overwrite(page: number, bytes: Buffer): void {
    this.edit((file) => bytes.copy(file, (page - 1) * PAGE_SIZE, 0, PAGE_SIZE));
  }

  edit(change: (file: Buffer) => Buffer | number | undefined, suffix: '' | '-wal' = ''): void {
    const file = readFileSync(this.path + suffix);
    const changed = change(file);
    writeFileSync(this.path + suffix, changed instanceof Buffer ? changed : file);
  }

  get pages(): number {
    return this.#marks().length;
  }

  /** Ids of the samples that had bytes on the page when this was first asked. */
  samplesOn(page: number): ReadonlySet<number> {
    return this.#marks()[page - 1] ?? new Set();
  }

  /** The first page that has bytes of the sample. */
  pageOf(sample: number): number {
    return 1 + this.#marks().findIndex((marks) => marks.has(sample));
  }

  #marks(): readonly ReadonlySet<number>[] {
    if (this.#known === undefined) {
      const file = readFileSync(this.path);
      this.#known = Array.from({ length: file.length / PAGE_SIZE }, (_, index) => {
        const text = file.toString('latin1', index * PAGE_SIZE, (index + 1) * PAGE_SIZE);
        return new Set([...text.matchAll(MARK)].map((match) => Number(match[1])));
      });
    }
    return this.#known;
  }

  /** First page of each table, by name. */
  roots(): ReadonlyMap<string, number> {
    const database = openSqlite(this.path);
    try {
      const rows = database.prepare<[], { name: string; rootpage: number }>('SELECT name, rootpage FROM sqlite_schema');
      return new Map(rows.all().map(({ name, rootpage }) => [name, rootpage]));
    } finally {
      database.close();
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function fill(database: SqliteDatabase, options: BusySpoolOptions): void {
  const { samples, keepLog, keepDeleted, largeEvery = 97 } = options;
  prepareEmpty(database);
  migrate(database);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = OFF');
  database.pragma('wal_autocheckpoint = 0');
  const insert = database.prepare(
    'INSERT INTO samples (run_id, seq, event_id, taken_at, monotonic_at, crc, payload) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const seqs: [number, number, number] = [0, 0, 0];
  let stored = 0;
  const append = (until: number, perCommit: number): void => {
    while (stored < until) {
      database.transaction(() => {
        for (let count = 0; count < perCommit && stored < until; count++) {
          const run = Math.floor((stored * 3) / samples) as 0 | 1 | 2;
          const id = ++stored;
          const seq = ++seqs[run];
          const runId = uuidToBytes(uuidOf(run + 1));
          const eventId = uuidToBytes(uuidOf(id, 'event'));
          const payload = payloadOf(id, runId, seq, id % largeEvery === 0 ? 13_000 : 380 + (id % 7) * 45);
          const times = { taken_at: STARTED + id * 1000, monotonic_at: 5_000_000 + id * 1000 };
          const crc = sampleChecksum({ run_id: runId, seq, event_id: eventId, ...times, payload });
          insert.run(runId, seq, eventId, times.taken_at, times.monotonic_at, crc, payload);
        }
      })();
    }
  };
  const run = database.prepare('INSERT INTO runs VALUES (?, ?, ?, ?, 1000, ?, ?, ?)');
  const gone = Math.floor(samples / 5);
  const third = Math.ceil(samples / 3);
  const acknowledge = database.prepare(`DELETE FROM samples WHERE id <= ? AND ${keepDeleted === true ? 0 : 1}`);
  append(Math.floor(samples / 2), 50);
  acknowledge.run(Math.floor(gone / 5));
  append(Math.floor(samples * 0.9), 50);
  acknowledge.run(gone);
  run.run(uuidToBytes(uuidOf(1)), 'web-01', 'boot-1', STARTED, third, gone, 'clean');
  run.run(uuidToBytes(uuidOf(2)), 'web-01', 'boot-1', STARTED + 1, seqs[1] + 2, 0, 'unclean');
  run.run(uuidToBytes(uuidOf(3)), 'web-01', 'boot-2', STARTED + 2, 0, 0, null);
  const note = database.prepare('INSERT INTO notes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)');
  note.run('run_ended', uuidToBytes(uuidOf(1)), third, third, null, 1, 1, STARTED + 5);
  note.run('lost', uuidToBytes(uuidOf(2)), seqs[1] + 1, seqs[1] + 2, 'spool_full', 1, null, STARTED + 6);
  note.run('run_ended', uuidToBytes(uuidOf(2)), seqs[1] + 2, seqs[1] + 2, null, 0, 0, STARTED + 7);
  database.prepare("INSERT INTO losses VALUES ('spool_full', 2, ?, ?)").run(STARTED, STARTED + 6);
  const state = database.prepare('INSERT INTO state VALUES (?, ?)');
  state.run('spool_id', uuidOf(77));
  state.run('agent', JSON.stringify({ hostname: 'web-01', pid: 7, version: '1.2.3', interval_ms: 1000 }));
  state.run('shipping', JSON.stringify({ state: 'backing_off', shipped_total: gone }));
  if (keepLog === true) database.pragma('wal_checkpoint(TRUNCATE)');
  append(samples, 1);
}

function payloadOf(id: number, runId: Buffer, seq: number, size: number): string {
  const head = `{"hostname":"web-01","timestamp":"${new Date(STARTED + id * 1000).toISOString()}","seq":${seq},"pad":"`;
  const mark = `<${id}>`;
  const fill = mark.repeat(Math.ceil(size / mark.length)).slice(0, size);
  return `${head}${runId.toString('hex')}${fill}"}`;
}
