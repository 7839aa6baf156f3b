import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Log, type LogFields, silentLog } from '../../../src/lib/log.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { placeRecovered } from '../../../src/spool/quarantine.ts';
import { type RecoveryPorts, type RecoveryStep, recoverSpool } from '../../../src/spool/recovery.ts';
import { PAGE_SIZE } from '../../../src/spool/schema.ts';
import { BusySpool, contentOf, isNoted, type SpoolContent, uuidOf } from '../../support/damaged-spool.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SAMPLES = 600;
const TAIL = { runId: uuidOf(3), seq: 200 };
const STEPS: readonly RecoveryStep[] = ['built', 'decided', 'log-moved', 'database-moved', 'placed'];
const garbage = Buffer.alloc(PAGE_SIZE, 0xb7);

let whole: BusySpool;
let withLog: BusySpool;
let before: SpoolContent;
beforeAll(() => {
  whole = BusySpool.build({ samples: SAMPLES });
  withLog = BusySpool.build({ samples: SAMPLES, keepLog: true });
  before = contentOf(whole.path);
});
afterAll(() => {
  whole.remove();
  withLog.remove();
});

let copies: BusySpool[] = [];
afterEach(() => {
  for (const copy of copies) copy.remove();
  copies = [];
});

function copyOf(spool: BusySpool): BusySpool {
  const copy = spool.copy();
  copies.push(copy);
  return copy;
}

function recover(spool: BusySpool, ports: Partial<RecoveryPorts> = {}, more: { log?: Log; clock?: FakeClock } = {}) {
  const { log = silentLog, clock = new FakeClock() } = more;
  return recoverSpool({ path: spool.path, clock, log, tail: TAIL }, ports);
}

/** Every sample that waited is in the spool or noted; but a run of which no byte is left can't be known. */
function expectNothingSilent(after: SpoolContent, runsLeft = 3): void {
  const known = new Set(after.runs.map(({ run_id }) => run_id.toString('hex')));
  expect(known.size).toBe(runsLeft);
  for (const [id, row] of before.samples) {
    if (!known.has(row.run_id.toString('hex'))) continue;
    if (after.samples.has(id)) expect(after.samples.get(id)).toEqual(row);
    else expect(isNoted(after.notes, row.run_id, row.seq), `sample ${id}`).toBe(true);
  }
}

function files(spool: BusySpool): string[] {
  return readdirSync(spool.directory).sort();
}

describe('the recovery of a spool', () => {
  it('leaves the damaged file and its log unchanged beside the new one', () => {
    const spool = copyOf(withLog);
    spool.overwrite(3, garbage);
    const { setAside } = recover(spool);
    const reference = copyOf(withLog);
    reference.overwrite(3, garbage);
    for (const suffix of ['', '-wal']) {
      expect(statSync(setAside + suffix).size).toBe(statSync(reference.path + suffix).size);
    }
    expect(files(spool)).toEqual([
      'spool.db',
      'spool.db.corrupt-20260101T000000000Z',
      'spool.db.corrupt-20260101T000000000Z-wal',
    ]);
  });

  it('carries over what was only in the log', () => {
    for (const page of [1, 3, 5, withLog.pages]) {
      const spool = copyOf(withLog);
      spool.overwrite(page, garbage);
      recover(spool);
      const after = contentOf(spool.path);
      expectNothingSilent(after);
      expect([...after.samples.keys()].filter((id) => id > SAMPLES * 0.9)).toHaveLength(SAMPLES * 0.1);
    }
  });

  it('carries over the log of a file that is gone or empty', () => {
    for (const damage of [(path: string) => rmSync(path), (path: string) => truncateSync(path, 0)]) {
      const spool = copyOf(withLog);
      damage(spool.path);
      expect(recover(spool).samples).toBeGreaterThanOrEqual(SAMPLES * 0.1);
      expectNothingSilent(contentOf(spool.path), 1);
    }
  });

  it('carries over what comes before the cut of a truncated file', () => {
    for (const [size, runs] of [
      [PAGE_SIZE * 30, 3],
      [PAGE_SIZE * 30 + 700, 3],
      [PAGE_SIZE * 2, 1],
      [99, 1],
    ] as const) {
      const spool = copyOf(whole);
      truncateSync(spool.path, size);
      expect(recover(spool).samples > 0).toBe(runs === 3);
      expectNothingSilent(contentOf(spool.path), runs);
    }
  });

  it.each([
    ['nothing', (path: string) => writeFileSync(path, '')],
    ['text', (path: string) => writeFileSync(path, 'this is no database\n'.repeat(3000))],
    ['zeros', (path: string) => writeFileSync(path, Buffer.alloc(200_000))],
    ['no file', (path: string) => rmSync(path)],
  ])('makes a new spool of %s, with a note of all that the tail file knows of', (_, damage) => {
    const spool = copyOf(whole);
    damage(spool.path);
    expect(recover(spool)).toMatchObject({ samples: 0, lost: TAIL.seq, carried: true });
    const after = contentOf(spool.path);
    expect(after.notes).toMatchObject([
      { kind: 'lost', first_seq: 1, last_seq: TAIL.seq, reason: 'spool_corrupt', exact: 0 },
    ]);
    expect(after.runs).toMatchObject([{ last_seq: TAIL.seq, acked_seq: 0, ended: null }]);
    expect(after.state.get('spool_id')).not.toBe(before.state.get('spool_id'));
  });

  it('makes a new spool of nothing and without a tail', () => {
    const spool = copyOf(whole);
    writeFileSync(spool.path, 'x');
    const clock = new FakeClock();
    expect(recoverSpool({ path: spool.path, clock, log: silentLog, tail: undefined })).toMatchObject({
      notes: 0,
      lost: 0,
    });
  });

  it('says in one error line what it did', () => {
    const spool = copyOf(whole);
    spool.overwrite(whole.pageOf(SAMPLES), garbage);
    const lines: LogFields[] = [];
    const log: Log = { ...silentLog, error: (fields) => lines.push(fields) };
    const { samples, lost, setAside } = recover(spool, {}, { log });
    expect(lines).toEqual([
      expect.objectContaining({ event: 'spool_recovered', samples, lost, set_aside: setAside, damaged_pages: 1 }),
    ]);
    expect(lost).toBeGreaterThan(0);
  });

  it('keeps the mode of the file', () => {
    for (const mode of [0o600, 0o640]) {
      const spool = copyOf(whole);
      writeFileSync(spool.path, 'garbage');
      chmodSync(spool.path, mode);
      recover(spool);
      expect(statSync(spool.path).mode & 0o777).toBe(mode);
    }
  });

  it('keeps the spool_id as long as it is certain which ids were given', () => {
    const sure = copyOf(whole);
    sure.overwrite(whole.pageOf(SAMPLES), garbage);
    recover(sure);
    expect(contentOf(sure.path).state.get('spool_id')).toBe(before.state.get('spool_id'));
    expect(contentOf(sure.path).sequence).toBe(SAMPLES);
    const unsure = copyOf(whole);
    unsure.overwrite(whole.roots().get('sqlite_sequence') ?? 0, garbage);
    recover(unsure);
    expect(contentOf(unsure.path).state.get('spool_id')).not.toBe(before.state.get('spool_id'));
    expect(contentOf(unsure.path).samples).toEqual(before.samples);
  });
});

describe('a recovery that is killed', () => {
  it.each(STEPS)('when it has %s: the next start has all of it', (step) => {
    for (const [source, page] of [
      [whole, 1],
      [withLog, 3],
      [withLog, withLog.pages],
    ] as const) {
      const spool = copyOf(source);
      spool.overwrite(page, garbage);
      const control = copyOf(source);
      control.overwrite(page, garbage);
      recover(control);
      const die = (reached: RecoveryStep) => {
        if (reached === step) throw new Error('killed');
      };
      expect(() => recover(spool, { reached: die })).toThrow('killed');
      // What every start does: finish, then open; and recover if the file is damaged.
      const finished = placeRecovered(spool.path);
      if (finished === undefined && step === 'built') recover(spool);
      const [after, wanted] = [contentOf(spool.path), contentOf(control.path)];
      expect(after.samples).toEqual(wanted.samples);
      expect(after.notes).toEqual(wanted.notes);
      expect(after.runs).toEqual(wanted.runs);
      expect(files(spool)).toEqual(files(control));
    }
  });

  it('at every step one after the other, it still ends with all of it', () => {
    const spool = copyOf(withLog);
    spool.overwrite(1, garbage);
    for (const step of ['built', 'decided', 'log-moved', 'database-moved'] as const) {
      const die = (reached: string) => {
        if (reached === step) throw new Error('killed');
      };
      expect(() =>
        step === 'built' || step === 'decided' ? recover(spool, { reached: die }) : placeRecovered(spool.path, die),
      ).toThrow('killed');
    }
    placeRecovered(spool.path);
    expectNothingSilent(contentOf(spool.path));
    expect(files(spool).filter((name) => name.includes('recover'))).toEqual([]);
  });

  it('while it was building: what it left is no obstacle', () => {
    const spool = copyOf(whole);
    spool.overwrite(1, garbage);
    writeFileSync(`${spool.path}.recovering`, 'half a database');
    writeFileSync(`${spool.path}.recovering-journal`, 'half a journal');
    expect(recover(spool).samples).toBe(before.samples.size);
    expect(files(spool)).toHaveLength(2);
  });

  it('after the decision, with the file opened by something else meanwhile: both are kept', () => {
    const spool = copyOf(whole);
    spool.overwrite(1, garbage);
    const die = (reached: RecoveryStep) => {
      if (reached === 'database-moved') throw new Error('killed');
    };
    expect(() => recover(spool, { reached: die })).toThrow('killed');
    writeFileSync(spool.path, 'made by something else');
    expect(placeRecovered(spool.path)).toMatch(/Z-1$/);
    expect(contentOf(spool.path).samples).toEqual(before.samples);
    expect(files(spool)).toHaveLength(3);
  });

  it('is finished by recovering again as well', () => {
    const spool = copyOf(withLog);
    spool.overwrite(1, garbage);
    const die = (reached: RecoveryStep) => {
      if (reached === 'log-moved') throw new Error('killed');
    };
    expect(() => recover(spool, { reached: die })).toThrow('killed');
    expect(recover(spool).samples).toBe(before.samples.size);
    expectNothingSilent(contentOf(spool.path));
  });
});

describe('a recovery on a disk without room', () => {
  /** A database that can't grow beyond so many pages: the real SQLITE_FULL. */
  const limitedTo = (pages: number) => (path: string) => {
    const database = openSqlite(path);
    database.pragma(`max_page_count = ${pages}`);
    return database;
  };

  it.each([
    ['is known beforehand', { freeBytes: () => 100_000 }],
    ['shows on the way', { openDatabase: limitedTo(40) }],
  ] as const)('that %s: the samples stay aside, are noted, and can be had later', (_, ports) => {
    const spool = copyOf(whole);
    spool.overwrite(1, garbage);
    const messages: string[] = [];
    const log: Log = { ...silentLog, error: (_fields, message = '') => messages.push(message) };
    const recovered = recover(spool, ports, { log });
    expect(recovered).toMatchObject({ samples: 0, carried: false });
    expect(messages[0]).toContain(`hostspool drain --spool ${recovered.setAside}`);
    const after = contentOf(spool.path);
    expectNothingSilent(after);
    expect(after.runs).toHaveLength(3);
    expect(after.sequence).toBeGreaterThanOrEqual(SAMPLES);
    expect(files(spool).filter((name) => name.includes('recover'))).toEqual([]);
    // The file that was set aside is a damaged spool like any other.
    const later = recoverSpool({ path: recovered.setAside, clock: new FakeClock(), log: silentLog, tail: undefined });
    expect(later.samples).toBe(before.samples.size);
    expect(contentOf(recovered.setAside).samples).toEqual(before.samples);
  });

  it('not even for the notes: spends the reserve', () => {
    const spool = copyOf(whole);
    spool.overwrite(1, garbage);
    const reserve = spool.path.replace('.db', '.reserve');
    writeFileSync(reserve, Buffer.alloc(4096));
    const openDatabase = (path: string) => (existsSync(reserve) ? limitedTo(2)(path) : openSqlite(path));
    expect(recover(spool, { openDatabase })).toMatchObject({ samples: 0, carried: false });
    expect(existsSync(reserve)).toBe(false);
    expectNothingSilent(contentOf(spool.path));
  });

  it('at all: leaves the damaged file where it is, for a later attempt', () => {
    const spool = copyOf(whole);
    spool.overwrite(1, garbage);
    expect(() => recover(spool, { openDatabase: limitedTo(2) })).toThrow(/full/);
    expect(files(spool)).toEqual(['spool.db']);
    expect(recover(spool).samples).toBe(before.samples.size);
  });

  it('in a directory that can’t be written: throws the system’s error and changes nothing', () => {
    const spool = copyOf(whole);
    spool.overwrite(1, garbage);
    mkdirSync(`${spool.path}.recovering`);
    mkdirSync(`${spool.path}.recovering/in-the-way`);
    expect(() => recover(spool)).toThrow(expect.objectContaining({ code: expect.any(String) }));
    expect(files(spool)).toEqual(['spool.db', 'spool.db.recovering']);
  });
});

describe('the files set aside', () => {
  it('are at most three, the newest', () => {
    const spool = copyOf(whole);
    const clock = new FakeClock();
    const made: string[] = [];
    for (let round = 0; round < 6; round++) {
      spool.overwrite(1, garbage);
      made.push(recover(spool, {}, { clock }).setAside.slice(dirname(spool.path).length + 1));
      clock.pass(1000);
    }
    expect(files(spool)).toEqual(['spool.db', ...made.slice(3)]);
    expect(contentOf(spool.path).samples).toEqual(before.samples);
  });

  it('are fewer where they are large, but the newest stays', () => {
    const spool = copyOf(whole);
    const clock = new FakeClock();
    for (const time of ['20250101T000000000Z', '20250102T000000000Z']) {
      writeFileSync(`${spool.path}.corrupt-${time}`, 'old');
      truncateSync(`${spool.path}.corrupt-${time}`, 400 * 1024 * 1024);
      writeFileSync(`${spool.path}.corrupt-${time}-wal`, 'old');
    }
    writeFileSync(`${spool.path}.corrupt-by-hand`, 'somebody’s');
    spool.overwrite(1, garbage);
    const { setAside } = recover(spool, {}, { clock });
    const kept = files(spool).filter((name) => name.includes('.corrupt-'));
    expect(kept).toEqual([
      'spool.db.corrupt-20250102T000000000Z',
      'spool.db.corrupt-20250102T000000000Z-wal',
      setAside.slice(dirname(spool.path).length + 1),
      'spool.db.corrupt-by-hand',
    ]);
  });

  it('get a name of their own within one millisecond', () => {
    const spool = copyOf(whole);
    const names = new Set<string>();
    for (let round = 0; round < 3; round++) {
      spool.overwrite(1, garbage);
      names.add(recover(spool).setAside);
    }
    expect(names.size).toBe(3);
  });
});
