/** Properties of every setting, whatever is thrown at it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settingEntries } from '../../../src/config/catalog.ts';
import { settingValue } from '../../../src/config/live.ts';
import { writtenValue } from '../../../src/config/written.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { load } from './scratch.ts';

const flags = settingEntries.filter(({ secret }) => !secret);
const setting = fc.constantFrom(...flags);
const amount = fc.oneof(
  fc.nat(),
  fc.double({ min: 0, max: 1e9, noNaN: true }).map((value) => value.toFixed(3)),
);
const unit = fc.constantFrom('', 'ms', 's', 'm', 'min', 'h', 'd', 'B', 'kB', 'KiB', 'MiB', 'GiB', 'TiB', '%', ' MiB');
const scalar = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.tuple(amount, unit).map(([value, suffix]) => `${value}${suffix}`),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', ' ', 'null', '-0', 'Infinity', '0x10', '1e3'),
  setting.map((any) => any.choices?.[0] ?? String(any.default ?? 'x')),
);

describe('any scalar in any setting', () => {
  it('is taken into its documented range, or refused by an error that names the setting', () => {
    fc.assert(
      fc.property(setting, scalar, (any, value) => {
        let loaded: ReturnType<typeof load>;
        try {
          loaded = load({ flags: { [any.name]: value } });
        } catch (error) {
          expect(error).toBeInstanceOf(HostspoolError);
          expect((error as HostspoolError).message.startsWith(`${any.name}: `)).toBe(true);
          return;
        }
        const parsed = settingValue(loaded.settings, any.name);
        if (any.range !== undefined) expectWithin(any.range, any.name, parsed);
        if (any.choices !== undefined) expect(any.choices).toContain(parsed);
      }),
      { numRuns: 2000 },
    );
  });

  it('written out and read again is the same', () => {
    fc.assert(
      fc.property(setting, scalar, (any, value) => {
        fc.pre(any.accepts(value));
        const once = settingValue(load({ flags: { [any.name]: value } }).settings, any.name);
        // The blank that a slash stood behind (`a /`) is an outer one without it, and is taken off.
        fc.pre(typeof once !== 'string' || once.trim() === once);
        const again = load({ flags: { [any.name]: writtenValue(any, once) } }).settings;
        expect(settingValue(again, any.name)).toEqual(once);
      }),
      { numRuns: 500 },
    );
  });
});

function expectWithin(range: { min: number; max: number }, name: string, value: unknown): void {
  const share = value as { percent?: number; bytes?: number };
  if (share.percent !== undefined) {
    expect(share.percent).toBeLessThanOrEqual(50);
    return;
  }
  const amount = share.bytes ?? (value as number);
  expect(Number.isInteger(amount), name).toBe(true);
  // A collector's time limit is cut to half the interval.
  if (name !== 'collect.timeout') expect(amount, name).toBeGreaterThanOrEqual(range.min);
  expect(amount, name).toBeLessThanOrEqual(range.max);
}

describe('the schema', () => {
  it.each(settingEntries.map((any) => [any.name, any] as const))(
    'accepts the default and the example of %s',
    (_, any) => {
      if (any.default !== undefined) expect(any.accepts(any.default)).toBe(true);
      expect(any.default !== undefined || any.example !== undefined).toBe(true);
      expect(any.description).toMatch(/\.$/);
      expect(any.allowed).not.toBe('');
    },
  );

  it('marks as secret every setting whose name says so', () => {
    const named = settingEntries.filter(({ name }) => /password|secret|token|passphrase/.test(name));
    expect(named.length).toBeGreaterThan(0);
    expect(named.every(({ secret }) => secret)).toBe(true);
  });
});
