/**
 * Durable appends one by one: the spool, the same bytes by a bare better-sqlite3 into a table of the same shape, and by
 * a bare write and fdatasync. In turns, in one directory of the disk that is measured.
 *
 * The bare ways do what an append is made of and nothing of what it is for: no checksum, no account of the run's tail,
 * no bounds.
 */
import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { uuidToBytes } from '../../src/sample/identity.ts';
import { openBenchSpool, payloads } from './backlog.ts';
import { BenchDirectory } from './bench-directory.ts';
import { type Row, ratios, row, show } from './table.ts';

export interface SpoolBench {
  readonly appends: number;
  readonly rounds: number;
  /** Rows that lie in the spool before the second measurement; 0: only an empty one is measured. */
  readonly rows: number;
}

/** Rows that one statement of the filling inserts. */
const FILL_AT_ONCE = 200_000;

type Level = 'full' | 'normal';

interface Appended {
  readonly perSecond: number;
  readonly cpuUs: number;
}

interface Way {
  /** Appends so many, one by one. */
  append(count: number): Appended;
  fill(rows: number): void;
  close(): void;
}

export function benchSpool({ appends, rounds, rows }: SpoolBench): Row[] {
  using place = new BenchDirectory();
  const directory = place.path;
  const result: Row[] = [];
  for (const level of ['full', 'normal'] as const) {
    const spool = openSpoolWay(join(directory, level), level);
    const bare = openBare(join(directory, `bare-${level}.db`), level);
    const raw = openRaw(join(directory, `raw-${level}`));
    try {
      for (const before of rows > 0 && level === 'normal' ? [0, rows] : [0]) {
        if (before > 0) {
          show(`spool: filling two with ${before} rows each`);
          const startedAt = performance.now();
          for (const way of [spool, bare]) way.fill(before);
          show(`spool: filled in ${Math.round((performance.now() - startedAt) / 1000)} s`);
        }
        show(`appends, ${level}, ${before} rows before`);
        const own: Appended[] = [];
        const theirs: Appended[] = [];
        const bytes: Appended[] = [];
        for (let round = 0; round < rounds; round++) {
          own.push(spool.append(appends));
          theirs.push(bare.append(appends));
          if (level === 'full') bytes.push(raw.append(appends));
        }
        const when = `${level}${before > 0 ? `, ${before} rows before` : ''}`;
        const rates = (list: readonly Appended[]) => list.map(({ perSecond }) => perSecond);
        const cpu = (list: readonly Appended[]) => list.map(({ cpuUs }) => cpuUs);
        const beside = (peer: string, all: readonly Appended[], figure: typeof rates) => ({
          peer,
          ratios: ratios(figure(own), figure(all)),
        });
        const bareRates = { ...beside('bare better-sqlite3', theirs, rates), aim: '0.8' };
        result.push(row('spool', `appends/s, ${when}`, rates(own), bareRates));
        result.push(row('spool', `CPU µs/append, ${when}`, cpu(own), beside('bare better-sqlite3', theirs, cpu)));
        if (level !== 'full') continue;
        result.push(row('spool', `appends/s, ${when}`, rates(own), beside('write and fdatasync', bytes, rates)));
      }
    } finally {
      for (const way of [spool, bare, raw]) way.close();
    }
  }
  return result;
}

function timed(count: number, append: () => void): Appended {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  append();
  const ms = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (count / ms) * 1000, cpuUs: (user + system) / count };
}

function openSpoolWay(directory: string, level: Level): Way {
  const path = join(directory, 'spool.db');
  mkdirSync(directory, { mode: 0o700 });
  let spool = openBenchSpool(path, level);
  return {
    append: (count) => {
      const list = [...payloads(spool, count)];
      return timed(count, () => {
        for (const { identity, payload } of list) {
          if (!spool.append(identity, Date.now(), payload)) throw new Error('an append failed');
        }
      });
    },
    // Through a connection of its own: what is measured is an append beside so many rows, not how they came there.
    fill: (rows) => {
      spool.close(true);
      const database = new Database(path);
      multiply(database, rows);
      database.close();
      spool = openBenchSpool(path, level);
    },
    close: () => spool.close(true),
  };
}

function openBare(path: string, level: Level): Way {
  const database = new Database(path);
  database.pragma('page_size = 4096');
  database.pragma('auto_vacuum = INCREMENTAL');
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${level}`);
  database.exec(
    `CREATE TABLE samples (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id BLOB NOT NULL, seq INTEGER NOT NULL,
       event_id BLOB NOT NULL, taken_at INTEGER NOT NULL, monotonic_at INTEGER NOT NULL, crc INTEGER NOT NULL,
       payload TEXT NOT NULL)`,
  );
  const insert = database.prepare(
    'INSERT INTO samples (run_id, seq, event_id, taken_at, monotonic_at, crc, payload) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const ids = { identify: identities() };
  return {
    append: (count) => {
      const list = [...payloads(ids, count)].map(({ identity, payload }) => ({
        run: uuidToBytes(identity.run_id),
        event: uuidToBytes(identity.event_id),
        seq: identity.seq,
        payload,
      }));
      return timed(count, () => {
        for (const { run, seq, event, payload } of list) insert.run(run, seq, event, Date.now(), 1, 1, payload);
      });
    },
    fill: (rows) => multiply(database, rows),
    close: () => void database.close(),
  };
}

function openRaw(path: string): Way {
  const file = openSync(path, 'w', 0o600);
  const ids = { identify: identities() };
  return {
    append: (count) => {
      const list = [...payloads(ids, count)].map(({ payload }) => Buffer.from(payload));
      return timed(count, () => {
        for (const bytes of list) {
          writeSync(file, bytes);
          fdatasyncSync(file);
        }
      });
    },
    fill: () => undefined,
    close: () => closeSync(file),
  };
}

function identities() {
  let seq = 0;
  const run_id = '0196a5b0-0000-7000-8000-000000000002';
  return () => ({ run_id, event_id: '0196a5b0-0000-7000-8000-000000000001', seq: ++seq });
}

/** Copies of the rows that are there, until there are so many more. */
function multiply(database: Database.Database, rows: number): void {
  const columns = 'run_id, seq, event_id, taken_at, monotonic_at, crc, payload';
  const level = database.pragma('synchronous', { simple: true });
  // Without a log of what is a copy anyway: that would be written twice.
  database.pragma('journal_mode = OFF');
  database.pragma('synchronous = OFF');
  const copy = database.prepare(`INSERT INTO samples (${columns}) SELECT ${columns} FROM samples LIMIT ?`);
  for (let left = rows; left > 0; ) left -= copy.run(Math.min(left, FILL_AT_ONCE)).changes;
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${level}`);
}
