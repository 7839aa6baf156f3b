import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/accounts/account.ts';
import { gapDifference } from '../../../src/accounts/gap-difference.ts';
import { outranks } from '../../../src/accounts/reasons.ts';
import { READER_REASONS } from '../../../src/sample/decode-notes.ts';
import { LOSS_REASONS } from '../../../src/sample/note.ts';

/** Disjoint gaps in order, with room between them or not. */
const gaps: fc.Arbitrary<Gap[]> = fc
  .array(fc.tuple(fc.nat(2), fc.nat(2), fc.constantFrom('crash', 'spool_full', null)), { maxLength: 8 })
  .map((parts) => {
    let next = 1;
    return parts.map(([skip, length, reason]) => {
      const first_seq = next + skip;
      next = first_seq + length + 1;
      return { first_seq, last_seq: first_seq + length, reason };
    });
  });

describe('the difference of two lists of gaps', () => {
  it('turns a table that holds the first into one that holds the second', () => {
    fc.assert(
      fc.property(gaps, gaps, (before, after) => {
        const table = new Map(before.map((gap) => [gap.first_seq, gap]));
        const { gone, come } = gapDifference(before, after);
        for (const gap of gone) expect(table.delete(gap.first_seq)).toBe(true);
        for (const gap of come) {
          expect(table.has(gap.first_seq)).toBe(false);
          table.set(gap.first_seq, gap);
        }
        expect([...table.values()].sort((one, other) => one.first_seq - other.first_seq)).toEqual(after);
      }),
    );
  });

  it('touches nothing that stays', () => {
    const gap = { first_seq: 1, last_seq: 2, reason: null };
    const more = { first_seq: 5, last_seq: 5, reason: 'crash' };
    expect(gapDifference([gap], [gap, more])).toEqual({ gone: [], come: [more] });
    expect(gapDifference([gap, more], [gap])).toEqual({ gone: [more], come: [] });
  });

  it('is made of any number of them', () => {
    const many = Array.from({ length: 300_000 }, (_, n) => ({
      first_seq: 2 * n + 2,
      last_seq: 2 * n + 2,
      reason: null,
    }));
    const one = { first_seq: 1, last_seq: 600_001, reason: 'spool_corrupt' };
    expect(gapDifference(many, [one]).gone).toHaveLength(many.length);
  });
});

describe('reasons', () => {
  const all = [...LOSS_REASONS, ...READER_REASONS, 'moon_phase', 'tide', null];

  it('rank in one order, so that it does not matter which is heard of first', () => {
    for (const one of all) {
      for (const other of all) {
        expect(Number(outranks(one, other)) + Number(outranks(other, one))).toBe(one === other ? 0 : 1);
        for (const third of all) {
          if (outranks(one, other) && outranks(other, third)) expect(outranks(one, third)).toBe(true);
        }
      }
    }
  });

  it('put the agent before the dead letter, that before a hole, and a hole before the first contact', () => {
    const order = ['crash', 'dead_letter', 'expired_in_kafka', 'skipped_by_operator', 'before_first_contact', null];
    for (let index = 1; index < order.length; index++) {
      expect(outranks(order[index - 1] ?? null, order[index] ?? null)).toBe(true);
    }
  });
});
