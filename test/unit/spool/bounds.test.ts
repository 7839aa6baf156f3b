import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL, appendSamples, LiveSpool, notesOf } from '../../support/live-spool.ts';

const MiB = 1024 * 1024;
const HOUR = 3_600_000;

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

describe('the bound of bytes', () => {
  it('evicts the oldest and notes them as one stretch, while the newest stay', () => {
    const spool = fixture.open({ maxBytes: 8 * MiB });
    const taken = appendSamples(spool, 1500, 'x'.repeat(8000)).length;
    const seqs = fixture.seqs();
    const evicted = taken - seqs.length;
    expect(evicted).toBeGreaterThan(500);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => evicted + index + 1));
    expect(notesOf(spool)).toEqual([
      { kind: 'lost', run_id: spool.runId, first_seq: 1, last_seq: evicted, reason: 'spool_full' },
    ]);
    expect(fixture.losses()).toEqual({ spool_full: evicted });
  });

  it('holds at every append, write-ahead log included', () => {
    const spool = fixture.open({ maxBytes: 8 * MiB });
    let most = 0;
    for (let batch = 0; batch < 150; batch++) {
      appendSamples(spool, 10, 'x'.repeat(8000));
      spool.maintain();
      most = Math.max(most, spool.bytes);
    }
    expect(most).toBeGreaterThan(7 * MiB);
    expect(most).toBeLessThanOrEqual(8 * MiB);
  });

  it('works off a bound that was lowered, a bounded stretch with each append', () => {
    const first = fixture.open({ maxBytes: 64 * MiB });
    appendSamples(first, 6000, 'x'.repeat(4000));
    first.close(true);
    const second = fixture.open({ maxBytes: 8 * MiB });
    appendSamples(second, 1);
    expect(second.depth).toBeGreaterThanOrEqual(6000 - 16 * 256);
    appendSamples(second, 3);
    second.maintain();
    expect(second.bytes).toBeLessThanOrEqual(8 * MiB);
    expect(fixture.seqs().slice(-4)).toEqual([1, 2, 3, 4]);
  });

  it('spares what the drainer holds, and evicts what comes after it', () => {
    const spool = fixture.open({ maxBytes: 8 * MiB });
    appendSamples(spool, 100, 'x'.repeat(8000));
    const held = spool.read({ samples: 20, bytes: 1e9 });
    appendSamples(spool, 1000, 'x'.repeat(8000));
    expect(fixture.seqs().slice(0, 20)).toEqual(held.map(({ identity }) => identity.seq));
    expect(notesOf(spool)).toMatchObject([{ first_seq: 21 }]);
    spool.acknowledge(held.at(-1)?.id ?? 0, []);
    expect(fixture.query('SELECT acked_seq FROM runs')).toEqual([{ acked_seq: 20 }]);
  });

  it('does not let a note grow that is on its way', () => {
    const spool = fixture.open({ maxBytes: 8 * MiB });
    appendSamples(spool, 1200, 'x'.repeat(8000));
    const sent = spool.notes(10);
    appendSamples(spool, 200, 'x'.repeat(8000));
    spool.acknowledge(
      0,
      sent.map(({ id }) => id),
    );
    const [first] = sent.map(({ note }) => note);
    const [second] = notesOf(spool);
    if (first?.kind !== 'lost' || second?.kind !== 'lost') throw new Error('expected two losses');
    expect(second.first_seq).toBe(first.last_seq + 1);
    expect(second.last_seq + 1).toBe(fixture.seqs()[0]);
  });
});

describe('the bound of free space', () => {
  const low = { free: 500 * MiB, total: 10_000 * MiB };
  const minFree = { bytes: 1000 * MiB };

  it('stops the growth: an append evicts about what it adds, and no more', () => {
    const spool = fixture.open({ minFree });
    appendSamples(spool, 500, 'x'.repeat(3000));
    fixture.ports.space_ = low;
    fixture.clock.pass(2000);
    spool.maintain();
    const before = spool.bytes;
    appendSamples(spool, 300, 'x'.repeat(3000));
    spool.maintain();
    expect(fixture.seqs()).toHaveLength(500);
    expect(notesOf(spool)).toMatchObject([{ first_seq: 1, last_seq: 300, reason: 'disk_full' }]);
    expect(Math.abs(spool.bytes - before)).toBeLessThan(256 * 1024);
    expect(fixture.events('warn')).toEqual(['disk_low']);
  });

  it('lets a sample through an empty spool', () => {
    fixture.ports.space_ = low;
    const spool = fixture.open({ minFree });
    for (let round = 0; round < 20; round++) {
      appendSamples(spool, 1, 'x'.repeat(3000));
      spool.acknowledge(spool.read(ALL).at(-1)?.id ?? 0, []);
    }
    expect(notesOf(spool)).toEqual([]);
  });

  it('takes a share of the filesystem as well', () => {
    const spool = fixture.open({ minFree: { percent: 10 } });
    appendSamples(spool, 10, 'x'.repeat(3000));
    fixture.ports.space_ = low;
    fixture.clock.pass(2000);
    appendSamples(spool, 10, 'x'.repeat(3000));
    expect(fixture.seqs()).toHaveLength(10);
    fixture.ports.space_ = { free: 2000 * MiB, total: 10_000 * MiB };
    fixture.clock.pass(2000);
    appendSamples(spool, 10, 'x'.repeat(3000));
    expect(fixture.seqs()).toHaveLength(20);
    expect(fixture.events().filter((event) => event.startsWith('disk_'))).toEqual(['disk_low', 'disk_has_room']);
  });

  it('uses up free pages inside the file before it evicts', () => {
    const spool = fixture.open({ minFree });
    appendSamples(spool, 500, 'x'.repeat(3000));
    spool.acknowledge(spool.read({ samples: 400, bytes: 1e9 }).at(-1)?.id ?? 0, []);
    fixture.ports.space_ = low;
    fixture.clock.pass(2000);
    appendSamples(spool, 300, 'x'.repeat(3000));
    expect(fixture.seqs()).toHaveLength(400);
    expect(notesOf(spool)).toEqual([]);
  });
});

describe('the bound of age', () => {
  it('evicts what is older by the monotonic clock', () => {
    const spool = fixture.open({ maxAge: HOUR });
    appendSamples(spool, 3);
    fixture.clock.pass(HOUR / 2);
    appendSamples(spool, 2);
    fixture.clock.pass(HOUR / 2 + 1);
    spool.maintain();
    expect(fixture.seqs()).toEqual([4, 5]);
    expect(notesOf(spool)).toMatchObject([{ first_seq: 1, last_seq: 3, reason: 'spool_expired' }]);
  });

  it('does not care for a wall clock that is stepped', () => {
    const spool = fixture.open({ maxAge: HOUR });
    appendSamples(spool, 3);
    for (const step of [10 * 365 * 24 * HOUR, -20 * 365 * 24 * HOUR]) {
      fixture.clock.stepWall(step);
      spool.maintain();
    }
    expect(fixture.seqs()).toEqual([1, 2, 3]);
  });

  it('lets the wall clock decide over an earlier boot only after it agreed with the monotonic one for an hour', () => {
    const first = fixture.open({ maxAge: HOUR });
    appendSamples(first, 3);
    first.close(false);
    fixture.clock.reboot('boot-2', 30 * 24 * HOUR);
    const spool = fixture.open({ maxAge: HOUR });
    appendSamples(spool, 1);
    const maintainFor = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += 60_000) {
        fixture.clock.pass(60_000);
        spool.maintain();
      }
    };
    maintainFor(HOUR - 120_000);
    expect(spool.depth).toBe(4);
    fixture.clock.stepWall(5000);
    maintainFor(HOUR - 120_000);
    expect(fixture.stored().map(({ run_id, seq }) => [run_id, seq])).toEqual([
      [first.runId, 1],
      [first.runId, 2],
      [first.runId, 3],
    ]);
    maintainFor(240_000);
    expect(spool.depth).toBe(0);
    expect(fixture.losses()).toEqual({ spool_expired: 4 });
  });

  it('takes samples of an earlier run in this boot by the monotonic clock', () => {
    const first = fixture.open({ maxAge: HOUR });
    appendSamples(first, 3);
    first.close(false);
    fixture.clock.pass(HOUR + 1);
    const second = fixture.open({ maxAge: HOUR });
    appendSamples(second, 1);
    second.maintain();
    expect(fixture.stored().map(({ run_id }) => run_id)).toEqual([second.runId]);
  });
});

describe('space given back', () => {
  it('shrinks the file again after a drain, some of it with each upkeep', () => {
    const spool = fixture.open();
    appendSamples(spool, 6000, 'x'.repeat(4000));
    const full = fixture.query<{ page_count: number }>('PRAGMA page_count')[0]?.page_count ?? 0;
    expect(full).toBeGreaterThan(6000);
    for (let batch = spool.read({ samples: 500, bytes: 1e9 }); batch.length > 0; ) {
      spool.acknowledge(batch.at(-1)?.id ?? 0, []);
      batch = spool.read({ samples: 500, bytes: 1e9 });
    }
    const sizes: number[] = [];
    for (let round = 0; round < 20; round++) {
      spool.maintain();
      sizes.push(fixture.query<{ page_count: number }>('PRAGMA page_count')[0]?.page_count ?? 0);
    }
    expect(sizes[0]).toBeLessThan(full);
    expect(sizes[0]).toBeGreaterThan(full / 4);
    expect(sizes.at(-1)).toBeLessThan(512);
  });
});
