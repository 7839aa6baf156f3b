import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { type DecodedSample, decodeMessage, decodeNotes, decodeParts } from '../../../src/sample/decode.ts';
import { encodeSample } from '../../../src/sample/encode.ts';
import { FIELDS, fieldIndex } from '../../../src/sample/fields.ts';
import type { Sample } from '../../../src/sample/sample.ts';

const PLAIN = {
  hostname: 'web-1',
  timestamp: '2026-05-01T12:00:00.123456+02:00',
  cpu_percent: 12.345,
  memory_percent: 50,
  memory_used_mb: 2048.5,
  memory_total_mb: 4096,
  disk_percent: 0,
  disk_used_gb: 10.25,
  disk_total_gb: 100,
  network_bytes_sent: 1,
  network_bytes_recv: 2,
};
const IDENTITY = {
  event_id: '0196a5b0-0000-7000-8000-000000000001',
  run_id: '0196a5b0-0000-7000-8000-000000000002',
  seq: 7,
};

const json = (change: Record<string, unknown> = {}) => JSON.stringify({ ...PLAIN, ...change });
const fieldOf = (sample: DecodedSample, name: string) => sample.values[fieldIndex(name)];

function refusal(value: string | Buffer | null): HostspoolError {
  try {
    decodeMessage(value);
  } catch (error) {
    if (error instanceof HostspoolError) return error;
    throw error;
  }
  throw new Error(`accepted: ${String(value).slice(0, 200)}`);
}

describe('decoding a message', () => {
  it('takes everything that the agent writes', () => {
    const sample: Sample = {
      ...PLAIN,
      timestamp: '2026-05-01T12:00:00.123Z',
      ...IDENTITY,
      cpu_count: 8,
      load_1: 1.5,
      agent_version: '1.2.3',
      spool_depth: 3,
      spool_bytes: 4096,
      spool_oldest_age_seconds: 1.25,
      clock_stepped_ms: -5000,
      filesystems: [{ mount: '/', device: '/dev/sda1', type: 'ext4', total_gb: 1, used_gb: 0.5, percent: 50 }],
      notes: [{ kind: 'run_ended', run_id: IDENTITY.run_id, last_seq: 9, clean: true }],
    };
    const decoded = decodeMessage(Buffer.from(encodeSample(sample)));
    expect(decoded).toMatchObject({
      ...IDENTITY,
      hostname: 'web-1',
      timestamp: Date.UTC(2026, 4, 1, 12, 0, 0, 123),
      notes: [{ kind: 'run_ended', run_id: IDENTITY.run_id, last_seq: 9, clean: true, exact: true }],
    });
    for (const { name } of FIELDS) {
      const given = (sample as unknown as Record<string, unknown>)[name];
      const expected = typeof given === 'number' ? Math.round(given * 100) / 100 : (given ?? null);
      expect(fieldOf(decoded, name), name).toBe(expected);
    }
  });

  it('takes the eleven fields of a plain producer, the same bytes being the same event', () => {
    const decoded = decodeMessage(json());
    expect(decoded).toMatchObject({ run_id: null, seq: null, hostname: 'web-1', notes: [] });
    expect(decoded.timestamp).toBe(Date.UTC(2026, 4, 1, 10, 0, 0, 123));
    expect(decoded.event_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(decodeMessage(Buffer.from(json())).event_id).toBe(decoded.event_id);
    expect(decodeMessage(json({ cpu_percent: 1 })).event_id).not.toBe(decoded.event_id);
  });

  it('passes over fields that it does not know and reads null as absent', () => {
    const decoded = decodeMessage(json({ region: 'eu', tags: { rack: ['a', { b: 1 }] }, load_1: null }));
    expect(fieldOf(decoded, 'load_1')).toBeNull();
  });

  it('keeps the last digit of the largest counters', () => {
    for (const written of ['9223372036854775807', '9007199254740993']) {
      const text = json({ nested: { disk_read_bytes: 1 } }).replace('{', `{"disk_read_bytes":${written},`);
      expect(fieldOf(decodeMessage(text), 'disk_read_bytes')).toBe(BigInt(written));
    }
  });

  it.each([
    ['null', null, /value: missing/],
    ['an empty value', '', /not JSON/],
    ['not JSON', '{"hostname": ', /not JSON/],
    ['a list', '[]', /not a JSON object/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
    ['a missing field', json({ disk_percent: undefined }), /^disk_percent: missing/],
    ['a required null', json({ disk_percent: null }), /^disk_percent: missing/],
    ['a number as text', json({ cpu_percent: '12' }), /^cpu_percent: not a number/],
    ['NaN as text', json({ cpu_percent: 'NaN' }), /^cpu_percent: .*NaN/],
    ['a bare NaN', json().replace('12.345', 'NaN'), /not JSON/],
    ['a boolean', json({ load_1: true }), /^load_1/],
    ['a percent above 100', json({ cpu_percent: 100.01 }), /^cpu_percent/],
    ['a negative size', json({ memory_used_mb: -1 }), /^memory_used_mb/],
    ['a size too large', json({ disk_total_gb: 1e13 }), /^disk_total_gb/],
    ['a number of 400 digits', json().replace('4096', '9'.repeat(400)), /^memory_total_mb/],
    [
      'a counter of 400 digits',
      json({ network_bytes_sent: 0 }).replace('_sent":0', `_sent":${'9'.repeat(400)}`),
      /sent/,
    ],
    [
      'a counter just above 64 bits',
      json().replace('"network_bytes_recv":2', '"network_bytes_recv":9223372036854775808'),
      /^network_bytes_recv/,
    ],
    ['a fraction of a counter', json({ network_bytes_sent: 1.5 }), /^network_bytes_sent: not a whole number/],
    ['a count above 32 bits', json({ cpu_count: 2 ** 31 }), /^cpu_count/],
    ['no hostname', json({ hostname: '' }), /^hostname/],
    ['a hostname of blanks', json({ hostname: '  ' }), /^hostname/],
    ['a hostname with a blank at its end', json({ hostname: 'web-1 ' }), /^hostname: .*white space/],
    ['a hostname with a blank at its beginning', json({ hostname: '\u00a0web-1' }), /^hostname: .*white space/],
    ['a hostname of 256 characters', json({ hostname: 'h'.repeat(256) }), /^hostname: .*256 characters/],
    ['a hostname of a megabyte', json({ hostname: 'h'.repeat(1 << 20) }), /^hostname/],
    ['a hostname with a NUL', json({ hostname: 'a\0b' }), /^hostname/],
    ['a lone surrogate', json().replace('web-1', 'web\\ud800'), /lone surrogate/],
    ['a lone surrogate in an unknown field', json({ x: 'a' }).replace('"a"', '"\\udfff"'), /lone surrogate/],
    ['__proto__ as a key', json().replace('{', '{"__proto__":{"seq":1},'), /__proto__/],
    ['__proto__ in disguise', json().replace('{', '{"\\u005f_proto__":{},'), /__proto__/],
    ['ten levels of nesting', json().replace('{', `{"deep":${'['.repeat(10)}${']'.repeat(10)},`), /nested more than/],
    ['a depth bomb', json().replace('{', `{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)},`), /nested|not JSON/],
    ['half an identity', json({ run_id: IDENTITY.run_id }), /^seq: missing/],
    ['a sequence number without a run', json({ seq: 1 }), /^run_id: missing/],
    ['a sequence number of 0', json({ ...IDENTITY, seq: 0 }), /^seq/],
    ['an event_id that is no UUID', json({ ...IDENTITY, event_id: 'x' }), /^event_id/],
    ['a time that is none', json({ timestamp: '2026-02-30T00:00:00Z' }), /^timestamp/],
    ['a time as a number', json({ timestamp: 1_700_000_000 }), /^timestamp/],
    ['a version too long', json({ agent_version: 'v'.repeat(65) }), /^agent_version/],
  ])('refuses %s, naming what is wrong', (_, value, reason) => {
    const error = refusal(value);
    expect(error.code).toBe('SAMPLE_INVALID');
    expect(error.retryable).toBe(false);
    expect(error.message).toMatch(reason);
    expect(error.message.length).toBeLessThan(250);
  });

  it('either gives a row that every database takes or SAMPLE_INVALID, whatever the fields hold', () => {
    const anyField = fc.constantFrom(
      'hostname',
      'timestamp',
      'event_id',
      'run_id',
      'seq',
      'notes',
      ...FIELDS.map((f) => f.name),
    );
    fc.assert(
      fc.property(fc.dictionary(anyField, fc.oneof(fc.jsonValue(), fc.double(), fc.bigInt().map(Number))), (change) => {
        let decoded: DecodedSample;
        try {
          decoded = decodeMessage(json(change));
        } catch (error) {
          expect((error as HostspoolError).code).toBe('SAMPLE_INVALID');
          return;
        }
        for (const [index, { name, kind }] of FIELDS.entries()) {
          const value = decoded.values[index];
          if (value === null) continue;
          if (kind.type === 'text') expect(String(value).length, name).toBeLessThanOrEqual(kind.max);
          else expect(Number(value) >= kind.min && Number(value) <= kind.max, name).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the notes of a message', () => {
  const lost = { kind: 'lost', run_id: IDENTITY.run_id, first_seq: 1, last_seq: 2, reason: 'spool_full' };

  it('are read where their carrier is not valid, and each alone', () => {
    const notes = [
      { ...lost, first_seq: 3 },
      lost,
      null,
      { ...lost, reason: 'not a reason' },
      { kind: 'from_the_future', run_id: IDENTITY.run_id },
      { kind: 'run_ended', run_id: IDENTITY.run_id, last_seq: 4, clean: false, exact: false },
    ];
    const value = json({ cpu_percent: 'NaN', ...IDENTITY, notes });
    expect(() => decodeMessage(value)).toThrow(HostspoolError);
    expect(decodeNotes(value)).toEqual([
      { ...lost, exact: true },
      { kind: 'run_ended', run_id: IDENTITY.run_id, last_seq: 4, clean: false, exact: false },
    ]);
    expect(decodeParts(value)).toMatchObject({ run_id: IDENTITY.run_id, seq: 7, hostname: 'web-1' });
  });

  it('may carry a reason of a newer agent, but none that only a reader gives', () => {
    const notes = [
      { ...lost, reason: 'moon_phase' },
      { ...lost, reason: 'dead_letter' },
    ];
    expect(decodeNotes(json({ notes }))).toEqual([{ ...lost, reason: 'moon_phase', exact: true }]);
  });

  it('are of the same run whether its id is written in capitals or not, and so is a sample that is refused', () => {
    const capitals = { run_id: IDENTITY.run_id.toUpperCase() };
    const value = json({ cpu_percent: 'NaN', ...IDENTITY, ...capitals, notes: [{ ...lost, ...capitals }] });
    expect(decodeParts(value)).toMatchObject({ run_id: IDENTITY.run_id, seq: 7, notes: [{ run_id: IDENTITY.run_id }] });
  });

  it('are believed up to the greatest sequence number, and so are samples', () => {
    const top = 2 ** 36;
    const ended = { kind: 'run_ended', run_id: IDENTITY.run_id, clean: true, exact: true };
    const notes = [
      { ...lost, last_seq: top },
      { ...lost, last_seq: top + 1 },
      { ...ended, last_seq: top },
      { ...ended, last_seq: top + 1 },
    ];
    expect(decodeNotes(json({ notes }))).toEqual([
      { ...lost, last_seq: top, exact: true },
      { ...ended, last_seq: top },
    ]);
    expect(decodeMessage(json({ ...IDENTITY, seq: top })).seq).toBe(top);
    const above = json({ ...IDENTITY, seq: top + 1 });
    expect(() => decodeMessage(above)).toThrow(/^seq: not a whole number from 1 to 2\^36/);
    expect(decodeParts(above)).toMatchObject({ run_id: null, seq: null });
  });

  it('are none in what is not a message', () => {
    for (const value of [null, '', '7', Buffer.from([255])]) {
      expect(decodeParts(value)).toEqual({ run_id: null, seq: null, hostname: null, notes: [] });
    }
  });
});
