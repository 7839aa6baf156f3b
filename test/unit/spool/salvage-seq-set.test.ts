import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountFor, type RunEvidence } from '../../../src/spool/gone.ts';
import { SeqSet } from '../../../src/spool/seq-set.ts';

const stretch = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 9 }));

describe('a set of sequence numbers', () => {
  it('agrees with a plain set, whatever is added in whatever order', () => {
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 40 }), stretch, (added, [first, length]) => {
        const set = new SeqSet();
        const model = new Set<number>();
        for (const [from, more] of added) {
          set.add(from, from + more);
          for (let seq = from; seq <= from + more; seq++) model.add(seq);
        }
        const stretches = [...set];
        for (const [index, one] of stretches.entries()) {
          expect(one.first).toBeLessThanOrEqual(one.last);
          expect(one.first).toBeGreaterThan((stretches[index - 1]?.last ?? -1) + 1);
        }
        const flat = (list: Iterable<{ first: number; last: number }>) =>
          [...list].flatMap((one) => Array.from({ length: one.last - one.first + 1 }, (_, index) => one.first + index));
        expect(flat(set)).toEqual([...model].sort((a, b) => a - b));
        for (let seq = 0; seq <= 80; seq++) expect(set.has(seq)).toBe(model.has(seq));
        const missing = Array.from({ length: length + 1 }, (_, index) => first + index).filter(
          (seq) => !model.has(seq),
        );
        expect(flat(set.missing(first, first + length))).toEqual(missing);
        expect([set.first, set.last]).toEqual([flat(set)[0] ?? 0, flat(set).at(-1) ?? 0]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('what is known to be gone', () => {
  const setOf = (...stretches: [number, number][]): SeqSet => {
    const set = new SeqSet();
    for (const [first, last] of stretches) set.add(first, last);
    return set;
  };
  const evidence = (known: Partial<RunEvidence>): RunEvidence => ({
    row: undefined,
    certain: true,
    present: new SeqSet(),
    noted: new SeqSet(),
    heardOf: 0,
    acked: 0,
    idsBehind: 0,
    ...known,
  });

  it('is what lies between the acknowledged and the last, and is neither there nor noted', () => {
    const row = { last_seq: 30, acked_seq: 9, ended: null };
    const account = accountFor(
      evidence({ row, present: setOf([12, 15], [18, 20]), noted: setOf([16, 16]), heardOf: 31 }),
    );
    expect(account).toEqual({
      gone: [
        { first: 10, last: 11, exact: true },
        { first: 17, last: 17, exact: true },
        { first: 21, last: 31, exact: true },
      ],
      samples: 14,
      lastSeq: 31,
      ackedSeq: 9,
    });
  });

  it('begins at 1, as a guess, where nothing says what was acknowledged', () => {
    expect(accountFor(evidence({ present: setOf([5, 6]), heardOf: 8 }))).toEqual({
      gone: [
        { first: 1, last: 4, exact: false },
        { first: 7, last: 8, exact: false },
      ],
      samples: 2,
      lastSeq: 8,
      ackedSeq: 0,
    });
  });

  it('does not believe an acknowledgement of samples that are still there', () => {
    const row = { last_seq: 9, acked_seq: 7, ended: null };
    const { gone, ackedSeq } = accountFor(evidence({ row, present: setOf([5, 9]) }));
    expect([gone, ackedSeq]).toEqual([[{ first: 1, last: 4, exact: false }], 0]);
  });

  it('is nothing of a run of which everything was acknowledged', () => {
    const row = { last_seq: 9, acked_seq: 9, ended: 'clean' };
    expect(accountFor(evidence({ row })).gone).toEqual([]);
  });

  it('goes as far as the ids tell for a run that was not ended, and as a guess', () => {
    const row = { last_seq: 0, acked_seq: 0, ended: null };
    const open = accountFor(evidence({ row, present: setOf([1, 9]), idsBehind: 3 }));
    expect(open.gone).toEqual([{ first: 10, last: 12, exact: false }]);
    const ended = accountFor(
      evidence({ row: { ...row, last_seq: 9, ended: 'clean' }, present: setOf([1, 9]), idsBehind: 3 }),
    );
    expect(ended.gone).toEqual([]);
  });
});
