import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { type Recovered, recoverSpool } from '../../../src/spool/recovery.ts';
import { PAGE_SIZE } from '../../../src/spool/schema.ts';
import { BusySpool, contentOf, isNoted, type SpoolContent, uuidOf } from '../../support/damaged-spool.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SAMPLES = 10_000;
/** Ids up to which the samples were acknowledged. */
const ACKNOWLEDGED = SAMPLES / 5;
const LAST_RUN = { runId: uuidOf(3), seq: 3333 };

let spool: BusySpool;
let before: SpoolContent;
beforeAll(() => {
  spool = BusySpool.build({ samples: SAMPLES });
  before = contentOf(spool.path);
}, 60_000);
afterAll(() => spool.remove());

const garbage = Buffer.from(
  Array.from({ length: PAGE_SIZE }, (_, index) => (index * 167 + (index >> 3) * 29 + 91) & 0xff),
);
const zeros = Buffer.alloc(PAGE_SIZE);

function recover(copy: BusySpool, tail: { runId: string; seq: number } | undefined = LAST_RUN): Recovered {
  return recoverSpool({ path: copy.path, clock: new FakeClock(), log: silentLog, tail });
}

/** What of the pristine file must be gone when these pages are. */
function samplesOn(pages: readonly number[]): Set<number> {
  const ids = pages.flatMap((page) => [...spool.samplesOn(page)]);
  return new Set(ids.filter((id) => before.samples.has(id)));
}

function expectAllButThoseOn(pages: readonly number[], after: SpoolContent): void {
  const gone = samplesOn(pages);
  const expected = [...before.samples.values()].filter(({ id }) => !gone.has(id));
  expect([...after.samples.values()]).toEqual(expected);
  for (const id of gone) {
    const { run_id, seq } = before.samples.get(id) ?? expect.unreachable();
    expect(isNoted(after.notes, run_id, seq), `sample ${id}`).toBe(true);
  }
}

function namedPages(): ReadonlyMap<string, number> {
  const roots = spool.roots();
  const header = readFileSync(spool.path);
  return new Map([
    ['the first page, with header and schema', 1],
    ['a page of the pointer map', 2],
    ['another page of the pointer map', 2 + Math.floor(PAGE_SIZE / 5) + 1],
    ['the root of the samples', roots.get('samples') ?? 0],
    ['the list of the greatest ids', roots.get('sqlite_sequence') ?? 0],
    ['the runs', roots.get('runs') ?? 0],
    ['the index of the runs', roots.get('sqlite_autoindex_runs_1') ?? 0],
    ['the notes', roots.get('notes') ?? 0],
    ['the state', roots.get('state') ?? 0],
    ['the first sample', spool.pageOf(Math.min(...before.samples.keys()))],
    ['the last sample', spool.pageOf(SAMPLES)],
    ['a sample of several pages', spool.pageOf(97 * 60)],
    ['the list of free pages', header.readUInt32BE(32)],
  ]);
}

describe('a spool of 10,000 samples with one page overwritten', () => {
  const places = [...Array(20).keys()];

  it.each(places)('at place %i of 20: all on the other pages is carried over, the rest is noted', (place) => {
    const page = 1 + Math.round((place * (spool.pages - 1)) / (places.length - 1));
    for (const bytes of [garbage, zeros]) {
      const copy = spool.copy();
      copy.overwrite(page, bytes);
      const recovered = recover(copy);
      expectAllButThoseOn([page], contentOf(copy.path));
      expect(recovered.samples).toBe(before.samples.size - samplesOn([page]).size);
      copy.remove();
    }
  });

  it('where it hurts most: all on the other pages is carried over, the rest is noted', () => {
    for (const [name, page] of namedPages()) {
      expect(page, name).toBeGreaterThan(0);
      for (const bytes of [garbage, zeros]) {
        const copy = spool.copy();
        copy.overwrite(page, bytes);
        recover(copy);
        const after = contentOf(copy.path);
        expectAllButThoseOn([page], after);
        // No id is ever given twice under one spool_id.
        const sameId = after.state.get('spool_id') === before.state.get('spool_id');
        expect(sameId ? after.sequence : SAMPLES, name).toBeGreaterThanOrEqual(SAMPLES);
        expect(after.state.get('spool_id'), name).toMatch(/^[0-9a-f-]{36}$/);
        copy.remove();
      }
    }
  });

  it('says no more than is gone, and says it for certain, while the page of the runs is whole', () => {
    const page = Math.floor(spool.pages * 0.7);
    const gone = samplesOn([page]);
    expect(gone.size).toBeGreaterThan(0);
    const copy = spool.copy();
    copy.overwrite(page, garbage);
    const recovered = recover(copy);
    const after = contentOf(copy.path);
    const added = after.notes.slice(before.notes.length);
    expect(added.reduce((sum, note) => sum + note.last_seq - note.first_seq + 1, 0)).toBe(gone.size);
    expect(added.every(({ kind, reason, exact }) => kind === 'lost' && reason === 'spool_corrupt' && exact === 1)).toBe(
      true,
    );
    expect(recovered).toMatchObject({ lost: gone.size, damagedPages: 1, carried: true });
    expect(after.losses).toEqual(new Map([...before.losses, ['spool_corrupt', gone.size]]));
    expect(after.notes.slice(0, before.notes.length)).toEqual(before.notes);
    expect(after.state).toEqual(before.state);
    expect(after.runs.map(({ run_id, acked_seq, ended }) => [run_id, acked_seq, ended])).toEqual(
      before.runs.map(({ run_id, acked_seq, ended }) => [run_id, acked_seq, ended]),
    );
    copy.remove();
  });

  it('does not carry over again what was acknowledged, though free pages still hold it', () => {
    const stale = [...Array(spool.pages).keys()].flatMap((page) => [...spool.samplesOn(page + 1)]);
    expect(stale.some((id) => !before.samples.has(id))).toBe(true);
    for (const page of [spool.roots().get('state') ?? 0, readFileSync(spool.path).readUInt32BE(32), 1]) {
      const copy = spool.copy();
      copy.overwrite(page, garbage);
      recover(copy);
      expect(Math.min(...contentOf(copy.path).samples.keys())).toBe(Math.min(...before.samples.keys()));
      copy.remove();
    }
  });

  it('makes the rows of the runs anew where they are gone, and doubts what it can’t know', () => {
    const copy = spool.copy();
    copy.overwrite(spool.roots().get('runs') ?? 0, zeros);
    recover(copy);
    const after = contentOf(copy.path);
    expect(after.runs.map(({ hostname, ended, last_seq }) => [hostname, ended, last_seq])).toEqual([
      ['web-01', null, 3334],
      ['web-01', null, 3335],
      ['web-01', null, 3333],
    ]);
    const added = after.notes.slice(before.notes.length);
    expect(added).toMatchObject([{ first_seq: 1, last_seq: ACKNOWLEDGED, exact: 0 }]);
    // What was most likely acknowledged is noted, and not counted.
    expect(after.losses.get('spool_corrupt')).toBeUndefined();
    copy.remove();
  });

  it('notes what the last page held of a run of which no other witness is left', () => {
    const copy = spool.copy();
    copy.overwrite(spool.roots().get('runs') ?? 0, garbage);
    const last = spool.pageOf(SAMPLES);
    copy.overwrite(last, garbage);
    recover(copy, undefined);
    expectAllButThoseOn([last], contentOf(copy.path));
    copy.remove();
  });

  it('notes the end of a run of which neither its row nor its last page is left', () => {
    const lastOfFirst = 3334;
    const page = spool.pageOf(lastOfFirst);
    const copy = spool.copy();
    for (const lost of [page, spool.roots().get('runs') ?? 0, spool.roots().get('notes') ?? 0]) {
      copy.overwrite(lost, garbage);
    }
    recover(copy);
    expectAllButThoseOn([page], contentOf(copy.path));
    copy.remove();
  });

  // With the header and the pointer map gone, nothing says any more which pages are free.
  it('survives damage upon damage, at worst sending again what was acknowledged', () => {
    for (const pages of [
      [1, 2, 3, 4, 5, 6, 7],
      [1, 400, 401, 402, 1200],
      [spool.pages, 1, 3, 800],
    ]) {
      const copy = spool.copy();
      for (const page of pages) copy.overwrite(page, garbage);
      recover(copy);
      const once = contentOf(copy.path);
      const pending = new Map([...once.samples].filter(([id]) => id > ACKNOWLEDGED));
      expectAllButThoseOn(pages, { ...once, samples: pending });
      // The fresh file is damaged in its turn.
      copy.overwrite(60, zeros);
      recover(copy);
      const twice = contentOf(copy.path);
      for (const [id, row] of once.samples) {
        if (twice.samples.has(id)) expect(twice.samples.get(id)).toEqual(row);
        else expect(isNoted(twice.notes, row.run_id, row.seq)).toBe(true);
      }
      expect(twice.samples.size).toBeGreaterThan(once.samples.size - 20);
      copy.remove();
    }
  });

  it('gives the next sample an id that no sample ever had', () => {
    const copy = spool.copy();
    copy.overwrite(1, zeros);
    recover(copy);
    const database = openSqlite(copy.path);
    const { run_id, event_id } = before.samples.get(SAMPLES) ?? expect.unreachable();
    const insert = database.prepare("INSERT INTO samples VALUES (NULL, ?, 1, ?, 0, 0, 0, '')");
    expect(Number(insert.run(run_id, event_id).lastInsertRowid)).toBe(SAMPLES + 1);
    database.close();
    copy.remove();
  });
});
