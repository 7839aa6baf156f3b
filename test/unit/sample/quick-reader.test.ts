/** The quick reader is held against the decoder: where it answers at all, the answer is the same. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAny, decodeMessage } from '../../../src/sample/decode.ts';
import { FIELDS } from '../../../src/sample/fields.ts';
import { QuickReader } from '../../../src/sample/quick-reader.ts';
import { fleetSamples } from '../../support/fleet.ts';

const USUAL = [...fleetSamples(3, 30)].map(({ value }) => value);

/** One reader for all: what it learned from a message must not change the next. */
const reader = new QuickReader();

function agrees(bytes: Buffer): 'same' | 'gave up' {
  const quick = reader.read(bytes);
  if (quick === undefined) return 'gave up';
  const slow = decodeAny(bytes);
  if (!isDeepStrictEqual(quick, slow)) expect(quick, bytes.toString('latin1')).toStrictEqual(slow);
  return 'same';
}

/** What JSON may have for a value, written out; near the edges of what is read quickly. */
const written = fc.oneof(
  fc.double({ min: 0, max: 120, noNaN: true }).map((value) => value.toFixed(2)),
  fc.double({ min: 0, noNaN: true }).map((value) => JSON.stringify(value)),
  fc.nat().map(String),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.stringMatching(/^-?\d{0,17}\.?\d{0,17}([eE][+-]?\d{0,2})?$/),
  fc.stringMatching(/^[1-9]\d{0,8}\.\d{1,9}$/),
  fc.string({ unit: 'binary', maxLength: 70 }).map((text) => JSON.stringify(text)),
  fc.string({ maxLength: 70 }).map((text) => `"${text}"`),
  fc.uuid().map((uuid) => `"${uuid}"`),
  fc.uuid().map((uuid) => `"${uuid.toUpperCase()}"`),
  fc.date({ noInvalidDate: true }).map((date) => JSON.stringify(date)),
  fc.constantFrom('null', 'true', '[]', '{}', '""', '" "', '0', '00', '-0', '1.', '.5', '1e3', '9007199254740993'),
);

const NAMES = ['hostname', 'timestamp', 'event_id', 'run_id', 'seq', ...FIELDS.map(({ name }) => name)];
const anyName = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom('notes', 'filesystems', '__proto__', 'constructor', 'host\\u006eame', '') },
);

type Members = [name: string, value: string][];

const membersOf = (message: string): Members =>
  Object.entries(JSON.parse(message)).map(([name, value]) => [name, JSON.stringify(value)]);

const write = (members: Members) => Buffer.from(`{${members.map(([name, value]) => `"${name}":${value}`).join(',')}}`);

describe('the quick reader', () => {
  it('reads what agents send, and reads it as the decoder does', () => {
    for (const message of USUAL) expect(agrees(Buffer.from(message))).toBe('same');
  });

  it('reads the members in any order', () => {
    const shuffled = fc
      .constantFrom(...USUAL)
      .chain((message) => fc.shuffledSubarray(membersOf(message), { minLength: membersOf(message).length }));
    fc.assert(
      fc.property(shuffled, (members) => {
        expect(agrees(write(members))).toBe('same');
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with the decoder on messages whose members are changed, missing, repeated and unknown', () => {
    const changes = fc.array(fc.tuple(fc.nat(40), fc.option(anyName, { freq: 6 }), fc.option(written, { freq: 6 })), {
      maxLength: 3,
    });
    const seen = { same: 0, 'gave up': 0 };
    fc.assert(
      fc.property(fc.constantFrom(...USUAL), changes, (message, list) => {
        const members = membersOf(message);
        for (const [at, name, value] of list) {
          const index = at % members.length;
          const member = members[index];
          if (member === undefined) continue;
          if (name === null && value === null) members.splice(index, 1);
          else if (name !== null && value !== null) members.splice(index, 0, [name, value]);
          else members[index] = [name ?? member[0], value ?? member[1]];
        }
        seen[agrees(write(members))]++;
      }),
      { numRuns: 8000 },
    );
    // Neither is empty, or this would hold for a reader that does nothing.
    expect(seen.same).toBeGreaterThan(1000);
    expect(seen['gave up']).toBeGreaterThan(1000);
  });

  it('agrees with the decoder on messages with bytes changed, lost and added', () => {
    const bytes = fc.oneof(
      fc.constantFrom(...Buffer.from('0123456789')),
      fc.constantFrom(...Buffer.from('"\\{}[],:.-+eE0159 \tT\0\x7f')),
      fc.nat(255),
    );
    const changes = fc.array(fc.tuple(fc.nat(900), bytes, fc.constantFrom(0, 1, 1, 1, 2)), {
      minLength: 1,
      maxLength: 2,
    });
    let same = 0;
    fc.assert(
      fc.property(fc.constantFrom(...USUAL), changes, (message, list) => {
        const changed = [...Buffer.from(message)];
        for (const [at, byte, replaced] of list) changed.splice(at % changed.length, replaced, byte);
        if (agrees(Buffer.from(changed)) === 'same') same++;
      }),
      { numRuns: 8000 },
    );
    expect(same).toBeGreaterThan(50);
  });

  it('reads no further than the message, and gives up on one that is cut off', () => {
    const message = USUAL[0] ?? '';
    const around = Buffer.from(`${message}}}`);
    for (let end = 0; end <= around.length; end++) {
      expect(agrees(around.subarray(0, end))).toBe(end === message.length ? 'same' : 'gave up');
    }
  });

  it('leaves to the decoder what it cannot read itself: notes, other producers, refusals in words', () => {
    const [first = ''] = USUAL;
    const withNotes = `${first.slice(0, -1)},"notes":[]}`;
    expect(agrees(Buffer.from(withNotes))).toBe('gave up');
    expect(decodeMessage(Buffer.from(withNotes))).toStrictEqual(decodeMessage(Buffer.from(first)));
    const { event_id, run_id, seq, ...plain } = JSON.parse(first) as Record<string, unknown>;
    expect(decodeMessage(Buffer.from(JSON.stringify(plain)))).toMatchObject({ run_id: null, seq: null });
    const wrong = Buffer.from(JSON.stringify({ ...plain, event_id, run_id, seq, cpu_percent: 101 }));
    expect(() => decodeMessage(wrong)).toThrow(/^cpu_percent: not a number from 0 to 100/);
  });
});
