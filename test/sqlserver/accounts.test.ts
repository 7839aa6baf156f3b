import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LogHole } from '../../src/accounts/advance.ts';
import { uuidToBytes } from '../../src/sample/identity.ts';
import type { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import { BEGAN, loadOf, message, READER, uuid } from '../unit/sink/a-load.ts';
import { missing, TestDatabase } from './database.ts';

const committed = (inserted: number, duplicates = 0) => ({ kind: 'committed', inserted, duplicates });

describe.skipIf(missing !== undefined)(
  `accounts on a server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;
    let sink: SqlServerSink;
    let topic = 0;
    let run = 0;

    beforeAll(async () => {
      database = await TestDatabase.create();
      sink = database.sink();
    });

    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });

    // Each test has a topic and runs of its own in the one database.
    beforeEach(() => {
      topic++;
      run += 10;
    });

    const reader = () => ({ group: READER.group, topic: `topic-${topic}` });
    const lost = (first_seq: number, last_seq: number, reason = 'spool_full') => {
      return { kind: 'lost', run_id: uuid(run), first_seq, last_seq, reason };
    };
    async function load(messages: readonly string[], expected: number | null, change = {}) {
      return sink.load({ ...(await loadOf(sink, messages, expected, change)), ...reader() });
    }
    async function accounting(of = run) {
      const rows = await database.query('accounting');
      const found = rows.find(({ run_id }) => uuidToBytes(uuid(of)).equals(run_id as Buffer));
      return Object.fromEntries(Object.entries(found ?? {}).map(([name, value]) => [name, plain(value)]));
    }
    const plain = (value: unknown) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value);

    it('come back as they were written', async () => {
      const end = { kind: 'run_ended', run_id: uuid(run), last_seq: 9, clean: false, exact: false };
      const given = await loadOf(sink, [message(run, 4, { notes: [lost(1, 2), end] })], null);
      await sink.load({ ...given, ...reader() });
      const accounts = await sink.readAccounts([uuid(run), uuid(run + 1)]);
      expect([...accounts]).toEqual([[uuid(run), { ...given.accounts[0]?.after, version: 1 }]]);
      expect(await accounting()).toMatchObject({ taken: 9, received: 1, lost: 2, missing: 6, ended: 'unclean' });
      expect(await accounting()).toMatchObject({ lost_spool_full: 2, uncertain_tail: true });
    });

    it('show a gap as missing until its reason or its samples come', async () => {
      await load([message(run, 1), message(run, 6)], null);
      expect(await accounting()).toMatchObject({ taken: 6, received: 2, lost: 0, missing: 4 });
      expect([...(await sink.readUnexplained()).keys()]).toContain(uuid(run));
      await load([message(run, 7, { notes: [lost(2, 3), lost(4, 4, 'moon_phase')] })], 2);
      await load([message(run, 5)], 3);
      expect(await accounting()).toMatchObject({ taken: 7, received: 4, lost: 3, missing: 0, lost_spool_full: 2 });
      expect(await accounting()).toMatchObject({ lost_other: 1, lost_crash: 0 });
      expect([...(await sink.readUnexplained()).keys()]).not.toContain(uuid(run));
      const account = (await sink.readAccounts([uuid(run)])).get(uuid(run));
      expect(account).toMatchObject({ version: 3, last_seq: 7 });
      expect(account?.gaps.map(({ first_seq, last_seq }) => [first_seq, last_seq])).toEqual([
        [2, 3],
        [4, 4],
      ]);
    });

    it('are not written over what another wrote meanwhile, nor is anything else of that load', async () => {
      await load([message(run, 1)], null);
      const accounts = await sink.readAccounts([uuid(run)]);
      await load([message(run, 2)], 1);
      const before = await database.query('count');
      expect(await load([message(run, 3), message(run + 1, 1)], 2, { accounts })).toEqual({
        kind: 'stale',
        runs: [uuid(run)],
      });
      expect(await database.query('count')).toEqual(before);
      expect((await sink.readOffsets(reader())).get(0)?.next).toBe(2);
      expect(await load([message(run, 3), message(run + 1, 1)], 2)).toEqual(committed(2));
    });

    it('are stale as well where two met a run for the first time', async () => {
      const mine = await loadOf(sink, [message(run, 1)], null);
      const theirs = await loadOf(sink, [message(run, 2)], null, { partition: 1 });
      expect(await sink.load({ ...mine, ...reader() })).toEqual(committed(1));
      expect(await sink.load({ ...theirs, ...reader() })).toEqual({ kind: 'stale', runs: [uuid(run)] });
    });

    it('keep out a reader whose offset is not the database’s, and all of its load', async () => {
      await load([message(run, 1), message(run, 2)], null);
      const before = await database.query('count');
      expect(await load([message(run, 3)], 1)).toEqual({ kind: 'fenced', partitions: [0] });
      expect(await load([message(run, 3)], null)).toEqual({ kind: 'fenced', partitions: [0] });
      const next = await loadOf(sink, [message(run, 3)], 2);
      const [move] = next.offsets;
      const offsets = [...next.offsets, { ...move, partition: 7, expected: { epoch: 0, offset: 9 } }];
      expect(await sink.load({ ...next, ...reader(), offsets } as typeof next)).toEqual({
        kind: 'fenced',
        partitions: [7],
      });
      expect(await database.query('count')).toEqual(before);
      expect(await load([message(run, 3)], 2)).toEqual(committed(1));
    });

    it('have an epoch, evidence and the first beginning beside the offset', async () => {
      const evidence = { timestamp: BEGAN + 5, sha256: Buffer.alloc(32, 7) };
      const first = await loadOf(sink, [message(run, 1)], null);
      await sink.load({ ...first, ...reader(), offsets: first.offsets.map((move) => ({ ...move, evidence })) });
      const next = await loadOf(sink, [message(run, 2)], 1);
      const anew = next.offsets.map((move) => ({ ...move, epoch: 1, next: 1, began_at: BEGAN + 99, evidence }));
      expect(await sink.load({ ...next, ...reader(), offsets: anew })).toEqual(committed(1));
      expect([...(await sink.readOffsets(reader(), [0, 1])).values()]).toEqual([
        { partition: 0, epoch: 1, next: 1, evidence, began_at: BEGAN },
      ]);
      expect(await load([message(run, 3)], 1)).toEqual({ kind: 'fenced', partitions: [0] });
    });

    it('tell groups and topics apart by every letter', async () => {
      await load([message(run, 1)], null);
      const { group, topic: name } = reader();
      for (const other of [
        { group: group.toUpperCase(), topic: name },
        { group, topic: name.toUpperCase() },
        { group: 'gr\u00fcppe\u4e16', topic: name },
        { group: 'gr\u00fcppe\u754c', topic: name },
      ]) {
        expect((await sink.readOffsets(other)).size).toBe(0);
        const again = await loadOf(sink, [message(run, 1)], null);
        expect(await sink.load({ ...again, ...other })).toEqual(committed(0, 1));
      }
    });

    it('are rehearsed without a trace', async () => {
      const given = { ...(await loadOf(sink, [message(run, 1), message(run, 3)], null)), ...reader() };
      const before = await database.query('count');
      expect(await sink.load({ ...given, rehearsal: true })).toEqual(committed(2));
      expect(await database.query('count')).toEqual(before);
      expect((await sink.readOffsets(reader())).size).toBe(0);
      expect((await sink.readAccounts([uuid(run)])).size).toBe(0);
      expect(await sink.load(given)).toEqual(committed(2));
    });

    it('explain a gap by a hole in the log, and count the holes', async () => {
      const hole: LogHole = {
        partition: 0,
        epoch: 0,
        first_offset: 1,
        next_offset: 5,
        reason: 'expired_in_kafka',
        found_at: Date.UTC(2026, 0, 1),
      };
      await load([message(run, 1)], null);
      const skipping = await loadOf(sink, [], 1, { holes: [hole] });
      const offsets = skipping.offsets.map((move) => ({ ...move, next: 5 }));
      expect(await sink.load({ ...skipping, ...reader(), offsets })).toEqual(committed(0));
      expect(await sink.readHoles(reader())).toEqual([hole]);
      await load([message(run, 4)], 5, { holes: [hole] });
      expect(await sink.readHoles(reader())).toEqual([hole]);
      expect(await accounting()).toMatchObject({ lost: 2, missing: 0, lost_expired_in_kafka: 2 });
      expect((await accounting()).log_holes).toBeGreaterThanOrEqual(1);
    });

    it('keep a person’s skip on record until it is gone back over', async () => {
      const skip = (first_offset: number, next_offset: number): LogHole => {
        return { partition: 0, epoch: 0, first_offset, next_offset, reason: 'skipped_by_operator', found_at: BEGAN };
      };
      await load([message(run, 1)], null);
      const stored = async () => (await sink.readOffsets(reader())).get(0) ?? null;
      const reset = async (next: number, holes: LogHole[] = []) =>
        sink.resetOffsets(reader(), [{ partition: 0, stored: await stored(), next }], holes);
      expect(await reset(10, [skip(1, 10)])).toEqual([]);
      expect(await reset(20, [skip(10, 20)])).toEqual([]);
      expect(await stored()).toMatchObject({ next: 20, evidence: null, began_at: BEGAN });
      expect(await sink.readHoles(reader())).toEqual([skip(1, 10), skip(10, 20)]);
      expect(await reset(5)).toEqual([]);
      expect(await sink.readHoles(reader())).toEqual([skip(1, 5)]);
      const wrong = { partition: 0, epoch: 0, next: 99, evidence: null, began_at: null };
      expect(await sink.resetOffsets(reader(), [{ partition: 0, stored: wrong, next: 0 }], [])).toEqual([0]);
      expect(await sink.resetOffsets(reader(), [{ partition: 3, stored: null, next: 7 }], [])).toEqual([]);
      expect((await sink.readOffsets(reader())).get(3)).toMatchObject({ epoch: 0, next: 7 });
    });

    it('add up over the runs of a host, and follow a run to its host', async () => {
      const host = { hostname: `host-${run}` };
      await load([message(run, 1), message(run, 4), message(run + 1, 2, host)], null);
      await load([message(run, 5, { notes: [lost(2, 3)] }), message(run + 1, 3, { ...host, spool_depth: 1 })], 3);
      const [found] = (await sink.listHosts()).filter(({ hostname }) => hostname === host.hostname);
      expect(found).toEqual({
        hostname: host.hostname,
        first_seen: BEGAN + 1000,
        last_seen: BEGAN + 5000,
        agent_version: '1.0.0',
        spool_depth: 5,
        spool_bytes: null,
        spool_oldest_age_seconds: null,
        samples: 5,
        received: 5,
        lost: 2,
        missing: 1,
        retired_at: null,
      });
      const note = { kind: 'lost', run_id: uuid(run + 2), first_seq: 1, last_seq: 2, reason: 'crash' };
      await load([message(run + 3, 1, { notes: [note] })], 5);
      await load([message(run + 2, 3)], 6);
      const hosts = new Map((await sink.listHosts()).map((each) => [each.hostname, each]));
      expect(hosts.get(`host-${run + 2}`)).toMatchObject({ received: 1, lost: 2, samples: 1 });
      expect(hosts.get(`host-${run + 3}`)).toMatchObject({ received: 1, lost: 0, samples: 1 });
    });

    it('keep a retired host’s rows, and take it back when it is heard of again', async () => {
      const host = `host-${run}`;
      const retired = async () => (await sink.listHosts()).find(({ hostname }) => hostname === host)?.retired_at;
      await load([message(run, 1)], null);
      expect(await sink.retireHost(`${host}-never`)).toBe(false);
      expect(await sink.retireHost(host)).toBe(true);
      expect(Math.abs(Date.now() - ((await retired()) ?? 0))).toBeLessThan(10 * 60_000);
      await load([message(run, 2)], 1);
      expect(await retired()).not.toBeNull();
      await load([message(run, 3, { timestamp: new Date(Date.now() + 3_600_000).toISOString() })], 2);
      expect(await retired()).toBeNull();
    });

    it('have the latest metrics of each host beside them, without those of a clock that is a day ahead', async () => {
      const now = Date.now();
      const at = (ms: number) => ({ timestamp: new Date(now + ms).toISOString() });
      await load(
        [
          message(run, 1, at(-2000)),
          message(run, 2, at(-1000)),
          message(run, 3, at(25 * 3_600_000)),
          message(run + 1, 1, at(3_600_000)),
        ],
        null,
      );
      const mine = (rows: Record<string, unknown>[]) =>
        rows
          .filter(({ hostname }) => hostname === `host-${run}` || hostname === `host-${run + 1}`)
          .map(({ hostname, seq, rn }) => [hostname, Number(seq), ...(rn === undefined ? [] : [Number(rn)])]);
      expect(mine(await database.query('ranked'))).toEqual([
        [`host-${run}`, 2, 1],
        [`host-${run}`, 1, 2],
        [`host-${run + 1}`, 1, 1],
      ]);
      expect(mine(await database.query('latest'))).toEqual([
        [`host-${run}`, 2],
        [`host-${run + 1}`, 1],
      ]);
    });

    it('keep the sums of the runs and those of the hosts the same, through all of this', async () => {
      const [runs] = await database.query('sums');
      const [hosts] = await database.query('hostSums');
      for (const name of ['received', 'lost', 'missing']) expect(Number(hosts?.[name])).toBe(Number(runs?.[name]));
      const [count] = await database.query('count');
      expect(Number(hosts?.samples)).toBe(Number(count?.n));
      expect(Number(count?.events)).toBe(Number(count?.n));
    });
  },
);
