import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.ts';
import { type QueueReading, readQueue } from '../../../src/spool/snapshot-queue.ts';
import { lookInto, type Queries } from '../../../src/spool/snapshot-source.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { runIdOf, SpoolFixture } from '../../support/spool-fixture.ts';

const open: SpoolFixture[] = [];
afterEach(() => {
  for (const fixture of open.splice(0)) fixture.remove();
});

function fixture(): SpoolFixture {
  const made = SpoolFixture.make();
  open.push(made);
  return made;
}

function read(from: SpoolFixture, deadline = Number.POSITIVE_INFINITY): QueueReading {
  return lookInto(from.files, (queries) => readQueue(queries, new FakeClock(), deadline)).value;
}

describe('the queue of a spool, seen from outside', () => {
  it('is empty where no sample waits', () => {
    expect(read(fixture())).toEqual({
      depth: 0,
      exact: true,
      oldest: null,
      newest: null,
      runs: [],
      runsComplete: true,
      inflow: null,
      bytesPerSample: null,
    });
  });

  it('has the runs in their order, each with its first and last number', () => {
    const made = fixture()
      .samples({ run: 1, first: 5, last: 9, takenAt: 1000 })
      .samples({ run: 2, first: 1, last: 1, takenAt: 50_000 })
      .samples({ run: 3, first: 1, last: 700, takenAt: 60_000, monotonicAt: 70 });
    const queue = read(made);
    expect(queue.depth).toBe(706);
    expect(queue.runs).toEqual([
      { runId: runIdOf(1), samples: 5, firstSeq: 5, lastSeq: 9 },
      { runId: runIdOf(2), samples: 1, firstSeq: 1, lastSeq: 1 },
      { runId: runIdOf(3), samples: 700, firstSeq: 1, lastSeq: 700 },
    ]);
    expect(queue.oldest).toEqual({ runId: runIdOf(1), seq: 5, takenAt: 1000, monotonicAt: 0 });
    expect(queue.newest).toEqual({
      runId: runIdOf(3),
      seq: 700,
      takenAt: 60_000 + 699 * 5000,
      monotonicAt: 70 + 699 * 5000,
    });
  });

  it('agrees with a plain count of the rows, whatever runs and holes there are', () => {
    const stretch = fc.record({ samples: fc.integer({ min: 1, max: 40 }), skip: fc.integer({ min: 0, max: 60 }) });
    const made = fixture();
    fc.assert(
      fc.property(
        fc.array(stretch, { maxLength: 12 }),
        fc.array(fc.nat(500), { maxLength: 30 }),
        (stretches, holes) => {
          made.database.exec('DELETE FROM samples; DELETE FROM sqlite_sequence');
          for (const [run, { samples, skip }] of stretches.entries()) {
            made.samples({ run, first: 1, last: samples, payload: 10 });
            made.database.prepare("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'samples'").run(skip);
          }
          for (const id of holes) made.database.prepare('DELETE FROM samples WHERE id = ?').run(id);
          const queue = read(made);
          const rows = made.database
            .prepare<[], { run: Buffer; samples: number; first: number; last: number }>(
              'SELECT run_id AS run, COUNT(*) AS samples, MIN(seq) AS first, MAX(seq) AS last FROM samples GROUP BY run_id ORDER BY MIN(id)',
            )
            .all();
          expect(queue.depth).toBe(rows.reduce((sum, row) => sum + row.samples, 0));
          expect(queue.runs.map(({ samples, firstSeq, lastSeq }) => [samples, firstSeq, lastSeq])).toEqual(
            rows.map(({ samples, first, last }) => [samples, first, last]),
          );
          expect(queue.exact && queue.runsComplete).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('stops counting when the time is up, and then says too much, never too little', () => {
    const made = fixture()
      .samples({ run: 1, first: 1, last: 300, payload: 10 })
      .samples({ run: 2, first: 1, last: 20, payload: 10 });
    made.database.exec('DELETE FROM samples WHERE id IN (7, 8, 9)');
    const queue = read(made, 0);
    expect(queue).toMatchObject({ depth: 320, exact: false, runsComplete: false });
    expect(queue.runs).toEqual([{ runId: runIdOf(1), samples: 300, firstSeq: 1, lastSeq: 300 }]);
    expect(read(made)).toMatchObject({ depth: 317, exact: true, runsComplete: true });
  });

  it('measures the flow by the monotonic clock and the numbers, so that an evicted sample counts', () => {
    const made = fixture().samples({ run: 1, first: 1, last: 60, interval: 100 });
    made.database.exec('DELETE FROM samples WHERE seq BETWEEN 20 AND 40');
    expect(read(made).inflow).toEqual({ runId: runIdOf(1), perSecond: 10 });
  });

  it('measures no flow from a handful of samples', () => {
    expect(read(fixture().samples({ run: 1, first: 1, last: 4 })).inflow).toBeNull();
  });

  it.each([40, 500, 900, 1500, 3000, 4100, 6000, 20_000])(
    'knows what a sample of %i bytes takes of the file',
    (payload) => {
      const made = fixture();
      const pages = () =>
        made.database.prepare<[], number>('SELECT page_count FROM pragma_page_count').pluck().get() ?? 0;
      const before = pages();
      made.samples({ run: 1, first: 1, last: 3000, payload });
      const real = ((pages() - before) * 4096) / 3000;
      const estimated = read(made).bytesPerSample ?? 0;
      expect(estimated / real).toBeGreaterThan(0.85);
      expect(estimated / real).toBeLessThan(1.15);
    },
  );

  it('ends on a tree that answers out of order', () => {
    const row = (id: number, run: number) => ({
      id,
      run_id: Buffer.alloc(16, run),
      seq: 1,
      taken_at: 0,
      monotonic_at: 0,
    });
    const answers = [row(1, 1), row(100, 2), row(3, 1), row(2, 1)];
    let asked = 0;
    const queries = {
      one: () => answers[asked++] ?? row(2, 1),
      all: () => [],
    } as unknown as Queries;
    expect(() => readQueue(queries, new SystemClock(), Number.POSITIVE_INFINITY)).toThrow('not in order');
  });
});
