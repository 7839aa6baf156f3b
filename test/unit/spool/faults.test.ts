import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { RESERVE_BYTES } from '../../../src/spool/reserve.ts';
import type { Spool } from '../../../src/spool/spool.ts';
import { ALL, appendSamples, faultWith, LiveSpool, notesOf } from '../../support/live-spool.ts';

const MiB = 1024 * 1024;

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

/** From now on every write fails with this code; undefined ends it. */
function writesFail(code: string | undefined): void {
  fixture.ports.at = (step) => {
    if (code !== undefined && step === 'write:before-commit') throw faultWith(code);
  };
}

const reserve = () => fixture.path.replace('.db', '.reserve');

describe('a disk that can’t be written', () => {
  it.each([
    ['SQLITE_FULL', 'disk_full'],
    ['SQLITE_IOERR_WRITE', 'spool_unwritable'],
    ['SQLITE_READONLY', 'spool_unwritable'],
    ['EROFS', 'spool_unwritable'],
  ])('%s: holes are remembered and noted by the next write as %s', (code, reason) => {
    const spool = fixture.open();
    appendSamples(spool, 2);
    writesFail(code);
    for (let index = 0; index < 3; index++) expect(spool.append(spool.identify(), 0, '{}')).toBe(false);
    expect([spool.depth, fixture.seqs(), notesOf(spool)]).toEqual([2, [1, 2], []]);
    writesFail(undefined);
    appendSamples(spool, 1);
    expect(fixture.seqs()).toEqual([1, 2, 6]);
    expect(notesOf(spool)).toEqual([{ kind: 'lost', run_id: spool.runId, first_seq: 3, last_seq: 5, reason }]);
    expect(fixture.losses()).toEqual({ [reason]: 3 });
  });

  it('is said once when it begins and once when it ends', () => {
    const spool = fixture.open();
    writesFail('SQLITE_IOERR_FSYNC');
    appendSamples(spool, 5);
    writesFail(undefined);
    appendSamples(spool, 5);
    expect(fixture.events().filter((event) => /^spool_(un)?writable/.test(event))).toEqual([
      'spool_unwritable',
      'spool_writable',
    ]);
  });

  it('is not one that only can’t be looked at any more: nothing is lost, nothing is said', () => {
    const spool = fixture.open();
    const elsewhere = `${fixture.directory}-elsewhere`;
    renameSync(fixture.directory, elsewhere);
    symlinkSync(fixture.directory, fixture.directory);
    try {
      for (let round = 0; round < 3; round++) {
        fixture.clock.pass(10_000);
        appendSamples(spool, 1);
        spool.maintain();
        const [sample] = spool.read({ samples: 1, bytes: 1e6 });
        spool.acknowledge(sample?.id ?? 0, []);
      }
    } finally {
      rmSync(fixture.directory);
      renameSync(elsewhere, fixture.directory);
    }
    expect(spool.depth).toBe(0);
    expect(fixture.events().filter((event) => event !== 'spool_reserve_made')).toEqual([]);
  });

  it('leaves holes that the next run notes when the process dies meanwhile', () => {
    const spool = fixture.open();
    appendSamples(spool, 2);
    writesFail('SQLITE_FULL');
    appendSamples(spool, 3);
    spool.close(false);
    writesFail(undefined);
    expect(notesOf(fixture.open())).toMatchObject([
      { kind: 'lost', first_seq: 3, last_seq: 5, reason: 'crash' },
      { kind: 'run_ended', last_seq: 5 },
    ]);
  });

  it('does not hand out again what was acknowledged, and deletes it later', () => {
    const spool = fixture.open();
    appendSamples(spool, 5);
    const batch = spool.read({ samples: 2, bytes: 1e6 });
    writesFail('SQLITE_FULL');
    spool.acknowledge(batch[1]?.id ?? 0, []);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([3, 4, 5]);
    spool.release();
    const third = spool.read(ALL)[0];
    if (third !== undefined) spool.refuse(third, 'refused_by_kafka');
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([4, 5]);
    expect(fixture.seqs()).toEqual([1, 2, 3, 4, 5]);
    writesFail(undefined);
    spool.maintain();
    expect(fixture.seqs()).toEqual([4, 5]);
    expect([spool.depth, fixture.losses()]).toEqual([2, { refused_by_kafka: 1 }]);
  });

  it('does not hand out again what was acknowledged before something else was', () => {
    fixture.open().close(true);
    const spool = fixture.open();
    appendSamples(spool, 3);
    const [first] = spool.read({ samples: 1, bytes: 1e6 });
    writesFail('SQLITE_IOERR_WRITE');
    spool.acknowledge(first?.id ?? 0, []);
    spool.acknowledge(0, []);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([2, 3]);
  });

  it('notes what Kafka refused also where what came behind it was acknowledged before the disk could be written', () => {
    const spool = fixture.open();
    appendSamples(spool, 5);
    writesFail('SQLITE_IOERR_WRITE');
    const [first] = spool.read({ samples: 1, bytes: 1e6 });
    spool.release();
    if (first !== undefined) spool.refuse(first, 'refused_by_kafka');
    const rest = spool.read(ALL);
    expect(rest.map(({ identity }) => identity.seq)).toEqual([2, 3, 4, 5]);
    spool.acknowledge(rest.at(-1)?.id ?? 0, []);
    writesFail(undefined);
    appendSamples(spool, 1);
    expect(fixture.seqs()).toEqual([6]);
    expect(notesOf(spool)).toEqual([
      { kind: 'lost', run_id: spool.runId, first_seq: 1, last_seq: 1, reason: 'refused_by_kafka' },
    ]);
    expect(fixture.losses()).toEqual({ refused_by_kafka: 1 });
  });

  it('does not hide mistakes of the program', () => {
    const spool = fixture.open();
    fixture.ports.at = () => {
      throw new TypeError('a mistake');
    };
    expect(() => appendSamples(spool, 1)).toThrow('a mistake');
    fixture.ports.at = () => {};
  });
});

describe('the reserve', () => {
  it('is really written, beside the spool', () => {
    fixture.open();
    const { size, blocks } = statSync(reserve());
    expect([size, blocks * 512 >= RESERVE_BYTES]).toEqual([RESERVE_BYTES, true]);
  });

  it('is given up for the transaction that met a full disk, which is repeated', () => {
    const spool = fixture.open();
    let failures = 1;
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit' && failures-- > 0) throw faultWith('SQLITE_FULL');
    };
    fixture.ports.space_ = { free: 0, total: 100 * MiB };
    expect(spool.append(spool.identify(), 0, '{}')).toBe(true);
    expect(existsSync(reserve())).toBe(false);
    expect(fixture.events('warn')).toContain('spool_reserve_spent');
    spool.maintain();
    expect(existsSync(reserve())).toBe(false);
    fixture.ports.space_ = { free: 50 * MiB, total: 100 * MiB };
    fixture.clock.pass(5000);
    spool.maintain();
    expect(statSync(reserve()).size).toBe(RESERVE_BYTES);
  });

  it('is made whole if a start finds it short', () => {
    fixture.open().close(true);
    truncateSync(reserve(), 1000);
    fixture.open();
    expect(statSync(reserve()).size).toBe(RESERVE_BYTES);
  });
});

describe('a damaged row', () => {
  const flip = (seq: number) =>
    fixture.tamper("UPDATE samples SET payload = replace(payload, 'host-1', 'host-2') WHERE seq = ?", seq);
  const lostOf = (spool: Spool) => notesOf(spool).filter(({ kind }) => kind === 'lost');

  /** Samples of a run that is over: what is of this one may still be in memory, and is then handed out as it was. */
  function stored(count: number): { spool: Spool; runId: string } {
    const before = fixture.open();
    appendSamples(before, count);
    before.close(true);
    return { spool: fixture.open(), runId: before.runId };
  }

  it('is not handed out: its neighbours say which one it was', () => {
    const { spool, runId } = stored(6);
    flip(3);
    flip(4);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([1, 2]);
    spool.acknowledge(2, []);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([5, 6]);
    expect(lostOf(spool)).toEqual([
      { kind: 'lost', run_id: runId, first_seq: 3, last_seq: 4, reason: 'spool_corrupt' },
    ]);
    expect(fixture.losses()).toEqual({ spool_corrupt: 2 });
    expect(spool.depth).toBe(2);
    expect(fixture.events('error')).toEqual(['samples_damaged']);
  });

  it('is known whatever of it is damaged, its number and its run included', () => {
    const { spool } = stored(7);
    fixture.tamper('UPDATE samples SET seq = 6000 WHERE seq = 2');
    fixture.tamper("UPDATE samples SET run_id = x'00112233445566778899aabbccddeeff' WHERE seq = 4");
    fixture.tamper("UPDATE samples SET event_id = x'00' WHERE seq = 6");
    const read: number[] = [];
    for (let batch = spool.read(ALL); batch.length > 0; batch = spool.read(ALL)) {
      read.push(...batch.map(({ identity }) => identity.seq));
      spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    }
    expect(read).toEqual([1, 3, 5, 7]);
    expect(lostOf(spool)).toMatchObject([2, 4, 6].map((seq) => ({ first_seq: seq, last_seq: seq })));
  });

  it.each(['NULL', 'CAST(run_id AS TEXT)', '5'])('is dropped and noted too where its run has become %s', (value) => {
    const { spool, runId } = stored(4);
    fixture.loosen();
    fixture.tamper(`UPDATE samples SET crc = 0, run_id = ${value} WHERE seq = 2`);
    const read: number[] = [];
    for (let batch = spool.read(ALL); batch.length > 0; batch = spool.read(ALL)) {
      read.push(...batch.map(({ identity }) => identity.seq));
      spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    }
    expect(read).toEqual([1, 3, 4]);
    expect(lostOf(spool)).toMatchObject([{ run_id: runId, first_seq: 2, last_seq: 2, reason: 'spool_corrupt' }]);
  });

  it.each(['NULL', '5'])('stops no start where its run has become %s', (value) => {
    const before = fixture.open();
    appendSamples(before, 3);
    before.close(false);
    fixture.loosen();
    fixture.tamper(`UPDATE samples SET run_id = ${value} WHERE seq IN (1, 3)`);
    const spool = fixture.open();
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([2]);
    // The tail file knows of the third, which no row says any more.
    expect(notesOf(spool)).toMatchObject([
      { kind: 'lost', run_id: before.runId, first_seq: 3, last_seq: 3, reason: 'crash' },
      { kind: 'run_ended', run_id: before.runId, last_seq: 3 },
      { kind: 'lost', run_id: before.runId, first_seq: 1, last_seq: 1, reason: 'spool_corrupt' },
    ]);
  });

  it.each(['6000', "'x'", '-1'])('does not tell how far its run came: its number has become %s', (value) => {
    const before = fixture.open();
    appendSamples(before, 3);
    before.close(false);
    fixture.loosen();
    fixture.tamper(`UPDATE samples SET seq = ${value} WHERE seq = 3`);
    const spool = fixture.open();
    expect(notesOf(spool)).toEqual([{ kind: 'run_ended', run_id: before.runId, last_seq: 3, clean: false }]);
    spool.release();
    const batch = spool.read(ALL);
    expect(batch.map(({ identity }) => identity.seq)).toEqual([1, 2]);
    spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    expect(spool.read(ALL)).toEqual([]);
    expect(lostOf(spool)).toMatchObject([{ first_seq: 3, last_seq: 3, reason: 'spool_corrupt' }]);
  });

  it('that was handed out from memory, as it was taken, is acknowledged as that', () => {
    const spool = fixture.open();
    appendSamples(spool, 3);
    fixture.tamper('UPDATE samples SET seq = 6000 WHERE seq = 2');
    const batch = spool.read(ALL);
    expect(batch.map(({ identity }) => identity.seq)).toEqual([1, 2, 3]);
    spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    expect(fixture.query('SELECT last_seq, acked_seq FROM runs')).toEqual([{ last_seq: 3, acked_seq: 3 }]);
    spool.close(false);
    expect(notesOf(fixture.open())).toMatchObject([{ kind: 'run_ended', run_id: spool.runId, last_seq: 3 }]);
  });

  it.each(['taken_at', 'monotonic_at'])('is known by its %s too, and not thrown away as too old', (column) => {
    const spool = fixture.open({ maxAge: 60_000 });
    fixture.clock.pass(600_000);
    appendSamples(spool, 100);
    fixture.tamper(`UPDATE samples SET ${column} = 1 WHERE seq = 1`);
    spool.maintain();
    const read = spool.read({ samples: 2, bytes: 1e9 }).map(({ identity }) => identity.seq);
    expect(read).toEqual([2, 3]);
    expect(fixture.losses()).toEqual({ spool_corrupt: 1 });
    expect(notesOf(spool)).toMatchObject([{ first_seq: 1, last_seq: 1, reason: 'spool_corrupt' }]);
  });

  it('is evicted under its true number', () => {
    const spool = fixture.open({ maxBytes: 6 * MiB });
    appendSamples(spool, 2, 'x'.repeat(100_000));
    fixture.tamper('UPDATE samples SET seq = 7000 WHERE seq = 1');
    while (fixture.losses().spool_full === undefined) appendSamples(spool, 1, 'x'.repeat(100_000));
    const [first, second] = notesOf(spool);
    expect(first).toMatchObject({ first_seq: 1, last_seq: 1, reason: 'spool_corrupt' });
    expect(second).toMatchObject({ first_seq: 2, reason: 'spool_full' });
  });

  it('is found first and last in the spool, and across two runs', () => {
    const first = fixture.open();
    appendSamples(first, 3);
    first.close(true);
    const second = fixture.open();
    appendSamples(second, 3);
    fixture.tamper("UPDATE samples SET payload = '?' WHERE id IN (1, 3, 4, 6)");
    const read: number[] = [];
    for (let batch = second.read(ALL); batch.length > 0; batch = second.read(ALL)) {
      read.push(...batch.map(({ id }) => id));
      second.acknowledge(batch.at(-1)?.id ?? 0, []);
    }
    expect(read).toEqual([2, 5]);
    const lost = notesOf(second).filter(({ kind }) => kind === 'lost');
    expect(lost).toEqual(
      [
        [first.runId, 1],
        [first.runId, 3],
        [second.runId, 1],
        [second.runId, 3],
      ].map(([run_id, seq]) => ({ kind: 'lost', run_id, first_seq: seq, last_seq: seq, reason: 'spool_corrupt' })),
    );
  });

  it('says so when it is not certain which one it was', () => {
    const spool = fixture.open();
    appendSamples(spool, 2);
    spool.identify();
    appendSamples(spool, 2);
    flip(2);
    spool.acknowledge(spool.read(ALL)[0]?.id ?? 0, []);
    spool.read(ALL);
    expect(notesOf(spool)).toContainEqual({
      kind: 'lost',
      run_id: spool.runId,
      first_seq: 2,
      last_seq: 3,
      reason: 'spool_corrupt',
      exact: false,
    });
    expect(fixture.losses()).toMatchObject({ spool_corrupt: 1 });
  });
});

describe('a damaged note', () => {
  it('is recovered from: what can be read of the others is told, and the agent goes on', () => {
    const spool = fixture.open();
    appendSamples(spool, 3);
    const [first, second] = spool.read(ALL);
    spool.release();
    if (first !== undefined) spool.refuse(first, 'refused_by_kafka');
    if (second !== undefined) spool.refuse(second, 'spool_expired');
    fixture.tamper("UPDATE notes SET run_id = x'0102' WHERE first_seq = 1");
    expect(notesOf(spool)).toContainEqual({
      kind: 'lost',
      run_id: spool.runId,
      first_seq: 2,
      last_seq: 2,
      reason: 'spool_expired',
    });
    expect(notesOf(spool)).toContainEqual({
      kind: 'lost',
      run_id: spool.runId,
      first_seq: 1,
      last_seq: 1,
      reason: 'spool_corrupt',
    });
    expect(fixture.events('error')).toContain('spool_recovered');
    appendSamples(spool, 1);
    expect(fixture.seqs()).toEqual([3, 4]);
  });
});

describe('a damaged log', () => {
  /** The spool as a death leaves it, in another place, with one byte in a frame of its log changed. */
  function afterDeath(samples: number, frame: number): { path: string; runId: string } {
    const spool = fixture.open();
    appendSamples(spool, samples, `{"pad":"${'x'.repeat(700)}"}`);
    const path = fixture.leftByDeath();
    const log = openSync(`${path}-wal`, 'r+');
    writeSync(log, Buffer.from([0xaa]), 0, 1, 32 + frame * 4120 + 24 + 4000);
    closeSync(log);
    return { path, runId: spool.runId };
  }

  it('costs what was in the damaged frame at most, not all that lies behind it', () => {
    const { path, runId } = afterDeath(60, 20);
    const spool = fixture.open({ path });
    const there = spool.read(ALL).filter(({ identity }) => identity.run_id === runId);
    const lost = notesOf(spool).flatMap((note) => (note.kind === 'lost' ? [note] : []));
    const numbers = [
      ...there.map(({ identity }) => identity.seq),
      ...lost.flatMap(({ first_seq, last_seq }) =>
        Array.from({ length: last_seq - first_seq + 1 }, (_, index) => first_seq + index),
      ),
    ];
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(there.length).toBeGreaterThan(50);
    expect(fixture.events('error')).toContain('spool_damaged');
  });

  it('is opened as SQLite sees it where the recovery fails', () => {
    const { path } = afterDeath(60, 20);
    fixture.ports.recover = () => {
      throw faultWith('EIO');
    };
    const spool = fixture.open({ path });
    fixture.clock.pass(1000);
    expect(appendSamples(spool, 1)).toHaveLength(1);
    expect(spool.depth).toBeGreaterThan(0);
    expect(fixture.events('error')).toContain('spool_recovery_failed');
    expect(fixture.events('error')).toContain('spool_log_cut');
  });

  it('is none at the next death: what lay behind the damage does not pass for newer than what came since', () => {
    const { path } = afterDeath(60, 60);
    const { recover } = fixture.ports;
    fixture.ports.recover = () => {
      throw faultWith('ENOSPC');
    };
    const { size } = statSync(`${path}-wal`);
    const spool = fixture.open({ path });
    // The room that the log has is all that a full disk leaves.
    expect(statSync(`${path}-wal`).size).toBe(size);
    fixture.ports.recover = recover;
    appendSamples(spool, 10, `{"pad":"${'x'.repeat(700)}"}`);
    const kept = fixture.stored();
    const next = fixture.leftByDeath();
    fixture.logged.length = 0;
    const after = fixture.open({ path: next });
    expect(fixture.events('error')).toEqual([]);
    expect(fixture.stored()).toEqual(kept);
    expect(notesOf(after).filter(({ run_id }) => run_id === spool.runId)).toMatchObject([{ last_seq: 10 }]);
  });

  it('is none after a commit that was written but not made durable: the log is begun anew', () => {
    const spool = fixture.open();
    appendSamples(spool, 5, `{"pad":"${'x'.repeat(700)}"}`);
    const log = `${fixture.path}-wal`;
    const twin = fixture.leftByDeath();
    const { size } = statSync(log);
    // The transaction as it comes to the log before its fsync fails; the fixture's own is taken back.
    const other = openSqlite(twin);
    other.exec("INSERT INTO state (key, value) VALUES ('pad', hex(zeroblob(20000)))");
    const frames = readFileSync(`${twin}-wal`).subarray(size);
    other.close();
    expect(frames.length).toBeGreaterThan(9 * 4120);
    writesFail('SQLITE_IOERR_FSYNC');
    appendSamples(spool, 1);
    writeFileSync(log, frames, { flag: 'a' });
    writesFail(undefined);
    appendSamples(spool, 1);
    const stored = fixture.stored();
    const next = fixture.leftByDeath();
    fixture.logged.length = 0;
    fixture.open({ path: next });
    expect(fixture.events('error')).toEqual([]);
    expect(fixture.stored()).toEqual(stored);
  });

  it('is none where its last write was cut short', () => {
    const { path } = afterDeath(60, 0);
    const log = `${path}-wal`;
    copyFileSync(`${fixture.path}-wal`, log);
    truncateSync(log, statSync(log).size - 100);
    expect(fixture.open({ path }).depth).toBe(59);
    expect(fixture.events('error')).toEqual([]);
  });
});

describe('a damaged file', () => {
  const setAside = () => readdirSync(fixture.directory).filter((name) => /\.corrupt-[^-]+$/.test(name));

  it.each([
    ['garbage', (path: string) => writeFileSync(path, Buffer.alloc(40_000, 'garbage'))],
    ['a file cut short', (path: string) => truncateSync(path, 5000)],
  ])('%s: the agent starts, the file is kept, and the run that died is on record', (_, damage) => {
    const first = fixture.open();
    appendSamples(first, 300, 'x'.repeat(500));
    first.close(false);
    rmSync(`${fixture.path}-wal`, { force: true });
    damage(fixture.path);
    const second = fixture.open();
    expect(appendSamples(second, 2)).toHaveLength(2);
    expect(setAside()).toHaveLength(1);
    expect(fixture.events('error')).toContain('spool_damaged');
    const inFile = new Set(fixture.stored().map(({ run_id, seq }) => `${run_id} ${seq}`));
    const notes = notesOf(second);
    for (let seq = 1; seq <= 300; seq++) {
      const noted = notes.some(
        (note) => note.kind === 'lost' && note.run_id === first.runId && note.first_seq <= seq && seq <= note.last_seq,
      );
      expect(noted || inFile.has(`${first.runId} ${seq}`), `sample ${seq}`).toBe(true);
    }
  });

  it('is an empty one that is simply new', () => {
    fixture.open().close(true);
    truncateSync(fixture.path, 0);
    expect(appendSamples(fixture.open(), 1)).toHaveLength(1);
    expect(setAside()).toEqual([]);
  });

  it('is recovered from while running, in the same run and with ids that were never used', () => {
    const spool = fixture.open();
    appendSamples(spool, 10);
    const batch = spool.read({ samples: 5, bytes: 1e6 });
    let failures = 1;
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit' && failures-- > 0) throw faultWith('SQLITE_CORRUPT');
    };
    expect(spool.append(spool.identify(), 0, '{}')).toBe(true);
    spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    appendSamples(spool, 2);
    const stored = fixture.stored();
    expect(stored.slice(-3).map(({ run_id, seq }) => [run_id, seq])).toEqual([
      [spool.runId, 11],
      [spool.runId, 12],
      [spool.runId, 13],
    ]);
    expect(Math.min(...stored.slice(-3).map(({ id }) => id))).toBe(11);
    expect(fixture.query('SELECT ended FROM runs WHERE ended IS NULL')).toHaveLength(1);
    expect(setAside()).toHaveLength(1);
    expect(spool.depth).toBe(stored.length);
  });

  it('gives no id a second time, even if nothing of the file could be recovered', () => {
    const spool = fixture.open();
    appendSamples(spool, 10);
    const batch = spool.read({ samples: 10, bytes: 1e6 });
    fixture.ports.recover = ({ path }) => {
      for (const name of [path, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true });
    };
    let failures = 1;
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit' && failures-- > 0) throw faultWith('SQLITE_CORRUPT');
    };
    appendSamples(spool, 3);
    expect(fixture.stored().map(({ id, seq }) => [id, seq])).toEqual([
      [11, 11],
      [12, 12],
      [13, 13],
    ]);
    spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    expect(fixture.seqs()).toEqual([11, 12, 13]);
  });

  it('does not stop the sampling if it can’t be recovered', () => {
    const spool = fixture.open();
    appendSamples(spool, 2);
    fixture.ports.recover = () => {
      throw faultWith('ENOSPC');
    };
    writesFail('SQLITE_CORRUPT');
    for (let attempt = 1; attempt <= 3; attempt++) expect(spool.append(spool.identify(), 0, '{}')).toBe(false);
    expect(fixture.events('error')).toEqual(['spool_damaged', 'spool_recovery_failed', 'spool_unwritable']);
    writesFail(undefined);
    appendSamples(spool, 1);
    expect(fixture.seqs()).toEqual([1, 2, 6]);
    expect(notesOf(spool)).toMatchObject([{ first_seq: 3, last_seq: 5, reason: 'spool_unwritable' }]);
  });

  it('rests after a recovery that failed, for nineteen times what it took', () => {
    const spool = fixture.open();
    let recoveries = 0;
    fixture.ports.recover = () => {
      recoveries++;
      fixture.clock.pass(1000);
      throw faultWith('ENOSPC');
    };
    writesFail('SQLITE_CORRUPT');
    const attempt = () => {
      spool.append(spool.identify(), 0, '{}');
      return recoveries;
    };
    expect(attempt()).toBe(1);
    fixture.clock.pass(18_999);
    expect(attempt()).toBe(1);
    fixture.clock.pass(1);
    expect(attempt()).toBe(2);
    expect(attempt()).toBe(2);
    writesFail(undefined);
    expect(appendSamples(spool, 1)).toHaveLength(1);
  });

  it('does not rest any longer once there is more of the room that a recovery lacked', () => {
    const spool = fixture.open();
    appendSamples(spool, 2);
    const { recover } = fixture.ports;
    fixture.ports.space_ = { free: 1000 * MiB, total: 2000 * MiB };
    fixture.ports.recover = () => {
      fixture.clock.pass(1000);
      throw faultWith('ENOSPC');
    };
    writesFail('SQLITE_CORRUPT');
    expect(spool.append(spool.identify(), 0, '{}')).toBe(false);
    fixture.ports.recover = (request) => {
      writesFail(undefined);
      recover(request);
    };
    expect(spool.append(spool.identify(), 0, '{}')).toBe(false);
    fixture.ports.space_ = { free: 1001 * MiB, total: 2000 * MiB };
    expect(spool.append(spool.identify(), 0, '{}')).toBe(true);
    expect(fixture.events('error')).toContain('spool_recovered');
    expect(fixture.seqs()).toEqual([1, 2, 5]);
    const noted = { run_id: spool.runId, first_seq: 3, last_seq: 4, reason: 'spool_unwritable' };
    expect(notesOf(spool)).toContainEqual({ kind: 'lost', ...noted });
  });
});
