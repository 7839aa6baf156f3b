/** The SQL Server sink on the TDS double: the accounts that loads leave, and what a person does with them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogHole } from '../../src/accounts/advance.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import { BEGAN, loadAll, loadOf, message, READER, uuid } from '../unit/sink/a-load.ts';

let fixture: SqlServerFixture;

beforeEach(async () => {
  fixture = await SqlServerFixture.open();
});

afterEach(async () => {
  const { surprises } = fixture.server;
  await fixture[Symbol.asyncDispose]();
  expect(surprises).toEqual([]);
});

const rows = () => fixture.server.committed.rows();
const committed = (inserted: number, duplicates = 0) => ({ kind: 'committed', inserted, duplicates });
const lost = (first_seq: number, last_seq: number, reason = 'spool_full') => {
  return { kind: 'lost', run_id: uuid(1), first_seq, last_seq, reason };
};

describe('the accounts', () => {
  it('come back as they were written', async () => {
    const { sink } = fixture;
    const ended = { kind: 'run_ended', run_id: uuid(1), last_seq: 9, clean: false, exact: false };
    const load = await loadOf(sink, [message(1, 4, { notes: [lost(1, 2), ended] })], null);
    await sink.load(load);
    const [change] = load.accounts;
    expect((await sink.readAccounts([uuid(1), uuid(2)])).get(uuid(1))).toEqual({ ...change?.after, version: 1 });
    expect((await sink.readAccounts([uuid(2)])).size).toBe(0);
    expect((await sink.readAccounts([])).size).toBe(0);
  });

  it('come back alone: what was asked for before is forgotten', async () => {
    const { sink } = fixture;
    await loadAll(sink, [message(1, 1), message(2, 1)], null);
    expect([...(await sink.readAccounts([uuid(1)])).keys()]).toEqual([uuid(1)]);
    expect([...(await sink.readAccounts([uuid(2)])).keys()]).toEqual([uuid(2)]);
  });

  it('are not written over what another writer wrote meanwhile, nor is anything else of that load', async () => {
    const { sink, server } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    const accounts = await sink.readAccounts([uuid(1)]);
    await loadAll(sink, [message(1, 2)], 1);
    const load = await loadOf(sink, [message(1, 3), message(2, 1)], 2, { accounts });
    expect(await sink.load(load)).toEqual({ kind: 'stale', runs: [uuid(1)] });
    expect(rows()).toHaveLength(2);
    expect((await sink.readOffsets(READER)).get(0)?.next).toBe(2);
    expect(await loadAll(sink, [message(1, 3), message(2, 1)], 2)).toEqual(committed(2));
    expect(server.committed.accounting().missing).toBe(0);
  });

  it('are stale as well where two writers met a run for the first time', async () => {
    const { sink } = fixture;
    const mine = await loadOf(sink, [message(1, 1)], null);
    const theirs = await loadOf(sink, [message(1, 2)], null, { partition: 1 });
    expect(await sink.load(mine)).toEqual(committed(1));
    expect(await sink.load(theirs)).toEqual({ kind: 'stale', runs: [uuid(1)] });
  });

  it('show a gap as missing until its reason or its samples come', async () => {
    const { sink, server } = fixture;
    await loadAll(sink, [message(1, 1), message(1, 6)], null);
    expect(server.committed.accounting()).toEqual({ runs: 1, taken: 6, received: 2, lost: 0, missing: 4 });
    expect([...(await sink.readUnexplained()).keys()]).toEqual([uuid(1)]);
    await loadAll(sink, [message(1, 7, { notes: [lost(2, 3), lost(4, 4, 'moon_phase')] })], 2);
    await loadAll(sink, [message(1, 5)], 3);
    expect(server.committed.accounting()).toEqual({ runs: 1, taken: 7, received: 4, lost: 3, missing: 0 });
    expect(server.committed.table('seq_gaps')).toMatchObject([
      { first_seq: 2, last_seq: 3, reason: 'spool_full' },
      { first_seq: 4, last_seq: 4, reason: 'moon_phase' },
    ]);
    expect((await sink.readUnexplained()).size).toBe(0);
  });

  it('add up over the runs of a host, in the host’s own row too', async () => {
    const { sink, server } = fixture;
    const second = { hostname: 'host-1' };
    await loadAll(sink, [message(1, 1), message(1, 4), message(2, 2, second)], null);
    const later = [message(1, 5, { notes: [lost(2, 3)] }), message(2, 3, { ...second, spool_depth: 1 })];
    await loadAll(sink, later, 3);
    const { received, lost: gone, missing } = server.committed.accounting();
    expect(server.committed.hosts()).toMatchObject([
      {
        hostname: 'host-1',
        first_seen: '2025-01-01 00:00:01.000',
        last_seen: '2025-01-01 00:00:05.000',
        samples: 5,
        received,
        lost: gone,
        missing,
        spool_depth: 5,
        agent_version: '1.0.0',
      },
    ]);
  });

  it('keep the holes of the log, each once', async () => {
    const { sink } = fixture;
    const hole: LogHole = {
      partition: 0,
      epoch: 0,
      first_offset: 1,
      next_offset: 5,
      reason: 'expired_in_kafka',
      found_at: BEGAN + 10,
    };
    const anew: LogHole = { ...hole, first_offset: 7, next_offset: null, reason: 'topic_recreated' };
    await sink.load(await loadOf(sink, [message(1, 1)], null, { holes: [hole] }));
    await sink.load(await loadOf(sink, [message(1, 2)], 1, { holes: [hole, anew] }));
    expect(await sink.readHoles(READER)).toEqual([hole, anew]);
    expect(await sink.readHoles({ ...READER, topic: 'other' })).toEqual([]);
  });
});

describe('what a person does', () => {
  it('lists the hosts by name', async () => {
    const { sink } = fixture;
    const heard = { spool_bytes: 4096, spool_oldest_age_seconds: 1.25 };
    await loadAll(sink, [message(2, 1), message(1, 3, heard)], null);
    expect(await sink.listHosts()).toEqual([
      {
        hostname: 'host-1',
        first_seen: BEGAN + 3000,
        last_seen: BEGAN + 3000,
        agent_version: '1.0.0',
        spool_depth: 3,
        spool_bytes: 4096,
        spool_oldest_age_seconds: 1.25,
        samples: 1,
        received: 1,
        lost: 0,
        missing: 2,
        retired_at: null,
      },
      expect.objectContaining({ hostname: 'host-2', missing: 0, spool_bytes: null }),
    ]);
  });

  it('retires a host until it is heard of again; its rows stay', async () => {
    const { sink } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    expect(await sink.retireHost('host-1')).toBe(true);
    expect(await sink.retireHost('host-2')).toBe(false);
    expect((await sink.listHosts())[0]?.retired_at).toBeGreaterThan(BEGAN);
    await loadAll(sink, [message(1, 2)], 1);
    expect((await sink.listHosts())[0]?.retired_at).not.toBeNull();
    await loadAll(sink, [message(1, 3, { timestamp: '2099-01-01T00:00:00.000Z' })], 2);
    expect((await sink.listHosts())[0]).toMatchObject({ retired_at: null, samples: 3 });
  });

  it('resets offsets all together or, where one has changed, not at all', async () => {
    const { sink } = fixture;
    const load = await loadOf(sink, [message(1, 1), message(1, 2)], null);
    const evidence = { timestamp: BEGAN, sha256: Buffer.alloc(32, 1) };
    await sink.load({ ...load, offsets: load.offsets.map((move) => ({ ...move, evidence })) });
    const stored = (await sink.readOffsets(READER)).get(0) ?? null;
    const both = [
      { partition: 0, stored, next: 0 },
      { partition: 1, stored: null, next: 4 },
    ];
    expect(await sink.resetOffsets(READER, both, [])).toEqual([]);
    const moved = await sink.readOffsets(READER);
    expect(moved.get(0)).toEqual({ partition: 0, epoch: 0, next: 0, evidence: null, began_at: BEGAN });
    expect(moved.get(1)).toEqual({ partition: 1, epoch: 0, next: 4, evidence: null, began_at: null });
    expect(await sink.resetOffsets(READER, [{ partition: 0, stored, next: 9 }], [])).toEqual([0]);
    expect(await sink.readOffsets(READER)).toEqual(moved);
    expect(await loadAll(sink, [message(1, 1), message(1, 2)], 0)).toEqual(committed(0, 2));
  });

  it('lets rows go by their arrival, in small pieces, and the accounts stay', async () => {
    const { sink, server } = fixture;
    await loadAll(
      sink,
      Array.from({ length: 4100 }, (_, index) => message(1, index + 1)),
      null,
    );
    expect(await sink.expire(BEGAN)).toBe(0);
    const soon = Date.now() + 60_000;
    expect(await sink.expire(soon)).toBe(4000);
    expect(await sink.expire(soon)).toBe(100);
    expect(await sink.expire(soon)).toBe(0);
    expect(rows()).toEqual([]);
    expect(server.committed.accounting()).toEqual({ runs: 1, taken: 4100, received: 4100, lost: 0, missing: 0 });
  });
});
