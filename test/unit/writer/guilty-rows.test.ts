import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { type DecodedSample, decodeMessage } from '../../../src/sample/decode.ts';
import { findGuiltyRows, mostGuilty } from '../../../src/writer/guilty-rows.ts';
import { message } from '../sink/a-load.ts';

const ROWS = Array.from({ length: 3000 }, (_, n) => decodeMessage(message(1, n + 1)));
const refusal = new HostspoolError('SINK_DATA', 'refused');

function database(guilty: ReadonlySet<DecodedSample>) {
  const asked: number[] = [];
  const rehearse = async (rows: readonly DecodedSample[]) => {
    asked.push(rows.length);
    if (rows.some((row) => guilty.has(row))) throw refusal;
  };
  return { asked, rehearse };
}

describe('guilty rows', () => {
  it('are found, all of them and no others', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 400 }),
        fc.uniqueArray(fc.nat(399), { maxLength: 10 }),
        async (size, at) => {
          const rows = ROWS.slice(0, size);
          const guilty = new Set(at.filter((index) => index < size).map((index) => rows[index] as DecodedSample));
          const findings = await findGuiltyRows(rows, database(guilty).rehearse);
          expect(findings.kind).toBe('rows');
          if (findings.kind === 'rows') expect(new Set(findings.guilty.map(({ row }) => row))).toEqual(guilty);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are believed up to ten, or one in a hundred', async () => {
    expect([1, 500, 1100, 10_000].map(mostGuilty)).toEqual([10, 10, 11, 100]);
    const thirty = await findGuiltyRows(ROWS, database(new Set(ROWS.slice(100, 130))).rehearse);
    expect(thirty).toMatchObject({ kind: 'rows', guilty: { length: 30 } });
    const more = await findGuiltyRows(ROWS, database(new Set(ROWS.slice(100, 131))).rehearse);
    expect(more.kind).toBe('not the rows');
  });

  it('are given up early when everything is refused', async () => {
    const { asked, rehearse } = database(new Set(ROWS));
    const findings = await findGuiltyRows(ROWS, rehearse);
    expect(findings).toEqual({ kind: 'not the rows', error: refusal });
    expect(asked.length).toBeLessThan(100);
    expect(asked.reduce((sum, rows) => sum + rows, 0)).toBeLessThan(3 * ROWS.length);
  });

  it('are not looked for where no rows at all are refused too', async () => {
    const findings = await findGuiltyRows(ROWS, async () => {
      throw refusal;
    });
    expect(findings.kind).toBe('not the rows');
  });

  it('are not those that stood alone while a trouble without a name passed', async () => {
    const trouble = new HostspoolError('SINK_UNKNOWN', 'something');
    for (const [lasts, kind] of [
      [1, 'rows'],
      [2, 'not the rows'],
    ] as const) {
      let left: number = lasts;
      const bad = new Set(ROWS.slice(7, 8));
      const rehearse = async (rows: readonly DecodedSample[]) => {
        if (rows.length > 1 && rows.some((row) => bad.has(row))) throw refusal;
        const isHit = left < lasts || rows[0] === ROWS[7];
        if (left > 0 && isHit && left--) throw trouble;
      };
      const findings = await findGuiltyRows(ROWS.slice(0, 64), rehearse);
      expect(findings).toMatchObject(kind === 'rows' ? { kind, guilty: [] } : { kind, error: trouble });
    }
  });

  it('are guilty though the error has no name, where they alone are refused, and again', async () => {
    const trouble = new HostspoolError('SINK_UNKNOWN', 'something');
    const findings = await findGuiltyRows(ROWS.slice(0, 64), async (rows) => {
      if (rows.includes(ROWS[7] as DecodedSample)) throw trouble;
    });
    expect(findings).toMatchObject({ kind: 'rows', guilty: [{ row: ROWS[7] }] });
  });

  it('are not found out about while the database is away', async () => {
    const away = new HostspoolError('SINK_UNAVAILABLE', 'away', { retryable: true });
    let asked = 0;
    const rehearse = async () => {
      if (asked++ > 3) throw away;
      if (asked > 1) throw refusal;
    };
    await expect(findGuiltyRows(ROWS, rehearse)).rejects.toBe(away);
  });
});
