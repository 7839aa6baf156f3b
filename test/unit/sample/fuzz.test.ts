/** Whatever lies in the topic: a message is decoded into values that a database takes, or refused by name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { type DecodedSample, decodeMessage, decodeNotes, decodeParts } from '../../../src/sample/decode.ts';
import { MAX_SEQ } from '../../../src/sample/decode-notes.ts';
import { encodeSample, withNotes } from '../../../src/sample/encode.ts';
import { FIELDS } from '../../../src/sample/fields.ts';
import { isUuid } from '../../../src/sample/identity.ts';
import type { Note } from '../../../src/sample/note.ts';
import type { Sample } from '../../../src/sample/sample.ts';
import { damage, FUZZ_LIMIT, runs } from '../../support/fuzz.ts';

const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const LIMIT_MS = 5000;

const uuid = fc.uuid({ version: 7 });
const cents = (max: number) => fc.nat({ max: max * 100 }).map((value) => value / 100);
const text = (maxLength: number) =>
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength })
    .filter((value) => value.length <= maxLength && !value.includes('\0'));
const hostname = text(60).filter((name) => name.trim() === name && name.length > 0);
const seq = fc.integer({ min: 1, max: MAX_SEQ });
const counter = fc.maxSafeNat();

const note: fc.Arbitrary<Note> = fc
  .tuple(uuid, seq, seq, fc.boolean())
  .map(([run_id, a, b, isLoss]) =>
    isLoss
      ? { kind: 'lost', run_id, first_seq: Math.min(a, b), last_seq: Math.max(a, b), reason: 'spool_full' }
      : { kind: 'run_ended', run_id, last_seq: a, clean: a % 2 === 0 },
  );

/** Any value that the agent could write into the field. */
function anyOf({ kind }: (typeof FIELDS)[number]): fc.Arbitrary<number | string> {
  if (kind.type === 'text') return text(kind.max);
  if (kind.type === 'decimal') return cents(Math.min(kind.max, 2 ** 40));
  return kind.min < 0 ? fc.maxSafeInteger() : kind.max < 2 ** 40 ? fc.nat(kind.max) : counter;
}

const required = Object.fromEntries(
  FIELDS.filter((field) => field.required).map((field) => [field.name, anyOf(field)]),
);
const optional = Object.fromEntries(
  FIELDS.filter((field) => !field.required).map((field) => [field.name, anyOf(field)]),
);
const sample: fc.Arbitrary<Sample> = fc
  .tuple(
    fc.record({ hostname, event_id: uuid, run_id: uuid, seq }),
    fc.integer({ min: 0, max: LAST_MS }),
    fc.record(required),
    fc.record(optional, { requiredKeys: [] }),
  )
  .map(([identity, ms, metrics, more]) => {
    return { ...identity, timestamp: new Date(ms).toISOString(), ...metrics, ...more } as unknown as Sample;
  });

/** What a database refuses must not get here. */
function checkDecoded({
  event_id,
  run_id,
  seq: number,
  hostname: host,
  timestamp,
  values,
  notes,
}: DecodedSample): void {
  expect(isUuid(event_id)).toBe(true);
  expect((run_id === null) === (number === null)).toBe(true);
  if (run_id !== null) expect(isUuid(run_id)).toBe(true);
  if (number !== null) checkSeq(number);
  expect(host.length).toBeGreaterThan(0);
  expect(host.length).toBeLessThanOrEqual(255);
  expect(host.isWellFormed() && host.trim() === host && !host.includes('\0')).toBe(true);
  expect(Number.isInteger(timestamp) && timestamp >= 0 && timestamp <= LAST_MS).toBe(true);
  expect(values).toHaveLength(FIELDS.length);
  for (const [index, { name, kind, required: isRequired }] of FIELDS.entries()) {
    const value = values[index];
    if (value === null) expect(isRequired, name).toBe(false);
    else if (kind.type === 'text') {
      expect(typeof value === 'string' && value.length <= kind.max && value.isWellFormed(), name).toBe(true);
    } else {
      expect(typeof value === 'number' || (kind.type === 'integer' && typeof value === 'bigint'), name).toBe(true);
      expect((value as number) >= kind.min && (value as number) <= kind.max, `${name} = ${value}`).toBe(true);
      if (kind.type === 'integer')
        expect(BigInt.asIntN(64, BigInt(value as number)), name).toBe(BigInt(value as number));
    }
  }
  checkNotes(notes);
}

function checkSeq(value: number): void {
  expect(Number.isSafeInteger(value) && value >= 1 && value <= MAX_SEQ).toBe(true);
}

function checkNotes(notes: DecodedSample['notes']): void {
  for (const each of notes) {
    expect(isUuid(each.run_id)).toBe(true);
    checkSeq(each.last_seq);
    if (each.kind === 'lost') {
      checkSeq(each.first_seq);
      expect(each.first_seq).toBeLessThanOrEqual(each.last_seq);
      expect(each.reason).toMatch(/^[a-z][a-z0-9_]{0,39}$/);
    }
  }
}

function checkAny(bytes: Uint8Array): void {
  const began = performance.now();
  const parts = decodeParts(bytes);
  checkNotes(parts.notes);
  expect(decodeNotes(bytes)).toEqual(parts.notes);
  if (parts.seq !== null) checkSeq(parts.seq);
  try {
    const decoded = decodeMessage(bytes);
    checkDecoded(decoded);
    expect(parts).toMatchObject({ run_id: decoded.run_id, seq: decoded.seq, hostname: decoded.hostname });
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    expect(error.code).toBe('SAMPLE_INVALID');
    expect(error.message.length).toBeLessThan(1000);
    expect(error.message.isWellFormed()).toBe(true);
  }
  expect(performance.now() - began).toBeLessThan(LIMIT_MS);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
}

describe('decoding, fuzzed', () => {
  it(
    'what was encoded comes back',
    () => {
      const property = fc.property(sample, fc.array(note, { maxLength: 5 }), (given, notes) => {
        const decoded = decodeMessage(Buffer.from(withNotes(encodeSample(given), notes)));
        checkDecoded(decoded);
        const { event_id, run_id, seq: number, hostname: host, timestamp } = given;
        expect(decoded).toMatchObject({
          event_id,
          run_id,
          seq: number,
          hostname: host,
          timestamp: Date.parse(timestamp),
        });
        const values = FIELDS.map(({ name }) => (given as unknown as Record<string, unknown>)[name] ?? null);
        expect(decoded.values).toEqual(values);
        expect(decoded.notes).toEqual(notes.map((each) => ({ ...each, exact: true })));
      });
      fc.assert(property, runs(100));
    },
    FUZZ_LIMIT,
  );

  it(
    'any bytes, and any JSON',
    () => {
      const json = fc.oneof(fc.jsonValue({ maxDepth: 12 }), fc.dictionary(fc.string(), fc.jsonValue()));
      fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), checkAny), runs(100));
      fc.assert(
        fc.property(json, (value) => checkAny(Buffer.from(JSON.stringify(value)))),
        runs(100),
      );
    },
    FUZZ_LIMIT,
  );

  it(
    'real messages that were damaged',
    () => {
      const bytes = fc
        .tuple(sample, fc.array(note, { maxLength: 3 }))
        .map(([one, notes]) => Buffer.from(withNotes(encodeSample(one), notes)));
      fc.assert(
        fc.property(bytes, damage(3), (message, change) => checkAny(change(message))),
        runs(400),
      );
    },
    FUZZ_LIMIT,
  );

  it(
    'real messages with other values in their fields',
    () => {
      const names = [
        'hostname',
        'timestamp',
        'event_id',
        'run_id',
        'seq',
        'notes',
        '__proto__',
        ...FIELDS.map(({ name }) => name),
      ];
      const written = fc.oneof(
        fc.jsonValue().map((value) => JSON.stringify(value)),
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
        fc.constantFrom(
          '1e400',
          '-0',
          '-0.0',
          '1e-400',
          '9223372036854775808',
          '0.1e1',
          '"\\ud800"',
          '"\\u0000"',
          '99.995',
          '100.004',
        ),
        fc.constantFrom(
          '{"polluted":1}',
          `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
          `"${'9'.repeat(5000)}"`,
          '9'.repeat(5000),
        ),
        fc.array(note, { maxLength: 3 }).map((notes) => JSON.stringify(notes).replace('"last_seq":', '"last_seq":-')),
      );
      const property = fc.property(sample, fc.constantFrom(...names), written, (one, name, value) => {
        const text = encodeSample({ ...one, [name]: undefined } as never);
        checkAny(Buffer.from(`${text.slice(0, -1)},${JSON.stringify(name)}:${value}}`));
      });
      fc.assert(property, runs(500));
    },
    FUZZ_LIMIT,
  );
});
