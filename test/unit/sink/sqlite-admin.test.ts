import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogHole } from '../../../src/accounts/advance.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { MIGRATIONS, migrate } from '../../../src/sink/sqlite/migrations.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import { BEGAN, loadAll, message, READER } from './a-load.ts';

let directory: string;
let path: string;
let sink: SqliteSink;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sink-'));
  path = join(directory, 'metrics.db');
  sink = SqliteSink.open({ path });
});

afterEach(async () => {
  await sink.close();
  rmSync(directory, { recursive: true });
});

const retired = async () => (await sink.listHosts())[0]?.retired_at;
const count = () => {
  const database = openSqlite(path, { readonly: true });
  try {
    return database.prepare<[], number>('SELECT count(*) FROM server_metrics').pluck().get();
  } finally {
    database.close();
  }
};

describe('the fleet', () => {
  it('is listed by name, as the database knows it', async () => {
    await loadAll(sink, [message(2, 1), message(1, 1), message(1, 4)], null);
    expect(await sink.listHosts()).toEqual([
      {
        hostname: 'host-1',
        first_seen: BEGAN + 1000,
        last_seen: BEGAN + 4000,
        agent_version: '1.0.0',
        spool_depth: 4,
        spool_bytes: null,
        spool_oldest_age_seconds: null,
        samples: 2,
        received: 2,
        lost: 0,
        missing: 2,
        retired_at: null,
      },
      expect.objectContaining({ hostname: 'host-2', samples: 1 }),
    ]);
  });

  it('keeps a retired host’s rows, and takes it back when it is heard of later', async () => {
    await loadAll(sink, [message(1, 1)], null);
    expect(await sink.retireHost('host-2')).toBe(false);
    expect(await sink.retireHost('host-1')).toBe(true);
    expect(await retired()).toBeGreaterThan(BEGAN);
    await loadAll(sink, [message(1, 2)], 1);
    expect(await retired()).toBeGreaterThan(BEGAN);
    await loadAll(sink, [message(1, 3, { timestamp: new Date(Date.now() + 3_600_000).toISOString() })], 2);
    expect(await retired()).toBeNull();
    expect(count()).toBe(3);
  });
});

describe('a reset of offsets', () => {
  const skip = (first_offset: number, next_offset: number): LogHole => {
    return { partition: 0, epoch: 0, first_offset, next_offset, reason: 'skipped_by_operator', found_at: BEGAN };
  };
  const stored = async () => (await sink.readOffsets(READER)).get(0) ?? null;
  const reset = async (next: number, holes: LogHole[] = []) =>
    sink.resetOffsets(READER, [{ partition: 0, stored: await stored(), next }], holes);

  it('sets where the reader goes on and keeps the rest', async () => {
    await loadAll(sink, [message(1, 1)], null);
    expect(await reset(0)).toEqual([]);
    expect(await stored()).toEqual({ partition: 0, epoch: 0, next: 0, evidence: null, began_at: BEGAN });
    expect(await sink.resetOffsets(READER, [{ partition: 5, stored: null, next: 7 }], [])).toEqual([]);
    expect((await sink.readOffsets(READER)).get(5)).toMatchObject({ epoch: 0, next: 7, began_at: null });
  });

  it('changes nothing where one of the offsets is not as it was read', async () => {
    await loadAll(sink, [message(1, 1)], null);
    const old = await stored();
    await loadAll(sink, [message(1, 2)], 1);
    const resets = [
      { partition: 0, stored: old, next: 0 },
      { partition: 1, stored: null, next: 3 },
    ];
    expect(await sink.resetOffsets(READER, resets, [skip(1, 2)])).toEqual([0]);
    expect([...(await sink.readOffsets(READER)).keys()]).toEqual([0]);
    expect(await sink.readHoles(READER)).toEqual([]);
  });

  it('records what it passes over, and takes off the record what it goes back over', async () => {
    await loadAll(sink, [message(1, 1)], null);
    await reset(10, [skip(1, 10)]);
    await reset(20, [skip(10, 20)]);
    expect(await sink.readHoles(READER)).toEqual([skip(1, 10), skip(10, 20)]);
    await reset(5);
    expect(await sink.readHoles(READER)).toEqual([skip(1, 5)]);
  });

  it('leaves the holes that nobody chose', async () => {
    await loadAll(sink, [message(1, 1)], null);
    const expired: LogHole = { ...skip(1, 10), reason: 'expired_in_kafka' };
    await reset(10, [expired]);
    await reset(0);
    expect(await sink.readHoles(READER)).toEqual([expired]);
  });
});

describe('old rows', () => {
  it('go by their arrival, some at a time, and stay counted', async () => {
    const messages = Array.from({ length: 1500 }, (_, index) => message(1, index + 1));
    await loadAll(sink, messages, null);
    expect(await sink.expire(Date.now() - 60_000)).toBe(0);
    const later = Date.now() + 60_000;
    expect([await sink.expire(later), await sink.expire(later), await sink.expire(later)]).toEqual([1000, 500, 0]);
    expect((await sink.listHosts())[0]).toMatchObject({ samples: 1500, received: 1500, missing: 0 });
  });
});

describe('opening only what exists', () => {
  it('makes nothing', () => {
    const none = join(directory, 'none', 'metrics.db');
    expect(() => SqliteSink.open({ path: none, existing: true })).toThrow(
      expect.objectContaining({ code: 'DATABASE_MISSING' }),
    );
    expect(() => SqliteSink.open({ path: none, existing: true })).toThrow(/none/);
  });

  it('takes what is up to date, and migrates nothing', async () => {
    await SqliteSink.open({ path, existing: true }).close();
    const old = join(directory, 'old.db');
    const database = openSqlite(old);
    migrate(database, MIGRATIONS.slice(0, 2));
    database.close();
    expect(() => SqliteSink.open({ path: old, existing: true })).toThrow(
      expect.objectContaining({ code: 'SINK_SCHEMA_OLD' }),
    );
    const other = openSqlite(join(directory, 'other.db'));
    other.exec('CREATE TABLE x (a)');
    other.close();
    expect(() => SqliteSink.open({ path: join(directory, 'other.db'), existing: true })).toThrow(
      expect.objectContaining({ code: 'SINK_SCHEMA_MISSING' }),
    );
  });
});
