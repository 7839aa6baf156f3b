/** A batch that is intact is read in one piece, any other row by row: whoever reads must not be able to tell. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Spool } from '../../../src/spool/spool.ts';
import { ALL, appendSamples, LiveSpool } from '../../support/live-spool.ts';

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

function contentOf(spool: Spool, limits = ALL) {
  const samples = spool.read(limits);
  const inOnePiece = samples.length > 0 && samples.every(({ bytes }) => bytes !== undefined);
  const content = samples.map(({ id, hostname, identity, takenAt, payload }) => {
    return { id, hostname, identity, takenAt, payload };
  });
  for (const { bytes, payload } of samples) if (bytes !== undefined) expect(bytes.toString()).toBe(payload);
  spool.release();
  return { content, inOnePiece };
}

describe('a batch read in one piece', () => {
  it('is what is read row by row, whatever the payloads and the limits', () => {
    const payload = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constant('€'.repeat(3000)));
    const limits = fc.record({ samples: fc.integer({ min: 1, max: 8 }), bytes: fc.integer({ min: 1, max: 12_000 }) });
    fc.assert(
      fc.property(fc.array(payload, { minLength: 2, maxLength: 12 }), limits, (payloads, few) => {
        const own = new LiveSpool();
        try {
          const earlier = own.open({ hostname: 'old-name' });
          for (const text of payloads) appendSamples(earlier, 1, text);
          earlier.close(true);
          const spool = own.open();
          for (const text of payloads) appendSamples(spool, 1, text);
          appendSamples(spool, 1);
          const whole = contentOf(spool);
          const part = contentOf(spool, few);
          expect([whole.inOnePiece, part.inOnePiece]).toEqual([true, true]);
          expect(whole.content.map((sample) => sample.payload)).toEqual([...payloads, ...payloads, expect.anything()]);

          own.tamper('UPDATE samples SET crc = crc - 1 WHERE id = (SELECT MAX(id) FROM samples)');
          const rowByRow = contentOf(spool);
          expect(rowByRow.inOnePiece).toBe(false);
          expect(rowByRow.content).toEqual(whole.content.slice(0, -1));
          // What holds what is damaged is read row by row even where only its beginning is asked for.
          own.tamper('UPDATE samples SET crc = crc - 1 WHERE id = ?', (part.content.at(-1)?.id ?? 0) + 1);
          const damaged = whole.content.at(-1)?.id ?? 0;
          expect(contentOf(spool, few).content).toEqual(part.content.filter(({ id }) => id < damaged));
        } finally {
          own.remove();
        }
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    ['a changed letter', "payload = replace(payload, 'host-1', 'host-2')"],
    ['another number', 'seq = seq + 1000'],
    ['another time', 'taken_at = taken_at - 1'],
    ['another monotonic time', 'monotonic_at = monotonic_at + 1'],
    ['another run', "run_id = x'00112233445566778899aabbccddeeff'"],
    ['another event', "event_id = x'00112233445566778899aabbccddeeff'"],
    ['a short run', "run_id = x'00'"],
    [
      'a letter that moved from the payload into the event',
      "event_id = CAST(event_id || x'7b' AS BLOB), payload = substr(payload, 2)",
    ],
    ['a number below all', 'seq = -seq'],
    ['a number beyond all', 'seq = 9007199254740993'],
  ])('is not given with %s in it', (_, change) => {
    // What another run left is in nobody's memory.
    const earlier = fixture.open();
    appendSamples(earlier, 5);
    earlier.close(true);
    const spool = fixture.open();
    expect(contentOf(spool).inOnePiece).toBe(true);
    fixture.tamper(`UPDATE samples SET ${change} WHERE id = 3`);
    const { content, inOnePiece } = contentOf(spool);
    expect(inOnePiece).toBe(false);
    expect(content.map(({ id }) => id)).toEqual([1, 2]);
  });

  it('of several runs raises what is acknowledged of each', () => {
    for (const count of [3, 2, 4]) {
      const earlier = fixture.open();
      appendSamples(earlier, count);
      earlier.close(true);
    }
    const spool = fixture.open();
    appendSamples(spool, 2);
    spool.acknowledge(spool.read({ samples: 8, bytes: 1e6 }).at(-1)?.id ?? 0, []);
    expect(fixture.query('SELECT acked_seq FROM runs ORDER BY rowid')).toEqual(
      [3, 2, 3, 0].map((acked_seq) => ({ acked_seq })),
    );
    spool.acknowledge(spool.read(ALL).at(-1)?.id ?? 0, []);
    expect(fixture.query('SELECT acked_seq FROM runs ORDER BY rowid')).toEqual(
      [3, 2, 4, 2].map((acked_seq) => ({ acked_seq })),
    );
  });
});
