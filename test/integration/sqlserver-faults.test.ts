/**
 * The connection lost at every place where it can be, errors of the server, silence: whoever loads repeats as the port
 * says, and each row is there exactly once, with accounts that say so.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogHole } from '../../src/accounts/advance.ts';
import { LOAD_STEPS } from '../../src/sink/sqlserver/load-batch.ts';
import { type Attempts, loadPersistently } from '../support/persistent-loader.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import type { Fault } from '../support/tds/faults.ts';
import { BEGAN, loadOf, message, READER, uuid } from '../unit/sink/a-load.ts';

/** Older than every run, so that it explains nothing. */
const HOLE: LogHole = {
  partition: 0,
  epoch: 0,
  first_offset: 0,
  next_offset: 1,
  reason: 'expired_in_kafka',
  found_at: BEGAN,
};
const NOTE = { kind: 'lost', run_id: uuid(1), first_seq: 2, last_seq: 2, reason: 'spool_full' };
const LOG = [
  message(1, 1),
  message(2, 1),
  message(1, 4),
  ...Array.from({ length: 40 }, (_, index) => message(3, index + 1)),
  message(1, 5, { notes: [NOTE] }),
  message(1, 3),
  message(2, 2),
];
const FIRST = LOG.slice(0, 20);
const TABLES = ['#fence', '#stage', '#runs', '#gaps', '#hosts', '#holes'];
const STEPS = LOAD_STEPS.map(({ name }) => name);

/** For what a busy machine may take its time with. */
const PATIENTLY = { timeout: 30_000, interval: 10 };
/** Short enough to wait for, long enough for a load on a busy machine. */
const IMPATIENT = { request_timeout: 1500, connect_timeout: 1500 };

let fixture: SqlServerFixture;

async function open(finishesWithoutClient = false): Promise<void> {
  fixture = await SqlServerFixture.open({ server: { finishesWithoutClient } });
}

beforeEach(() => open());

afterEach(async () => {
  const { surprises } = fixture.server;
  await fixture[Symbol.asyncDispose]();
  expect(surprises).toEqual([]);
});

/** Everything of LOG, once. */
function expectAll(): void {
  const { committed } = fixture.server;
  expect(committed.rows()).toHaveLength(LOG.length);
  expect(committed.duplicates()).toBe(0);
  expect(committed.accounting()).toEqual({ runs: 3, taken: 47, received: 46, lost: 1, missing: 0 });
  expect(committed.offsets()).toMatchObject([{ partition_id: 0, next_offset: LOG.length }]);
  expect(
    committed
      .hosts()
      .map(({ hostname, samples, received, lost, missing }) => [hostname, samples, received, lost, missing]),
  ).toEqual([
    ['host-1', 4, 4, 1, 0],
    ['host-2', 2, 2, 0, 0],
    ['host-3', 40, 40, 0, 0],
  ]);
}

/** A first load that goes well, then one that meets the fault. */
async function survive(fault: Fault, sink = fixture.sink): Promise<Attempts> {
  const { server } = fixture;
  await loadPersistently(sink, FIRST);
  server.faults.add(fault);
  const attempts = await loadPersistently(sink, LOG, [HOLE]);
  expect(server.faults.struck, 'the fault struck').toBe(1);
  expectAll();
  return attempts;
}

describe('the connection is lost', () => {
  const moments = ['before', 'after', 'answer', 'torn', 'cut-packet'] as const;

  it.each(['empty-tables', 'load', ...STEPS].flatMap((at) => moments.map((when) => [when, at] as const)))(
    '%s %s',
    async (when, at) => {
      const { errors, outcomes } = await survive({ at, do: 'drop', when });
      expect(errors).toMatchObject([{ code: 'SINK_UNAVAILABLE', retryable: true }]);
      const done = when === 'answer' || when === 'torn' || when === 'cut-packet' || (when === 'after' && at === 'end');
      const repeated = at === 'empty-tables' || !done;
      expect(outcomes).toEqual(repeated ? ['committed'] : ['fenced']);
    },
  );

  it.each(
    TABLES.flatMap((table) =>
      moments.flatMap(
        (when) =>
          [
            [when, `insert bulk ${table}`],
            [when, `rows ${table}`],
          ] as const,
      ),
    ),
  )('%s %s', async (when, at) => {
    const { errors, outcomes } = await survive({ at, do: 'drop', when });
    expect(errors).toMatchObject([{ code: 'SINK_UNAVAILABLE', retryable: true }]);
    expect(outcomes).toEqual(['committed']);
  });

  it.each([1, 2, 13, 26])('after %i rows of a bulk load', async (rows) => {
    await survive({ at: 'rows #stage', do: 'drop', when: 'rows', rows });
  });

  it.each(['connect', 'prelogin', 'login', 'settings', 'stage-tables'])(
    'while a new one is made, at %s',
    async (at) => {
      const { server, sink } = fixture;
      await loadPersistently(sink, FIRST);
      server.cut();
      await server.settled();
      if (at === 'connect') {
        server.refuse();
        const load = loadOf(sink, LOG.slice(20), 20);
        await expect(load).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
        await server.accept();
      } else {
        server.faults.add({ at, do: 'drop', when: 'before', times: 2 });
      }
      await loadPersistently(sink, LOG);
      expectAll();
    },
  );

  it.each(['read-offsets', 'read-runs', 'read-gaps'])('while reading, at %s', async (at) => {
    for (const when of moments) {
      fixture.server.faults.add({ at, do: 'drop', when });
    }
    await loadPersistently(fixture.sink, LOG);
    expect(fixture.server.faults.left).toBe(0);
    expectAll();
  });

  it('again and again, at another place each time', async () => {
    const { server, sink } = fixture;
    for (const [index, at] of ['begin', 'insert-rows', 'end', 'rows #stage', 'update-runs', 'end'].entries()) {
      server.faults.add({ at, do: 'drop', when: index % 2 === 0 ? 'after' : 'answer' });
    }
    await loadPersistently(sink, FIRST);
    await loadPersistently(sink, LOG);
    expect(server.faults.left).toBe(0);
    expectAll();
  });
});

describe('the writer dies in the middle of its load', () => {
  it.each([
    [false, 'is rolled back', 'committed'],
    [true, 'is finished without it', 'fenced'],
  ] as const)('and what the server was doing (finishing: %s) %s', async (finishes, _text, outcome) => {
    await fixture[Symbol.asyncDispose]();
    await open(finishes);
    const { server, sink } = fixture;
    await loadPersistently(sink, FIRST);
    const load = await loadOf(sink, LOG.slice(20), 20);
    server.faults.add({ at: 'hosts-add', do: 'wait', ms: 200 });
    const dying = sink.load(load);
    await expect.poll(() => server.count('gaps-come'), PATIENTLY).toBe(2);
    await Promise.all([expect(dying).rejects.toMatchObject({ code: 'SINK_CLOSED' }), sink.close()]);
    await expect.poll(() => server.connections, PATIENTLY).toBe(0);
    await server.settled();
    const next = fixture.another();
    expect((await next.load(load)).kind).toBe(outcome);
    await loadPersistently(next, LOG);
    expectAll();
  });

  it('and a second one that waits for its transaction gets it', async () => {
    const { server } = fixture;
    const [sink, other] = [fixture.another(IMPATIENT), fixture.another({ request_timeout: 60_000 })];
    const [mine, theirs] = [await loadOf(sink, LOG, null), await loadOf(other, LOG, null)];
    server.faults.add({ at: 'hosts-add', do: 'hang' });
    const stuck = sink.load(mine);
    await expect.poll(() => server.count('gaps-come'), PATIENTLY).toBe(1);
    const waiting = other.load(theirs);
    await expect(stuck).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
    expect(await waiting).toMatchObject({ kind: 'committed', inserted: LOG.length });
    expectAll();
  });
});

describe('an error of the server', () => {
  it.each([
    [1205, 'SINK_DEADLOCK', true],
    [1222, 'SINK_LOCKED', true],
    [2627, 'SINK_DUPLICATE', true],
    [2601, 'SINK_DUPLICATE', true],
    [2628, 'SINK_DATA', false],
    [8152, 'SINK_DATA', false],
    [8115, 'SINK_DATA', false],
    [547, 'SINK_DATA', false],
    [515, 'SINK_DATA', false],
    [9002, 'SINK_FULL', true],
    [1105, 'SINK_FULL', true],
    [229, 'SINK_PERMISSION', false],
    [208, 'SINK_SCHEMA_MISSING', false],
    [207, 'SINK_SCHEMA_OLD', false],
    [3906, 'SINK_READ_ONLY', false],
    [40613, 'SINK_UNAVAILABLE', true],
    [40197, 'SINK_UNAVAILABLE', true],
    [40501, 'SINK_UNAVAILABLE', true],
    [49918, 'SINK_UNAVAILABLE', true],
    [10928, 'SINK_UNAVAILABLE', true],
    [70_707, 'SINK_UNKNOWN', false],
  ])('%i in the load is %s, and a repeated load is right', async (number, code, retryable) => {
    const { server, sink } = fixture;
    await loadPersistently(sink, FIRST);
    server.faults.add({ at: 'hosts-heard', do: 'error', number });
    const load = await loadOf(sink, LOG.slice(20), 20);
    await expect(sink.load(load)).rejects.toMatchObject({ code, retryable });
    expect(server.committed.rows()).toHaveLength(20);
    await loadPersistently(sink, LOG);
    expectAll();
  });

  it.each([
    ['numeric field overflow', 'SINK_DATA'],
    ['relation "dbo.server_metrics" does not exist', 'SINK_SCHEMA_MISSING'],
    ['permission denied for table server_metrics', 'SINK_PERMISSION'],
    ['canceling statement due to lock timeout', 'SINK_LOCKED'],
    ['duplicate key value violates unique constraint "uq"', 'SINK_DUPLICATE'],
    ['deadlock detected', 'SINK_DEADLOCK'],
    ['something nobody has seen', 'SINK_UNKNOWN'],
  ])('with Babelfish’s one number is read by its text: %s', async (text, code) => {
    fixture.server.faults.add({ at: 'insert-rows', do: 'error', number: 33557097, message: text });
    await expect(fixture.sink.load(await loadOf(fixture.sink, LOG, null))).rejects.toMatchObject({ code });
    await loadPersistently(fixture.sink, LOG);
    expectAll();
  });

  it('so severe that the server ends the connection is worth waiting for', async () => {
    const { server, sink } = fixture;
    server.faults.add({ at: 'insert-rows', do: 'error', number: 824, severity: 24 });
    const load = await loadOf(sink, LOG, null);
    await expect(sink.load(load)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
    await loadPersistently(sink, LOG);
    expectAll();
  });

  it('in a bulk load is what it says', async () => {
    const { server, sink } = fixture;
    server.faults.add({ at: 'insert bulk #stage', do: 'error', number: 40501 });
    server.faults.add({ at: 'rows #stage', do: 'error', number: 9002 });
    server.faults.add({ at: 'rows #stage', do: 'error', number: 4815 });
    const { errors } = await loadPersistently(sink, LOG);
    expect(errors.map(({ code }) => code)).toEqual(['SINK_UNAVAILABLE', 'SINK_FULL', 'SINK_DATA']);
    expectAll();
  });

  it('never leaves its connection in use', async () => {
    const { server, sink } = fixture;
    await loadPersistently(sink, FIRST);
    const before = server.records.length;
    server.faults.add({ at: 'insert-rows', do: 'error', number: 1205 });
    await loadPersistently(sink, LOG);
    expect(server.records.length).toBeGreaterThan(before);
    await expect.poll(() => server.connections, PATIENTLY).toBeLessThanOrEqual(2);
  });
});

describe('a server that says nothing', () => {
  /** One at least; a machine that is busy enough may add to them. */
  function expectTimeouts({ errors }: Attempts): void {
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['SINK_TIMEOUT']));
    expect(errors.every(({ retryable }) => retryable)).toBe(true);
  }

  it.each(['hang', 'mute'] as const)('to a load (%s) is given up in time, and the load repeated', async (kind) => {
    expectTimeouts(await survive({ at: 'insert-rows', do: kind }, fixture.another(IMPATIENT)));
  });

  it.each(['hang', 'mute'] as const)('to the rows of a bulk load (%s) is given up in time', async (kind) => {
    expectTimeouts(await survive({ at: 'rows #stage', do: kind }, fixture.another(IMPATIENT)));
  });

  it('to a login is given up in time', async () => {
    const { server } = fixture;
    const sink = fixture.another(IMPATIENT);
    server.faults.add({ at: 'login', do: 'mute' });
    await expect(sink.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
    await loadPersistently(sink, LOG);
    expectAll();
  });

  it('at all, since it is frozen, is given up in time; thawed, it is loaded', async () => {
    const { server } = fixture;
    const sink = fixture.another(IMPATIENT);
    await loadPersistently(sink, FIRST);
    server.freeze();
    const load = sink.load(await loadOf(sink, LOG.slice(20), 20, { accounts: new Map() }));
    await expect(load).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
    await expect(sink.readOffsets(READER)).rejects.toMatchObject({ retryable: true });
    server.thaw();
    await loadPersistently(sink, LOG);
    expectAll();
  });

  it('while another session holds the tables, is waited for', async () => {
    const { server, sink } = fixture;
    const release = await server.lock.take();
    const loading = sink.load(await loadOf(sink, LOG, null));
    await expect.poll(() => server.count('load'), PATIENTLY).toBe(1);
    release();
    expect(await loading).toMatchObject({ kind: 'committed', inserted: LOG.length });
    expectAll();
  });
});

describe('closing', () => {
  it('while a load is under way ends it, soon', async () => {
    const { server, sink } = fixture;
    const load = await loadOf(sink, LOG, null);
    server.faults.add({ at: 'insert-rows', do: 'mute' });
    const loading = sink.load(load);
    await expect.poll(() => server.count('drop-known'), PATIENTLY).toBe(1);
    const closing = sink.close();
    await expect(loading).rejects.toMatchObject({ code: 'SINK_CLOSED' });
    await closing;
    await expect.poll(() => server.connections, PATIENTLY).toBe(0);
    await server.settled();
    expect(server.committed.rows()).toEqual([]);
  });

  it('while it connects ends that too', async () => {
    const { server, sink } = fixture;
    server.faults.add({ at: 'login', do: 'mute' });
    const reading = sink.readOffsets(READER);
    await expect.poll(() => server.records.at(-1)?.login, PATIENTLY).toBeDefined();
    const closing = sink.close();
    await expect(reading).rejects.toMatchObject({ code: 'SINK_CLOSED' });
    await closing;
    await expect.poll(() => server.connections, PATIENTLY).toBe(0);
  });

  it('is for good', async () => {
    const { sink } = fixture;
    await loadPersistently(sink, FIRST);
    await sink.close();
    await sink.close();
    await expect(sink.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_CLOSED' });
    await expect.poll(() => fixture.server.connections, PATIENTLY).toBe(0);
  });
});
