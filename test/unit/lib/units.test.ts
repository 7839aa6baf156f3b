import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/lib/units.ts';

describe('units', () => {
  it.each([
    ['5s', 5000],
    ['250ms', 250],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    [' 2 m ', 120_000],
    ['0', 0],
  ])('reads the duration %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['5', '-5s', 's', '', '5 parsecs', '1e3s', '5s5', 'constructor', '٥s'])('refuses the duration %j', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it.each([
    ['512MiB', 536_870_912],
    ['1GB', 1_000_000_000],
    ['900kib', 921_600],
    ['4096B', 4096],
    ['0', 0],
  ])('reads the size %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it('writes every duration so that it reads back as the same', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ms) => sumOf(formatDuration(ms)) === ms));
  });

  it('writes sizes for people', () => {
    expect([0, 1023, 1536, 536_870_912, 5 * 1024 ** 4].map(formatSize)).toEqual([
      '0B',
      '1023B',
      '1.5KiB',
      '512MiB',
      '5TiB',
    ]);
  });
});

/** A written duration may have several parts; each alone is one that can be read. */
function sumOf(text: string): number {
  return (text.match(/\d+[a-z]+/g) ?? []).reduce((sum, part) => sum + (parseDuration(part) ?? Number.NaN), 0);
}
