/** The SQL Server sink with the drivers as they are, on the TDS double: what a load leaves in the tables. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogHole } from '../../src/accounts/advance.ts';
import { FIELDS } from '../../src/sample/fields.ts';
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
const hex = (id: string) => id.replaceAll('-', '');
const committed = (inserted: number, duplicates = 0) => ({ kind: 'committed', inserted, duplicates });

describe('rows', () => {
  it('come through the bulk load with every field as it was decoded', async () => {
    const given = Object.fromEntries(
      FIELDS.map(({ name, kind }, index) => [name, kind.type === 'text' ? '1.2.3' : index + 1]),
    );
    const hostname = 'ホスト-ß-🦜';
    await loadAll(fixture.sink, [message(1, 7, { ...given, hostname, timestamp: '2026-05-01T23:59:59.996Z' })], null);
    const [row] = rows();
    for (const { name, kind } of FIELDS) {
      const value = given[name];
      expect(row?.[name], name).toBe(kind.type === 'decimal' ? `${value}.00` : value);
    }
    expect(row).toMatchObject({
      hostname,
      timestamp: '2026-05-01 23:59:59.996',
      event_id: hex(uuid(1, 7)),
      run_id: hex(uuid(1)),
      seq: 7,
    });
  });

  it('that look like SQL are only text', async () => {
    const hostname = "x');DROP/**/TABLE/**/server_metrics;--";
    const agent_version = '1\'; SHUTDOWN; --"]';
    await loadAll(fixture.sink, [message(1, 1, { hostname, agent_version })], null);
    expect(rows()).toMatchObject([{ hostname, agent_version }]);
    expect((await fixture.sink.listHosts()).map(({ hostname: host }) => host)).toEqual([hostname]);
    expect(await fixture.sink.retireHost(hostname)).toBe(true);
    expect(rows()).toHaveLength(1);
  });

  it('keep their values at the limits of the types', async () => {
    const greatest = Object.fromEntries(
      FIELDS.filter(({ kind }) => kind.type === 'decimal').map(({ name, kind }) => [name, kind.max]),
    );
    const zero = Object.fromEntries(FIELDS.filter(({ required }) => required).map(({ name }) => [name, 0]));
    const hostname = `${'🦜'.repeat(127)}x`;
    const texts = [
      message(1, 1, { ...greatest, hostname, agent_version: 'v'.repeat(64) })
        .replace('"network_bytes_sent":1', '"network_bytes_sent":9223372036854775807')
        .replace('"spool_depth":1', '"spool_depth":9223372036854775807'),
      message(1, 2, { ...zero, timestamp: '9999-12-31T23:59:59.999Z' }),
      message(1, 3, { timestamp: '1970-01-01T00:00:00.000Z', agent_version: undefined, spool_depth: undefined }),
    ];
    expect(await loadAll(fixture.sink, texts, null)).toEqual(committed(3));
    const [first, second, third] = rows();
    expect(hostname).toHaveLength(255);
    expect(first).toMatchObject({
      hostname,
      cpu_percent: '100.00',
      memory_used_mb: '9999999999999.99',
      load_1: '9999999.99',
      network_bytes_sent: '9223372036854775807',
      spool_depth: '9223372036854775807',
      agent_version: 'v'.repeat(64),
    });
    expect(second).toMatchObject({ cpu_percent: '0.00', memory_used_mb: '0.00', timestamp: '9999-12-31 23:59:59.999' });
    expect(third).toMatchObject({ timestamp: '1970-01-01 00:00:00.000', agent_version: null, load_1: null });
  });

  it('are inserted once, whether they come again in the same load, in a later one, or from offset 0', async () => {
    const { sink, server } = fixture;
    const messages = [message(1, 1), message(1, 2), message(1, 2), message(1, 1)];
    expect(await loadAll(sink, messages, null)).toEqual(committed(2));
    expect(await loadAll(sink, [message(1, 2), message(1, 3)], 4)).toEqual(committed(1, 1));
    const before = server.committed.table('runs');
    expect(await loadAll(sink, messages, 6)).toEqual(committed(0, 2));
    expect(server.committed.table('runs')).toEqual(before);
    expect(rows().map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('of another producer stay outside the accounts and are counted for their host', async () => {
    const plain = { event_id: undefined, run_id: undefined, seq: undefined, agent_version: undefined };
    const messages = [message(1, 1, plain), message(1, 2, plain), message(1, 1, plain)];
    expect(await loadAll(fixture.sink, messages, null)).toEqual(committed(2));
    expect(await loadAll(fixture.sink, messages, 3)).toEqual(committed(0, 2));
    expect(fixture.server.committed.table('runs')).toEqual([]);
    expect(fixture.server.committed.hosts()).toMatchObject([{ hostname: 'host-1', samples: 2, received: 0 }]);
  });

  it('of more than one slice are inserted in the order of run and number', async () => {
    const messages = Array.from({ length: 9001 }, (_, index) => message(1 + (index % 3), 1 + Math.floor(index / 3)));
    expect(await loadAll(fixture.sink, messages.toReversed(), null)).toEqual(committed(9001));
    const order = rows().map(({ run_id, seq }) => `${run_id} ${String(seq).padStart(5, '0')}`);
    expect(order).toHaveLength(9001);
    expect(order).toEqual(order.toSorted());
  });

  it('go one way, all or none, when the database refuses one', async () => {
    const { sink, server } = fixture;
    server.faults.add({ at: 'insert-rows', do: 'refuse-rows', number: 8115, column: 'seq', value: 2 });
    const load = await loadOf(sink, [message(1, 1), message(1, 2)], null);
    await expect(sink.load(load)).rejects.toMatchObject({ code: 'SINK_DATA', retryable: false });
    expect(rows()).toEqual([]);
    expect(server.committed.offsets()).toEqual([]);
    expect(await sink.load(load)).toEqual(committed(2));
  });

  it('that break a constraint of the table are a data error', async () => {
    const load = await loadOf(fixture.sink, [message(1, 1)], null);
    const bad = { ...load, rows: load.rows.map((row) => ({ ...row, hostname: '' })) };
    await expect(fixture.sink.load(bad)).rejects.toMatchObject({ code: 'SINK_DATA', retryable: false });
  });
});

describe('the fence', () => {
  it('keeps out a reader whose offset is not the database’s, and names the partitions', async () => {
    const { sink, server } = fixture;
    await loadAll(sink, [message(1, 1), message(1, 2)], null);
    const zombie = await loadOf(sink, [message(1, 2), message(1, 3)], 1);
    expect(await sink.load(zombie)).toEqual({ kind: 'fenced', partitions: [0] });
    const stranger = await loadOf(sink, [message(1, 3)], null);
    expect(await sink.load(stranger)).toEqual({ kind: 'fenced', partitions: [0] });
    expect(rows()).toHaveLength(2);
    expect(server.committed.accounting()).toEqual({ runs: 1, taken: 2, received: 2, lost: 0, missing: 0 });
  });

  it('moves no partition when one of several does not match', async () => {
    const { sink } = fixture;
    const load = await loadOf(sink, [message(1, 1)], null);
    const two = {
      ...load,
      offsets: [...load.offsets, { ...load.offsets[0], partition: 1, expected: { epoch: 0, offset: 9 } }],
    };
    expect(await sink.load(two as typeof load)).toEqual({ kind: 'fenced', partitions: [1] });
    expect(await sink.readOffsets(READER)).toEqual(new Map());
  });

  it('tells the epochs of a topic made anew apart', async () => {
    const { sink } = fixture;
    await loadAll(sink, [message(1, 1)], null);
    const load = await loadOf(sink, [message(1, 2)], 1);
    const [move] = load.offsets;
    const anew = { ...load, offsets: [{ ...move, epoch: 1, next: 1, expected: { epoch: 0, offset: 1 } }] };
    expect(await sink.load(anew as typeof load)).toEqual(committed(1));
    expect(await sink.load(await loadOf(sink, [message(1, 3)], 1))).toEqual({ kind: 'fenced', partitions: [0] });
    expect((await sink.readOffsets(READER)).get(0)).toMatchObject({ epoch: 1, next: 1 });
  });

  it('gives back what was stored: the evidence, and the first beginning', async () => {
    const { sink } = fixture;
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
    expect(await sink.readOffsets({ ...READER, group: 'TEST' })).toEqual(new Map());
  });

  it('lets one of two writers through that load the same messages at once', async () => {
    const { sink, server } = fixture;
    const other = fixture.another();
    const [mine, theirs] = [await loadOf(sink, [message(1, 1)], null), await loadOf(other, [message(1, 1)], null)];
    const outcomes = await Promise.all([sink.load(mine), other.load(theirs)]);
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['committed', 'fenced']);
    expect(server.committed.duplicates()).toBe(0);
    expect(rows()).toHaveLength(1);
  });
});

describe('a rehearsal', () => {
  it('answers what a load would, and leaves nothing', async () => {
    const { sink, server } = fixture;
    const hole = {
      partition: 0,
      epoch: 0,
      first_offset: 0,
      next_offset: 1,
      reason: 'expired_in_kafka',
      found_at: BEGAN,
    };
    const load = await loadOf(sink, [message(1, 1), message(1, 2)], null, { holes: [hole as LogHole] });
    expect(await sink.load({ ...load, rehearsal: true })).toEqual(committed(2));
    for (const table of ['server_metrics', 'runs', 'hosts', 'consumer_offsets', 'offset_holes'] as const)
      expect(server.committed.table(table), table).toEqual([]);
    expect(await sink.load(load)).toEqual(committed(2));
  });

  it('refuses what a load would refuse', async () => {
    const { sink, server } = fixture;
    const load = await loadOf(sink, [message(1, 1), message(1, 2)], null);
    server.faults.add({ at: 'insert-rows', do: 'refuse-rows', number: 8115, column: 'seq', value: 2, times: 2 });
    await expect(sink.load({ ...load, rehearsal: true })).rejects.toMatchObject({ code: 'SINK_DATA' });
    const first = { ...load, rows: load.rows.slice(0, 1), rehearsal: true };
    expect(await sink.load(first)).toEqual(committed(1));
    await expect(sink.load({ ...load, rows: load.rows.slice(1), rehearsal: true })).rejects.toMatchObject({
      code: 'SINK_DATA',
    });
  });
});
