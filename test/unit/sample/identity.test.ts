import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUuid, UuidSource, uuidFromBytes, uuidToBytes } from '../../../src/sample/identity.ts';

describe('identities', () => {
  it('are the same as text and as bytes', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uint8Array({ minLength: 16, maxLength: 16 }), (uuid, bytes) => {
        expect(uuidFromBytes(uuidToBytes(uuid))).toBe(uuid);
        expect(Buffer.from(bytes).equals(uuidToBytes(uuidFromBytes(bytes)))).toBe(true);
      }),
    );
  });

  it('are refused in any other writing', () => {
    for (const text of ['', 'x', '0189DCD5-5311-7D40-8DB0-9496A2EEF37B', '0189dcd553117d408db09496a2eef37b']) {
      expect(isUuid(text)).toBe(false);
      expect(() => uuidToBytes(text)).toThrow(TypeError);
    }
    expect(() => uuidFromBytes(new Uint8Array(15))).toThrow(TypeError);
  });

  it('carry their time, and rise even when the clock steps back a little', () => {
    let now = 1_767_225_600_000;
    const source = new UuidSource(() => now);
    const first = source.next();
    expect(Number.parseInt(first.replace('-', '').slice(0, 12), 16)).toBe(now);
    expect(first[14]).toBe('7');
    now -= 5000;
    const made = [first, ...Array.from({ length: 1000 }, () => source.next())];
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(1001);
  });
});
