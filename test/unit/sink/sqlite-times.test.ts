import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromTimeText, TimeTexts, toTimeText } from '../../../src/sink/sqlite/times.ts';

const time = fc.integer({ min: Date.parse('0001-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59.999Z') });

describe('the texts of times', () => {
  it('are the same one by one and by the minute, whatever came before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(time, fc.array(fc.integer({ min: -90_000, max: 90_000 }))), { minLength: 1 }),
        (runs) => {
          const texts = new TimeTexts();
          for (const ms of runs.flatMap(([at, steps]) => [at, ...steps.map((step) => at + step)])) {
            fc.pre(ms >= Date.parse('0001-01-01T00:00:00Z') && ms <= Date.parse('9999-12-31T23:59:59.999Z'));
            expect(texts.of(ms)).toBe(toTimeText(ms));
            expect(fromTimeText(texts.of(ms))).toBe(ms);
          }
        },
      ),
    );
  });
});
