import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogHole } from '../../../src/accounts/advance.ts';
import type { HostspoolError } from '../../../src/lib/errors.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { FIELDS } from '../../../src/sample/fields.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import { BEGAN, loadAll, loadOf, message, READER, uuid } from './a-load.ts';

let directory: string;
let path: string;
let sink: SqliteSink;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sink-'));
  path = join(directory, 'metrics.db');
  sink = SqliteSink.open({ path, busyTimeout: 20 });
});

afterEach(async () => {
  await sink.close();
  rmSync(directory, { recursive: true });
});

function query<Row = Record<string, unknown>>(sql: string): Row[] {
  const database = openSqlite(path, { readonly: true });
  try {
    return database.prepare<[], Row>(sql).all();
  } finally {
    database.close();
  }
}
const count = () => query<{ n: number }>('SELECT count(*) AS n FROM server_metrics')[0]?.n;
const accounting = () =>
  query('SELECT hostname, taken, received, lost, missing FROM vw_sample_accounting ORDER BY hostname');
const committed = (inserted: number, duplicates = 0) => ({ kind: 'committed', inserted, duplicates });
const note = (seq: number, notes: unknown[]) => message(1, seq, { notes });
const lost = (first_seq: number, last_seq: number, reason = 'spool_full') => {
  return { kind: 'lost', run_id: uuid(1), first_seq, last_seq, reason };
};

describe('loading rows', () => {
  it('stores every field as it was decoded', async () => {
    const given = Object.fromEntries(
      FIELDS.map(({ name, kind }, index) => [name, kind.type === 'text' ? '1.2.3' : index + 1]),
    );
    const hostname = 'ホスト-ß-🦜';
    await loadAll(sink, [message(1, 7, { ...given, hostname, timestamp: '2026-05-01T23:59:59.996Z' })], null);
    const [row] = query('SELECT * FROM server_metrics');
    expect(row).toMatchObject({ ...given, hostname, timestamp: '2026-05-01 23:59:59.996', seq: 7 });
    expect(row?.event_id).toEqual(Buffer.from(uuid(1, 7).replaceAll('-', ''), 'hex'));
    expect(row?.run_id).toEqual(Buffer.from(uuid(1).replaceAll('-', ''), 'hex'));
    expect(row?.created_at).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
  });

  it('keeps the last digit of the largest counter', async () => {
    await loadAll(
      sink,
      [message(1, 1).replace('"network_bytes_sent":1', '"network_bytes_sent":9223372036854775807')],
      null,
    );
    expect(query('SELECT CAST(network_bytes_sent AS TEXT) AS sent FROM server_metrics')).toEqual([
      { sent: '9223372036854775807' },
    ]);
  });

  it('inserts a row once, whether it comes again in the same load, in a later one, or from offset 0', async () => {
    const messages = [message(1, 1), message(1, 2), message(1, 2), message(1, 1)];
    expect(await loadAll(sink, messages, null)).toEqual(committed(2));
    expect(await loadAll(sink, [message(1, 2), message(1, 3)], 4)).toEqual(committed(1, 1));
    const before = query('SELECT * FROM runs');
    const replay = await loadOf(sink, messages, 6);
    expect(replay.accounts).toEqual([]);
    expect(await sink.load(replay)).toEqual(committed(0, 2));
    expect(query('SELECT * FROM runs')).toEqual(before);
    expect(count()).toBe(3);
  });

  it('keeps another producer’s rows outside the accounts, counted for their host', async () => {
    const plain = { event_id: undefined, run_id: undefined, seq: undefined, agent_version: undefined };
    const messages = [message(1, 1, plain), message(1, 2, plain), message(1, 1, plain)];
    expect(await loadAll(sink, messages, null)).toEqual(committed(2));
    expect(await loadAll(sink, messages, 3)).toEqual(committed(0, 2));
    expect(accounting()).toEqual([]);
    expect(query('SELECT hostname, samples, received FROM hosts')).toEqual([
      { hostname: 'host-1', samples: 2, received: 0 },
    ]);
  });

  it('writes nothing of a load that holds a row which the database refuses', async () => {
    const load = await loadOf(sink, [message(1, 1), message(1, 2)], null);
    const bad = { ...load, rows: load.rows.map((row) => (row.seq === 2 ? { ...row, hostname: '' } : row)) };
    await expect(sink.load(bad)).rejects.toMatchObject({ code: 'SINK_DATA', retryable: false });
    expect(count()).toBe(0);
    expect(await sink.readOffsets(READER)).toEqual(new Map());
    expect(await sink.load(load)).toEqual(committed(2));
  });
});

describe('the fence', () => {
  it('keeps out a reader whose offset is not the database’s, and names the partitions', async () => {
    await loadAll(sink, [message(1, 1), message(1, 2)], null);
    const zombie = await loadOf(sink, [message(1, 2), message(1, 3)], 1);
    expect(await sink.load(zombie)).toEqual({ kind: 'fenced', partitions: [0] });
    const stranger = await loadOf(sink, [message(1, 3)], null);
    expect(await sink.load(stranger)).toEqual({ kind: 'fenced', partitions: [0] });
    expect(count()).toBe(2);
    expect(accounting()).toEqual([{ hostname: 'host-1', taken: 2, received: 2, lost: 0, missing: 0 }]);
  });

  it('moves no partition when one of several does not match', async () => {
    const load = await loadOf(sink, [message(1, 1)], null);
    const two = {
      ...load,
      offsets: [...load.offsets, { ...load.offsets[0], partition: 1, expected: { epoch: 0, offset: 9 } }],
    };
    expect(await sink.load(two as typeof load)).toEqual({ kind: 'fenced', partitions: [1] });
    expect(await sink.readOffsets(READER)).toEqual(new Map());
  });

  it('tells the epochs of a topic made anew apart', async () => {
    await loadAll(sink, [message(1, 1)], null);
    const load = await loadOf(sink, [message(1, 2)], 1);
    const [move] = load.offsets;
    const anew = { ...load, offsets: [{ ...move, epoch: 1, next: 1, expected: { epoch: 0, offset: 1 } }] };
    expect(await sink.load(anew as typeof load)).toEqual(committed(1));
    expect(await sink.load(await loadOf(sink, [message(1, 3)], 1))).toEqual({ kind: 'fenced', partitions: [0] });
    expect((await sink.readOffsets(READER)).get(0)).toMatchObject({ epoch: 1, next: 1 });
  });

  it('is per group and topic, and tells upper case from lower', async () => {
    await loadAll(sink, [message(1, 1)], null);
    expect(await sink.readOffsets({ ...READER, group: 'TEST' })).toEqual(new Map());
    const other = { ...(await loadOf(sink, [message(1, 1)], null)), group: 'TEST' };
    expect(await sink.load(other)).toEqual(committed(0, 1));
  });

  it('gives back what was stored: the evidence, and the first beginning', async () => {
    const load = await loadOf(sink, [message(1, 1)], null);
    const evidence = { timestamp: BEGAN + 5, sha256: Buffer.alloc(32, 7) };
    await sink.load({ ...load, offsets: load.offsets.map((move) => ({ ...move, evidence })) });
    const next = await loadOf(sink, [message(1, 2)], 1);
    await sink.load({ ...next, offsets: next.offsets.map((move) => ({ ...move, evidence, began_at: BEGAN + 99 })) });
    expect((await sink.readOffsets(READER, [0, 1])).get(0)).toEqual({
      partition: 0,
      epoch: 0,
      next: 2,
      evidence,
      began_at: BEGAN,
    });
    expect(await sink.readOffsets(READER, [1])).toEqual(new Map());
  });

  it('lets one of two connections that load the same messages through, and the other finds nothing to do', async () => {
    const other = SqliteSink.open({ path, busyTimeout: 20 });
    try {
      const [mine, theirs] = [await loadOf(sink, [message(1, 1)], null), await loadOf(other, [message(1, 1)], null)];
      const outcomes = await Promise.all([sink.load(mine), other.load(theirs)]);
      expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['committed', 'fenced']);
      expect(count()).toBe(1);
    } finally {
      await other.close();
    }
  });
});

describe('the accounts in the database', () => {
  it('come back as they were written', async () => {
    const load = await loadOf(
      sink,
      [note(4, [lost(1, 2), { kind: 'run_ended', run_id: uuid(1), last_seq: 9, clean: false, exact: false }])],
      null,
    );
    await sink.load(load);
    const [change] = load.accounts;
    expect((await sink.readAccounts([uuid(1), uuid(2)])).get(uuid(1))).toEqual({ ...change?.after, version: 1 });
    expect((await sink.readAccounts([uuid(2)])).size).toBe(0);
  });

  it('are not written over what another reader wrote meanwhile, nor is anything else of that load', async () => {
    await loadAll(sink, [message(1, 1)], null);
    const accounts = await sink.readAccounts([uuid(1)]);
    await loadAll(sink, [message(1, 2)], 1);
    const load = await loadOf(sink, [message(1, 3), message(2, 1)], 2, { accounts });
    expect(await sink.load(load)).toEqual({ kind: 'stale', runs: [uuid(1)] });
    expect(count()).toBe(2);
    expect((await sink.readOffsets(READER)).get(0)?.next).toBe(2);
    expect(await loadAll(sink, [message(1, 3), message(2, 1)], 2)).toEqual(committed(2));
    expect(accounting().map(({ missing }) => missing)).toEqual([0, 0]);
  });

  it('are stale as well where two readers met a run for the first time', async () => {
    const mine = await loadOf(sink, [message(1, 1)], null);
    const theirs = await loadOf(sink, [message(1, 2)], null, { partition: 1 });
    expect(await sink.load(mine)).toEqual(committed(1));
    expect(await sink.load(theirs)).toEqual({ kind: 'stale', runs: [uuid(1)] });
  });

  it('show a gap as missing until its reason or its samples come', async () => {
    await loadAll(sink, [message(1, 1), message(1, 6)], null);
    expect(accounting()).toEqual([{ hostname: 'host-1', taken: 6, received: 2, lost: 0, missing: 4 }]);
    expect([...(await sink.readUnexplained()).keys()]).toEqual([uuid(1)]);
    await loadAll(sink, [note(7, [lost(2, 3, 'spool_full'), lost(4, 4, 'moon_phase')])], 2);
    await loadAll(sink, [message(1, 5)], 3);
    expect(accounting()).toEqual([{ hostname: 'host-1', taken: 7, received: 4, lost: 3, missing: 0 }]);
    expect(query('SELECT lost_spool_full, lost_crash, lost_other FROM vw_sample_accounting')).toEqual([
      { lost_spool_full: 2, lost_crash: 0, lost_other: 1 },
    ]);
    expect((await sink.readUnexplained()).size).toBe(0);
    expect(count()).toBe(4);
  });

  it('count a late sample as received although a note said that it was lost', async () => {
    await loadAll(sink, [note(3, [lost(1, 2)])], null);
    await loadAll(sink, [message(1, 2)], 1);
    expect(accounting()).toEqual([{ hostname: 'host-1', taken: 3, received: 2, lost: 1, missing: 0 }]);
  });

  it('add up over the runs of a host, in the host’s own row too', async () => {
    const second = { hostname: 'host-1' };
    await loadAll(sink, [message(1, 1), message(1, 4), message(2, 2, second)], null);
    await loadAll(sink, [note(5, [lost(2, 3)]), message(2, 3, { ...second, spool_depth: 1 })], 3);
    expect(query('SELECT sum(received) AS received, sum(lost) AS lost, sum(missing) AS missing FROM runs')).toEqual(
      query('SELECT received, lost, missing FROM hosts'),
    );
    expect(query('SELECT * FROM hosts')).toMatchObject([
      {
        hostname: 'host-1',
        first_seen: '2025-01-01 00:00:01.000',
        last_seen: '2025-01-01 00:00:05.000',
        samples: 5,
        received: 5,
        lost: 2,
        missing: 1,
        spool_depth: 5,
        agent_version: '1.0.0',
      },
    ]);
  });

  it('go with their run to its host when only a note of another host had told of it', async () => {
    await loadAll(sink, [message(2, 1, { notes: [lost(1, 2)] })], null);
    await loadAll(sink, [message(1, 3)], 1);
    expect(query('SELECT hostname, received, lost FROM hosts ORDER BY hostname')).toEqual([
      { hostname: 'host-1', received: 1, lost: 2 },
      { hostname: 'host-2', received: 1, lost: 0 },
    ]);
  });

  it('know an uncertain end and the holes of the log', async () => {
    const found_at = Date.UTC(2026, 0, 1);
    const hole: LogHole = {
      partition: 0,
      epoch: 0,
      first_offset: 1,
      next_offset: 5,
      reason: 'expired_in_kafka',
      found_at,
    };
    await loadAll(sink, [message(1, 1)], null);
    const skipping = await loadOf(sink, [], 1, { holes: [hole] });
    await sink.load({ ...skipping, offsets: skipping.offsets.map((move) => ({ ...move, next: 5 })) });
    expect(await sink.readHoles(READER)).toEqual([hole]);
    await sink.load({
      ...(await loadOf(
        sink,
        [note(3, [{ kind: 'run_ended', run_id: uuid(1), last_seq: 3, clean: false, exact: false }])],
        5,
        { holes: [hole] },
      )),
    });
    expect(
      query('SELECT lost, lost_expired_in_kafka, missing, uncertain_tail, log_holes, ended FROM vw_sample_accounting'),
    ).toEqual([{ lost: 1, lost_expired_in_kafka: 1, missing: 0, uncertain_tail: 1, log_holes: 1, ended: 'unclean' }]);
  });
});

describe('the latest metrics', () => {
  it('rank each host’s samples, the newest first, and leave out what lies more than a day ahead', async () => {
    const now = Date.now();
    const at = (ms: number) => ({ timestamp: new Date(now + ms).toISOString() });
    await loadAll(
      sink,
      [
        message(1, 1, at(-2000)),
        message(1, 2, at(-1000)),
        message(1, 3, at(25 * 3_600_000)),
        message(2, 1, at(3_600_000)),
      ],
      null,
    );
    expect(query('SELECT hostname, seq, rn FROM vw_latest_metrics ORDER BY hostname, rn')).toEqual([
      { hostname: 'host-1', seq: 2, rn: 1 },
      { hostname: 'host-1', seq: 1, rn: 2 },
      { hostname: 'host-2', seq: 1, rn: 1 },
    ]);
    expect(query('SELECT hostname, seq FROM vw_latest_by_host ORDER BY hostname')).toEqual([
      { hostname: 'host-1', seq: 2 },
      { hostname: 'host-2', seq: 1 },
    ]);
    expect(count()).toBe(4);
  });

  it('are found through the index, host by host', () => {
    const plan = query<{ detail: string }>('EXPLAIN QUERY PLAN SELECT * FROM vw_latest_by_host');
    expect(plan.map(({ detail }) => detail).join('\n')).toMatch(/SEARCH s USING COVERING INDEX idx_hostname_timestamp/);
  });
});

describe('a rehearsal', () => {
  it('answers what a load would, and leaves nothing', async () => {
    const load = await loadOf(sink, [message(1, 1), message(1, 2)], null);
    expect(await sink.load({ ...load, rehearsal: true })).toEqual(committed(2));
    expect(count()).toBe(0);
    expect(await sink.readOffsets(READER)).toEqual(new Map());
    expect(await sink.load(load)).toEqual(committed(2));
  });
});

describe('what stands in the way of a load', () => {
  it('is told as worth waiting for when another process holds the database', async () => {
    const holder = openSqlite(path);
    holder.exec('BEGIN IMMEDIATE');
    await expect(loadAll(sink, [message(1, 1)], null)).rejects.toMatchObject({ code: 'SINK_LOCKED', retryable: true });
    holder.exec('ROLLBACK');
    holder.close();
    expect(await loadAll(sink, [message(1, 1)], null)).toEqual(committed(1));
  });

  it('is told when the directory can’t be made, as below /proc', () => {
    expect(() => SqliteSink.open({ path: '/proc/hostspool/below/metrics.db' })).toThrow(
      expect.objectContaining({ code: 'SINK_UNAVAILABLE' }),
    );
  });

  it('is told as worth waiting for when the database is held at the very start, and passes', async () => {
    const held = join(directory, 'held.db');
    const holder = openSqlite(held);
    holder.exec('CREATE TABLE other (id INTEGER); BEGIN EXCLUSIVE');
    const late = SqliteSink.at({ path: held, busyTimeout: 20 });
    await expect(late.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_LOCKED', retryable: true });
    holder.exec('ROLLBACK');
    holder.close();
    expect(await late.readOffsets(READER)).toEqual(new Map());
    await late.close();
  });

  it('is told as not worth waiting for when the file is no database, which is left as it is', () => {
    const other = join(directory, 'other.db');
    writeFileSync(other, 'this is a letter, not a database. '.repeat(200));
    const { size } = statSync(other);
    let thrown: HostspoolError | undefined;
    try {
      SqliteSink.open({ path: other });
    } catch (error) {
      thrown = error as HostspoolError;
    }
    expect(thrown).toMatchObject({ code: 'SINK_CORRUPT', retryable: false });
    expect(thrown?.message).toContain(other);
    expect(statSync(other).size).toBe(size);
  });
});
