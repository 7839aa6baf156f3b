import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadOf, message, uuid } from '../unit/sink/a-load.ts';
import { missing, TestDatabase } from './database.ts';

const ROWS = 100_000;
const HOSTS = 200;
const LOAD = 10_000;

describe.skipIf(missing !== undefined)(
  `bulk on a server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;

    beforeAll(async () => {
      database = await TestDatabase.create();
    });

    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });

    it(`loads ${ROWS} rows exactly once, and says how fast`, { timeout: 900_000 }, async () => {
      const sink = database.sink();
      let spent = 0;
      for (let first = 0; first < ROWS; first += LOAD) {
        const messages = Array.from({ length: LOAD }, (_, index) => {
          const at = first + index;
          return message(at % HOSTS, Math.floor(at / HOSTS) + 1, { event_id: uuid(at % HOSTS, at) });
        });
        const load = await loadOf(sink, messages, first === 0 ? null : first);
        const started = performance.now();
        expect(await sink.load(load)).toEqual({ kind: 'committed', inserted: LOAD, duplicates: 0 });
        spent += performance.now() - started;
      }
      process.stderr.write(
        `${ROWS} rows in ${(spent / 1000).toFixed(1)} s: ${Math.round((ROWS / spent) * 1000)} rows/s\n`,
      );
      const [count] = await database.query('count');
      expect(count).toEqual({ n: ROWS, events: ROWS });
      const [sums] = await database.query('sums');
      expect(sums).toMatchObject({ taken: String(ROWS), received: String(ROWS), lost: '0', missing: '0' });
    });

    it('takes one load of more rows, runs and hosts than a statement writes at once', {
      timeout: 300_000,
    }, async () => {
      const sink = database.sink();
      const messages = Array.from({ length: 9000 }, (_, index) => {
        return message(index, 1, {
          hostname: `wide-${index}`,
          event_id: uuid(index, 0xffff0000 + index),
          run_id: uuid(index, 7),
        });
      });
      expect(await sink.load(await loadOf(sink, messages, ROWS))).toEqual({
        kind: 'committed',
        inserted: 9000,
        duplicates: 0,
      });
      const hosts = (await sink.listHosts()).filter(({ hostname }) => hostname.startsWith('wide-'));
      expect(hosts).toHaveLength(9000);
      expect(hosts.every(({ samples, received }) => samples === 1 && received === 1)).toBe(true);
      expect((await sink.readAccounts(messages.map((_, index) => uuid(index, 7)))).size).toBe(9000);
    });
  },
);
