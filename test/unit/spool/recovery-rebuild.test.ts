import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqlite, type SqliteDatabase } from '../../../src/lib/sqlite.ts';
import { uuidToBytes } from '../../../src/sample/identity.ts';
import { Rebuild, type RebuildOptions, type Rebuilt } from '../../../src/spool/rebuild.ts';
import type { SpoolRow, StoredNote } from '../../../src/spool/rows.ts';
import type { RunRow } from '../../../src/spool/store.ts';
import { isNoted, type NoteRow, STARTED, uuidOf } from '../../support/damaged-spool.ts';

let database: SqliteDatabase;
beforeEach(() => {
  database = openSqlite(':memory:');
});
afterEach(() => database.close());

const runId = (run: number): Buffer => uuidToBytes(uuidOf(run));

function sample(id: number, run: number, seq: number): SpoolRow {
  const event_id = uuidToBytes(uuidOf(run * 1_000_000 + seq, 'event'));
  const payload = JSON.stringify({ hostname: `host-${run}`, seq });
  const row = { id, run_id: runId(run), seq, event_id, taken_at: STARTED + seq, monotonic_at: seq, crc: 1, payload };
  return { table: 'samples', row };
}

function run(number: number, row: Partial<RunRow>): SpoolRow {
  const full: RunRow = {
    run_id: runId(number),
    hostname: `host-${number}`,
    boot_id: 'boot-1',
    started_at: STARTED,
    interval_ms: 1000,
    last_seq: 0,
    acked_seq: 0,
    ended: null,
    ...row,
  };
  return { table: 'runs', row: full };
}

function lost(id: number, number: number, first_seq: number, last_seq: number): SpoolRow {
  const note: StoredNote = {
    id,
    kind: 'lost',
    run_id: runId(number),
    first_seq,
    last_seq,
    reason: 'spool_full',
    exact: 1,
    clean: null,
    created_at: STARTED,
  };
  return { table: 'notes', row: note };
}

function rebuild(rows: readonly SpoolRow[], changes: Partial<RebuildOptions> = {}): Rebuilt {
  const making = new Rebuild({
    database,
    carrySamples: true,
    tails: [],
    capacity: 1000,
    now: STARTED,
    ...changes,
  });
  for (const row of rows) making.take(row);
  return making.finish();
}

const all = <Row>(sql: string): Row[] => database.prepare<[], Row>(sql).all();
const order = (): [number, number][] =>
  all<{ id: number; seq: number }>('SELECT id, seq FROM samples ORDER BY id').map(({ id, seq }) => [id, seq]);
const sequence: SpoolRow = { table: 'sqlite_sequence', row: { name: 'samples', seq: 50 } };
const spoolId: SpoolRow = { table: 'state', row: { key: 'spool_id', value: uuidOf(99) } };

describe('a rebuilt spool', () => {
  it('has the samples in the order of their ids, in whatever order and however often they were found', () => {
    rebuild([sample(7, 1, 3), sample(5, 1, 1), sample(6, 1, 2), sample(5, 1, 1), sample(7, 1, 3)]);
    expect(order()).toEqual([
      [5, 1],
      [6, 2],
      [7, 3],
    ]);
  });

  it('has both of two samples that claim one id, the later found at the end', () => {
    rebuild([sample(5, 1, 1), sample(6, 1, 2), sample(6, 1, 3), sample(8, 1, 4), sample(6, 1, 3)]);
    expect(order()).toEqual([
      [5, 1],
      [6, 2],
      [8, 4],
      [9, 3],
    ]);
  });

  it('has a sample once that was found under two ids', () => {
    rebuild([sample(5, 1, 1), sample(900, 1, 2), sample(6, 1, 2), sample(7, 1, 3)]);
    expect(order()).toEqual([
      [5, 1],
      [6, 2],
      [7, 3],
    ]);
  });

  it('keeps its id while it is certain that no id is given twice', () => {
    expect(rebuild([sample(5, 1, 1), spoolId, sequence])).toMatchObject({ newSpoolId: false });
    expect(all("SELECT seq FROM sqlite_sequence WHERE name = 'samples'")).toEqual([{ seq: 50 }]);
  });

  it.each([
    ['is not known', [sample(5, 1, 1), spoolId]],
    ['is less than an id that is there', [sample(51, 1, 1), spoolId, sequence]],
  ])('gets an id of its own where the greatest id ever given %s', (_, rows) => {
    expect(rebuild(rows)).toMatchObject({ newSpoolId: true });
    expect(all<{ value: string }>("SELECT value FROM state WHERE key = 'spool_id'")[0]?.value).not.toBe(uuidOf(99));
  });

  it('takes the worse of two readings of one run', () => {
    const rows = [run(1, { last_seq: 9, acked_seq: 7 }), run(1, { last_seq: 4, acked_seq: 4 }), sample(5, 1, 9)];
    expect(rebuild(rows)).toMatchObject({ samples: 1 });
    expect(all('SELECT last_seq, acked_seq FROM runs')).toEqual([{ last_seq: 9, acked_seq: 0 }]);
    expect(all('SELECT first_seq, last_seq, exact FROM notes')).toEqual([{ first_seq: 1, last_seq: 8, exact: 0 }]);
  });

  it('knows a run without a row by its samples, its notes or the tail file', () => {
    rebuild([sample(5, 1, 1), lost(1, 2, 1, 4)], { tails: [{ runId: uuidOf(3), seq: 6 }] });
    expect(all('SELECT hostname, last_seq, started_at, ended FROM runs ORDER BY run_id')).toEqual([
      { hostname: 'host-1', last_seq: 1, started_at: STARTED, ended: null },
      { hostname: expect.any(String), last_seq: 4, started_at: STARTED, ended: null },
      { hostname: expect.any(String), last_seq: 6, started_at: STARTED, ended: null },
    ]);
    const notes = all<NoteRow>('SELECT * FROM notes ORDER BY id');
    expect(notes).toHaveLength(2);
    for (let seq = 1; seq <= 6; seq++) expect(isNoted(notes, runId(3), seq)).toBe(true);
  });

  it('has both of two notes that claim one id, whatever ids others have', () => {
    rebuild([lost(5, 1, 1, 4), lost(5, 1, 1, 7), lost(6, 2, 1, 3), lost(5, 3, 1, 2)]);
    const notes = all<{ id: number; last_seq: number }>('SELECT id, last_seq FROM notes ORDER BY id');
    expect(notes.map(({ id, last_seq }) => [id, last_seq])).toEqual([
      [5, 4],
      [6, 3],
      [7, 7],
      [8, 2],
    ]);
  });

  it('notes nothing of what the tail file has as told, whatever else contradicts', () => {
    const rows = [run(1, { last_seq: 9, acked_seq: 7 }), run(1, { last_seq: 4, acked_seq: 4 }), sample(5, 2, 3)];
    const tails = [
      { runId: uuidOf(1), seq: 9, told: true },
      { runId: uuidOf(2), seq: 5, acked: 4 },
      { runId: uuidOf(3), seq: 6, told: true },
    ];
    expect(rebuild(rows, { tails })).toMatchObject({ samples: 1, lost: 1 });
    expect(all('SELECT last_seq, acked_seq, ended FROM runs ORDER BY run_id')).toEqual([
      { last_seq: 9, acked_seq: 9, ended: 'unclean' },
      { last_seq: 5, acked_seq: 4, ended: null },
      { last_seq: 6, acked_seq: 6, ended: 'unclean' },
    ]);
    expect(all('SELECT run_id, first_seq, last_seq FROM notes')).toEqual([
      { run_id: runId(2), first_seq: 5, last_seq: 5 },
    ]);
  });

  it('says again how a run ended whose note of it is gone', () => {
    rebuild([
      run(1, { last_seq: 9, acked_seq: 9, ended: 'clean' }),
      run(2, { last_seq: 5, acked_seq: 5, ended: 'unclean' }),
    ]);
    expect(all('SELECT kind, last_seq, exact, clean FROM notes ORDER BY run_id')).toEqual([
      { kind: 'run_ended', last_seq: 9, exact: 1, clean: 1 },
      { kind: 'run_ended', last_seq: 5, exact: 0, clean: 0 },
    ]);
  });

  it('adds to the totals what is gone, and keeps the greater of two readings', () => {
    const total = (samples: number): SpoolRow => ({
      table: 'losses',
      row: { reason: 'spool_corrupt', samples, first_at: STARTED - 5, last_at: STARTED - 1 },
    });
    rebuild([total(3), total(10), total(4), run(1, { last_seq: 7, acked_seq: 2 })]);
    expect(all('SELECT * FROM losses')).toEqual([
      { reason: 'spool_corrupt', samples: 15, first_at: STARTED - 5, last_at: STARTED },
    ]);
  });

  it('drops state that can’t be read any more', () => {
    const state = (key: string, value: string): SpoolRow => ({ table: 'state', row: { key, value } });
    rebuild([state('agent', '{"hostname":'), state('shipping', '[]'), state('shipping', '7'), state('other', 'kept')]);
    const kept = all<{ key: string; value: string }>("SELECT * FROM state WHERE key <> 'spool_id' ORDER BY key");
    expect(kept).toEqual([{ key: 'other', value: 'kept' }]);
  });
});
