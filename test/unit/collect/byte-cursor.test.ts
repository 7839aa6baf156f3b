import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteCursor, COUNTER_SPAN, label } from '../../../src/collect/byte-cursor.ts';
import { addCounters, sectorBytes } from '../../../src/collect/values.ts';

function over(text: string): ByteCursor {
  const bytes = Buffer.from(text);
  return new ByteCursor().load(bytes, bytes.length);
}

describe('an integer', () => {
  it('is read exactly, modulo 2^53, whatever 64-bit number it is', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(over(`  ${value} `).integer()).toBe(Number(value % 2n ** 53n));
      }),
    );
  });

  it.each(['', ' ', '-1', '+1', 'x', '1x', '1.5', '123456789012345678901', '\n5'])('is not %j', (text) => {
    expect(over(text).integer()).toBeNaN();
  });

  it('does not run on into the next line', () => {
    const cursor = over('12\n34');
    expect(cursor.integer()).toBe(12);
    expect(cursor.integer()).toBeNaN();
    expect(cursor.nextLine()).toBe(true);
    expect(cursor.integer()).toBe(34);
    expect(cursor.nextLine()).toBe(false);
  });
});

describe('a decimal', () => {
  it('is what was written', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 9), fc.nat(99), (whole, hundredths) => {
        const text = `${whole}.${String(hundredths).padStart(2, '0')}`;
        expect(over(text).decimal()).toBeCloseTo(Number(text), 6);
      }),
    );
    expect(over('12 ').decimal()).toBe(12);
  });

  it.each(['', '.', '1.', '.5', '1.2.3', '-0.1', 'NaN', '1e5'])('is not %j', (text) => {
    expect(over(text).decimal()).toBeNaN();
  });
});

describe('a cursor', () => {
  it('takes a label only where it is', () => {
    const cursor = over('MemTotal: 5');
    expect(cursor.take(label('MemFree:'))).toBe(false);
    expect(cursor.take(label('MemTotal:'))).toBe(true);
    expect(cursor.integer()).toBe(5);
    expect(cursor.take(label('x'))).toBe(false);
  });

  it('does not see what an earlier, longer text left in the buffer', () => {
    const bytes = Buffer.from('123456');
    expect(new ByteCursor().load(bytes, 2).integer()).toBe(12);
  });
});

describe('counters', () => {
  const counter = fc.maxSafeNat();

  it('add up exactly modulo 2^53', () => {
    fc.assert(
      fc.property(counter, counter, (a, b) => {
        expect(BigInt(addCounters(a, b))).toBe((BigInt(a) + BigInt(b)) % BigInt(COUNTER_SPAN));
      }),
    );
  });

  it('become bytes of sectors exactly modulo 2^53', () => {
    fc.assert(
      fc.property(counter, (sectors) => {
        expect(BigInt(sectorBytes(sectors))).toBe((BigInt(sectors) * 512n) % BigInt(COUNTER_SPAN));
      }),
    );
  });
});
