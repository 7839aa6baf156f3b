import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTimestamp } from '../../../src/sample/timestamp.ts';

describe('parseTimestamp', () => {
  it.each([
    ['2026-05-01T12:00:00.123Z', '2026-05-01T12:00:00.123Z'],
    ['2026-05-01T12:00:00Z', '2026-05-01T12:00:00.000Z'],
    ['2026-05-01 12:00:00', '2026-05-01T12:00:00.000Z'],
    ['2026-05-01T12:00:00.5', '2026-05-01T12:00:00.500Z'],
    ['2026-05-01T12:00:00.999999', '2026-05-01T12:00:00.999Z'],
    ['2026-05-01T12:00:00.123456+05:30', '2026-05-01T06:30:00.123Z'],
    ['2026-05-01T12:00:00-0800', '2026-05-01T20:00:00.000Z'],
    ['2026-05-01T12:00:00+02', '2026-05-01T10:00:00.000Z'],
    ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  ])('reads %s as %s', (text, iso) => {
    expect(new Date(parseTimestamp(text) ?? Number.NaN).toISOString()).toBe(iso);
  });

  it.each([
    '',
    '2026-05-01',
    '2026-05-01T12:00',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-05-00T00:00:00Z',
    '2026-05-01T24:00:00Z',
    '2026-05-01T12:60:00Z',
    '2026-05-01T12:00:60Z',
    '2026-05-01T1x:00:00Z',
    '2026-05-01T12:00:00.Z',
    '2026-05-01T12:00:00.1ZZ',
    '2026-05-01T12:00:00+2',
    '2026-05-01T12:00:00+02:0',
    '2026-05-01T12:00:00+24:00',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    'Fri, 01 May 2026 12:00:00 GMT',
  ])('does not take %j for a timestamp', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  it('reads back what Date writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        expect(parseTimestamp(new Date(ms).toISOString())).toBe(ms);
      }),
    );
  });

  it('answers undefined or a number for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const ms = parseTimestamp(text);
        expect(ms === undefined || Number.isInteger(ms)).toBe(true);
      }),
    );
  });
});
