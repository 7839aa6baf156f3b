/** The connection to SQL Server lost at every place where it can be, and a writer that dies: each row is there once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOAD_STEPS } from '../../src/sink/sqlserver/load-batch.ts';
import { expectAll, FIRST, IMPATIENT, LOG, PATIENTLY, REST, survive } from '../support/load-story.ts';
import { loadPersistently } from '../support/persistent-loader.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import { loadOf } from '../unit/sink/a-load.ts';

const TABLES = ['#fence', '#stage', '#runs', '#gaps', '#hosts', '#holes'];
const STEPS = LOAD_STEPS.map(({ name }) => name);

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

describe('the connection is lost', () => {
  const moments = ['before', 'after', 'answer', 'torn', 'cut-packet'] as const;

  it.each(['empty-tables', 'load', ...STEPS].flatMap((at) => moments.map((when) => [when, at] as const)))(
    '%s %s',
    async (when, at) => {
      const { errors, outcomes } = await survive(fixture, { at, do: 'drop', when });
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
    const { errors, outcomes } = await survive(fixture, { at, do: 'drop', when });
    expect(errors).toMatchObject([{ code: 'SINK_UNAVAILABLE', retryable: true }]);
    expect(outcomes).toEqual(['committed']);
  });

  it.each([1, 2, 13, 26])('after %i rows of a bulk load', async (rows) => {
    await survive(fixture, { at: 'rows #stage', do: 'drop', when: 'rows', rows });
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
        const load = loadOf(sink, REST, 20);
        await expect(load).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
        await server.accept();
      } else {
        server.faults.add({ at, do: 'drop', when: 'before', times: 2 });
      }
      await loadPersistently(sink, LOG);
      expectAll(fixture);
    },
  );

  it.each(['read-offsets', 'read-runs', 'read-gaps'])('while reading, at %s', async (at) => {
    for (const when of moments) {
      fixture.server.faults.add({ at, do: 'drop', when });
    }
    await loadPersistently(fixture.sink, LOG);
    expect(fixture.server.faults.left).toBe(0);
    expectAll(fixture);
  });

  it('again and again, at another place each time', async () => {
    const { server, sink } = fixture;
    for (const [index, at] of ['begin', 'insert-rows', 'end', 'rows #stage', 'update-runs', 'end'].entries()) {
      server.faults.add({ at, do: 'drop', when: index % 2 === 0 ? 'after' : 'answer' });
    }
    await loadPersistently(sink, FIRST);
    await loadPersistently(sink, LOG);
    expect(server.faults.left).toBe(0);
    expectAll(fixture);
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
    const load = await loadOf(sink, REST, 20);
    server.faults.add({ at: 'hosts-add', do: 'wait', ms: 200 });
    const dying = sink.load(load);
    await expect.poll(() => server.count('gaps-come'), PATIENTLY).toBe(2);
    await Promise.all([expect(dying).rejects.toMatchObject({ code: 'SINK_CLOSED' }), sink.close()]);
    await expect.poll(() => server.connections, PATIENTLY).toBe(0);
    await server.settled();
    const next = fixture.another();
    expect((await next.load(load)).kind).toBe(outcome);
    await loadPersistently(next, LOG);
    expectAll(fixture);
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
    expectAll(fixture);
  });
});
