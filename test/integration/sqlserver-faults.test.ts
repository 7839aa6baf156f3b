/** Errors of SQL Server, its silence, and closing in the middle: what is told, and that a repeated load is right. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectAll, FIRST, IMPATIENT, LOG, PATIENTLY, REST, survive } from '../support/load-story.ts';
import { type Attempts, loadPersistently } from '../support/persistent-loader.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import { loadOf, READER } from '../unit/sink/a-load.ts';

let fixture: SqlServerFixture;

beforeEach(async () => {
  fixture = await SqlServerFixture.open();
});

afterEach(async () => {
  const { surprises } = fixture.server;
  await fixture[Symbol.asyncDispose]();
  expect(surprises).toEqual([]);
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
    const load = await loadOf(sink, REST, 20);
    await expect(sink.load(load)).rejects.toMatchObject({ code, retryable });
    expect(server.committed.rows()).toHaveLength(20);
    await loadPersistently(sink, LOG);
    expectAll(fixture);
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
    expectAll(fixture);
  });

  it('so severe that the server ends the connection is worth waiting for', async () => {
    const { server, sink } = fixture;
    server.faults.add({ at: 'insert-rows', do: 'error', number: 824, severity: 24 });
    const load = await loadOf(sink, LOG, null);
    await expect(sink.load(load)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
    await loadPersistently(sink, LOG);
    expectAll(fixture);
  });

  it('in a bulk load is what it says', async () => {
    const { server, sink } = fixture;
    server.faults.add({ at: 'insert bulk #stage', do: 'error', number: 40501 });
    server.faults.add({ at: 'rows #stage', do: 'error', number: 9002 });
    server.faults.add({ at: 'rows #stage', do: 'error', number: 4815 });
    const { errors } = await loadPersistently(sink, LOG);
    expect(errors.map(({ code }) => code)).toEqual(['SINK_UNAVAILABLE', 'SINK_FULL', 'SINK_DATA']);
    expectAll(fixture);
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
    expectTimeouts(await survive(fixture, { at: 'insert-rows', do: kind }, fixture.another(IMPATIENT)));
  });

  it.each(['hang', 'mute'] as const)('to the rows of a bulk load (%s) is given up in time', async (kind) => {
    expectTimeouts(await survive(fixture, { at: 'rows #stage', do: kind }, fixture.another(IMPATIENT)));
  });

  it('to a login is given up in time', async () => {
    const { server } = fixture;
    const sink = fixture.another(IMPATIENT);
    server.faults.add({ at: 'login', do: 'mute' });
    await expect(sink.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
    await loadPersistently(sink, LOG);
    expectAll(fixture);
  });

  it('at all, since it is frozen, is given up in time; thawed, it is loaded', async () => {
    const { server } = fixture;
    const sink = fixture.another(IMPATIENT);
    await loadPersistently(sink, FIRST);
    server.freeze();
    const load = sink.load(await loadOf(sink, REST, 20, { accounts: new Map() }));
    await expect(load).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
    await expect(sink.readOffsets(READER)).rejects.toMatchObject({ retryable: true });
    server.thaw();
    await loadPersistently(sink, LOG);
    expectAll(fixture);
  });

  it('while another session holds the tables, is waited for', async () => {
    const { server, sink } = fixture;
    const release = await server.lock.take();
    const loading = sink.load(await loadOf(sink, LOG, null));
    await expect.poll(() => server.count('load'), PATIENTLY).toBe(1);
    release();
    expect(await loading).toMatchObject({ kind: 'committed', inserted: LOG.length });
    expectAll(fixture);
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
