import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCode } from '../../src/lib/errors.ts';
import { FIELDS } from '../../src/sample/fields.ts';
import { uuidToBytes } from '../../src/sample/identity.ts';
import type { SqlRow } from '../../src/sink/sqlserver/session.ts';
import type { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import { loadAll, loadOf, message, READER, uuid } from '../unit/sink/a-load.ts';
import { missing, TestDatabase } from './database.ts';

const NUMBERS: Readonly<Record<string, { least: string; greatest: string }>> = {
  percent: { least: '0.00', greatest: '100.00' },
  size: { least: '0.00', greatest: '9999999999999.99' },
  seconds: { least: '0.00', greatest: '9999999999999.99' },
  load: { least: '0.00', greatest: '9999999.99' },
  counter: { least: '0', greatest: '9223372036854775807' },
  count: { least: '0', greatest: '2147483647' },
  milliseconds: { least: '-9223372036854775808', greatest: '9223372036854775807' },
};

/** A message whose numbers stand in the text as they are, since JSON.stringify has no 2^63 − 1. */
function messageAt(end: 'least' | 'greatest', seq: number, change: Record<string, unknown>): string {
  const marks = FIELDS.map(({ name, kind }) => [name, kind.type === 'text' ? '9'.repeat(kind.max) : `@${kind.name}@`]);
  const text = message(1, seq, { ...Object.fromEntries(marks), ...change });
  return text.replace(/"@(\w+)@"/g, (_, kind: string) => NUMBERS[kind]?.[end] as string);
}

describe.skipIf(missing !== undefined)(
  `rows on a server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;
    let sink: SqlServerSink;
    let next: number | null = null;

    beforeAll(async () => {
      database = await TestDatabase.create();
      sink = database.sink();
    });

    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });

    async function load(messages: readonly string[]) {
      const outcome = await loadAll(sink, messages, next);
      next = (next ?? 0) + messages.length;
      return outcome;
    }
    async function row(seq: number): Promise<SqlRow> {
      const found = (await database.query('rows')).find((each) => Number(each.seq) === seq);
      if (found === undefined) throw new Error(`there is no row with seq ${seq}`);
      return found;
    }

    it.each([
      ['least', 1, '1970-01-01T00:00:00.000Z'],
      ['greatest', 2, '9999-12-31T23:59:59.999Z'],
    ] as const)('keep the %s value of every type', async (end, seq, timestamp) => {
      const hostname = end === 'least' ? 'h' : `${'🦜'.repeat(127)}ß`;
      expect(await load([messageAt(end, seq, { hostname, timestamp })])).toMatchObject({ inserted: 1 });
      const stored = await row(seq);
      expect(stored).toMatchObject({ hostname, event_id: uuidToBytes(uuid(1, seq)), run_id: uuidToBytes(uuid(1)) });
      expect((stored.timestamp as Date).toISOString()).toBe(timestamp);
      for (const { name, kind } of FIELDS) {
        const expected = kind.type === 'text' ? '9'.repeat(kind.max) : NUMBERS[kind.name]?.[end];
        const value = stored[name];
        if (kind.type === 'decimal') expect(value, name).toBe(Number(expected));
        else expect(String(value), name).toBe(expected);
      }
    });

    it('keep a time just before midnight on its day', async () => {
      await load([message(1, 3, { timestamp: '2026-05-01T23:59:59.996Z' })]);
      expect(((await row(3)).timestamp as Date).toISOString()).toBe('2026-05-01T23:59:59.996Z');
    });

    it('keep NULL for everything that may be absent', async () => {
      await load([message(1, 4, { agent_version: undefined, spool_depth: undefined })]);
      const stored = await row(4);
      for (const { name, required } of FIELDS) {
        if (!required) expect(stored[name], name).toBeNull();
      }
    });

    it('tell names apart that a case-insensitive, accent-insensitive or width-insensitive comparison would not', async () => {
      const names = [
        'web',
        'Web',
        'WEB',
        'wéb',
        'ｗｅｂ',
        'we\u0301b',
        'ｳｪﾌﾞ',
        'ウェブ',
        'æ',
        'ae',
        'ß',
        'ss',
        'i',
        'ı',
        'İ',
      ];
      await load(names.map((hostname, index) => message(10 + index, 1, { hostname })));
      const stored = (await database.query('hostnames')).map(({ hostname }) => hostname);
      expect(stored).toEqual(expect.arrayContaining(names));
      const hosts = (await sink.listHosts()).filter(({ hostname }) => names.includes(hostname));
      expect(hosts.map(({ samples }) => samples)).toEqual(names.map(() => 1));
    });

    it('are inserted once, whether they come twice in a load, in a later one, or all again', async () => {
      const before = Number((await database.query('count'))[0]?.n);
      expect(await load([message(2, 1), message(2, 2), message(2, 2), message(2, 1)])).toEqual({
        kind: 'committed',
        inserted: 2,
        duplicates: 0,
      });
      expect(await load([message(2, 2), message(2, 3)])).toMatchObject({ inserted: 1, duplicates: 1 });
      const runs = await database.query('runs');
      const hosts = await database.query('hostSums');
      expect(await load([message(2, 1), message(2, 2)])).toMatchObject({ inserted: 0, duplicates: 2 });
      expect(await database.query('runs')).toEqual(runs);
      expect(await database.query('hostSums')).toEqual(hosts);
      expect((await database.query('count'))[0]).toMatchObject({ n: before + 3, events: before + 3 });
    });

    it('of another producer are outside the accounts, counted for their host', async () => {
      const plain = { event_id: undefined, run_id: undefined, seq: undefined, hostname: 'plain' };
      const messages = [message(3, 1, plain), message(3, 2, plain), message(3, 1, plain)];
      expect(await load(messages)).toMatchObject({ inserted: 2, duplicates: 0 });
      expect(await load(messages)).toMatchObject({ inserted: 0, duplicates: 2 });
      const [host] = (await sink.listHosts()).filter(({ hostname }) => hostname === 'plain');
      expect(host).toMatchObject({ samples: 2, received: 0, lost: 0, missing: 0 });
    });

    it('that the database refuses are refused with all of their load, and found by halves', async () => {
      const messages = Array.from({ length: 64 }, (_, index) => message(4, index + 1));
      const whole = await loadOf(sink, messages, next);
      const guilty = new Set([17, 40]);
      const rows = whole.rows.map((each) => {
        return guilty.has(each.seq ?? 0) ? { ...each, values: each.values.with(0, 250) } : each;
      });
      const before = await database.query('count');
      await expect(sink.load({ ...whole, rows })).rejects.toMatchObject({ code: 'SINK_DATA', retryable: false });
      const found: number[] = [];
      const bisect = async (part: typeof rows): Promise<void> => {
        try {
          await sink.load({ ...whole, rows: part, accounts: [], hosts: [], rehearsal: true });
        } catch (error) {
          if (errorCode(error) !== 'SINK_DATA') throw error;
          if (part.length === 1) found.push(part[0]?.seq ?? 0);
          else for (const half of [part.slice(0, part.length / 2), part.slice(part.length / 2)]) await bisect(half);
        }
      };
      await bisect(rows);
      expect(found).toEqual([...guilty]);
      expect(await database.query('count')).toEqual(before);
      expect((await sink.readOffsets(READER)).get(0)?.next).toBe(next);
      expect(await load(messages.filter((_, index) => !guilty.has(index + 1)))).toMatchObject({ inserted: 62 });
    });

    it('go by arrival, the oldest first, and stay counted', async () => {
      const hosts = await database.query('hostSums');
      expect(await sink.expire(Date.UTC(2020, 0, 1))).toBe(0);
      const count = Number((await database.query('count'))[0]?.n);
      expect(await sink.expire(Date.now() + 86_400_000)).toBe(count);
      expect(await sink.expire(Date.now() + 86_400_000)).toBe(0);
      expect(await database.query('hostSums')).toEqual(hosts);
    });
  },
);
