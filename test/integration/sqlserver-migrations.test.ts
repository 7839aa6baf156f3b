/** The schema of SQL Server: applied once, by one, completely or not at all, and never over a newer one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/lib/clock.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import type { Migration } from '../../src/sink/migration.ts';
import { MIGRATIONS } from '../../src/sink/sqlserver/migrations.ts';
import { Migrator } from '../../src/sink/sqlserver/migrator.ts';
import { ensureSqlServerSchema } from '../../src/sink/sqlserver/schema-check.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import { loadAll, message, READER } from '../unit/sink/a-load.ts';

const clock = new SystemClock();
const ALL = MIGRATIONS.map(({ version }) => version);
let fixture: SqlServerFixture;
const opened: Migrator[] = [];

beforeEach(async () => {
  fixture = await SqlServerFixture.open({ tables: false });
});

afterEach(async () => {
  for (const migrator of opened.splice(0)) await migrator.close();
  const { surprises } = fixture.server;
  await fixture[Symbol.asyncDispose]();
  expect(surprises).toEqual([]);
});

function migrator(change: { database?: string; migrations?: readonly Migration[]; log?: Log } = {}): Migrator {
  const { database = 'monitoring', migrations = MIGRATIONS, log = silentLog } = change;
  const made = new Migrator({ settings: { ...fixture.settings, database }, log, clock, migrations });
  opened.push(made);
  return made;
}

const ensure = (migrate: boolean, database = 'monitoring') =>
  ensureSqlServerSchema({ settings: { ...fixture.settings, database }, log: silentLog, clock, migrate });
const ledger = () => fixture.server.committed.table('schema_migrations').map(({ version }) => version);
const versions = (migrations: readonly Migration[]) => migrations.map(({ version }) => version);

describe('migrate', () => {
  it('applies every file once, and a load works on what it made', async () => {
    expect(versions(await migrator().migrate())).toEqual(ALL);
    expect(ledger()).toEqual(ALL);
    expect(await migrator().migrate()).toEqual([]);
    expect(await loadAll(fixture.sink, [message(1, 1)], null)).toMatchObject({ inserted: 1 });
  });

  it('sends every batch of every file, in its transaction', async () => {
    await migrator().migrate();
    const batches = MIGRATIONS.map(({ sql }) => sql.split(/^GO$/m).filter((text) => text.trim() !== '').length);
    const sent = fixture.server.journal.map(({ step }) => step).join(' ');
    const expected = batches.map(
      (count) => `begin-migration claim-migration ${'migration-batch '.repeat(count)}commit-migration`,
    );
    for (const part of expected) expect(sent).toContain(part);
    expect(fixture.server.count('migration-batch')).toBe(batches.reduce((sum, count) => sum + count, 0));
  });

  it('by two at once applies each file once', async () => {
    const [one, two] = await Promise.all([migrator().migrate(), migrator().migrate()]);
    expect([...versions(one), ...versions(two)].toSorted()).toEqual(ALL);
    expect(ledger()).toEqual(ALL);
  });

  it('by four at once makes a missing database once, and each file', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => migrator({ database: 'Fleet [a]' }).migrate()));
    expect(all.flatMap(versions).toSorted()).toEqual(ALL);
    expect(fixture.server.store.has('Fleet [a]')).toBe(true);
  });

  it('goes on where an older version stopped', async () => {
    expect(versions(await migrator({ migrations: MIGRATIONS.slice(0, 2) }).migrate())).toEqual(ALL.slice(0, 2));
    const state = await migrator().state();
    expect(versions(state.missing)).toEqual(ALL.slice(2));
    expect(state.applied.map(({ version, name }) => [version, name])).toEqual(
      MIGRATIONS.slice(0, 2).map(({ version, name }) => [version, name]),
    );
    expect(versions(await migrator().migrate())).toEqual(ALL.slice(2));
  });

  it.each(
    ['begin-migration', 'claim-migration', 'migration-batch', 'commit-migration'].flatMap((at) =>
      (['before', 'after', 'answer'] as const).map((when) => [when, at] as const),
    ),
  )('that loses its connection %s %s leaves a file applied or not, and the next one ends it', async (when, at) => {
    fixture.server.faults.add({ at, do: 'drop', when, skip: 1 });
    await expect(migrator().migrate()).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
    const claimed = ledger();
    expect(claimed).toEqual(ALL.slice(0, claimed.length));
    const made = fixture.server.committed;
    expect(made.tableNames().includes('runs')).toBe(claimed.includes(2));
    expect(versions(await migrator().migrate())).toEqual(ALL.slice(claimed.length));
    expect(ledger()).toEqual(ALL);
  });

  it('that another one overtakes while it waits finds its files applied', async () => {
    const { server } = fixture;
    server.faults.add({ at: 'claim-migration', do: 'wait', ms: 100 });
    const [one, two] = await Promise.all([migrator().migrate(), migrator().migrate()]);
    expect([...versions(one), ...versions(two)].toSorted()).toEqual(ALL);
    expect(ledger()).toEqual(ALL);
  });

  it('refuses a newer schema, and changes nothing', async () => {
    await migrator({ migrations: [...MIGRATIONS, { version: 99, name: 'future', sql: 'SELECT 1' }] }).migrate();
    const before = fixture.server.journal.length;
    await expect(migrator().migrate()).rejects.toMatchObject({ code: 'SINK_NEWER_SCHEMA', retryable: false });
    const since = fixture.server.journal.slice(before).map(({ step }) => step);
    expect(since).toEqual(['find-ledger', 'read-ledger']);
  });

  it('without the right to make tables is told which', async () => {
    fixture.server.rights = { createTables: false, createDatabases: true };
    await expect(migrator().migrate()).rejects.toMatchObject({ code: 'SINK_PERMISSION', retryable: false });
    expect(ledger()).toEqual([]);
  });

  it('without the right to make the database is told that', async () => {
    fixture.server.rights = { createTables: true, createDatabases: false };
    await expect(migrator({ database: 'fleet' }).migrate()).rejects.toMatchObject({ retryable: false });
    expect(fixture.server.store.has('fleet')).toBe(false);
  });
});

describe('a writer that starts', () => {
  it('migrates where it may, two at once', async () => {
    await Promise.all([ensure(true), ensure(true)]);
    expect(ledger()).toEqual(ALL);
    expect(await fixture.sink.readOffsets(READER)).toEqual(new Map());
  });

  it('makes the database where it is missing', async () => {
    await ensure(true, 'fleet');
    expect(fixture.server.store.has('fleet')).toBe(true);
  });

  it('needs no right where there is nothing to do', async () => {
    await migrator().migrate();
    fixture.server.rights = { createTables: false, createDatabases: false };
    await ensure(true);
    await ensure(false);
  });

  it('without the rights is told what to run', async () => {
    fixture.server.rights = { createTables: false, createDatabases: false };
    const error = await ensure(true).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SINK_SCHEMA_MISSING', retryable: false });
    expect((error as { hint?: string }).hint).toContain('hostspool migrate');
    await expect(ensure(true, 'fleet')).rejects.toMatchObject({ code: 'SINK_DATABASE_MISSING', retryable: false });
  });

  it('that is not to migrate is told what is missing, and changes nothing', async () => {
    await expect(ensure(false)).rejects.toMatchObject({ code: 'SINK_SCHEMA_MISSING', retryable: false });
    await migrator({ migrations: MIGRATIONS.slice(0, 3) }).migrate();
    await expect(ensure(false)).rejects.toMatchObject({ code: 'SINK_SCHEMA_OLD', retryable: false });
    expect(ledger()).toEqual([1, 2, 3]);
  });

  it.each([true, false])('refuses a newer schema (migrate: %s)', async (migrate) => {
    await migrator({ migrations: [...MIGRATIONS, { version: 99, name: 'future', sql: 'SELECT 1' }] }).migrate();
    await expect(ensure(migrate)).rejects.toMatchObject({ code: 'SINK_NEWER_SCHEMA', retryable: false });
  });

  it('and finds the server away is told that it is worth waiting for', async () => {
    fixture.server.refuse();
    await expect(ensure(true)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
  });
});

describe('a load on a database without its tables', () => {
  it('says that they are missing', async () => {
    await expect(fixture.sink.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_SCHEMA_MISSING' });
    await expect(loadAll(fixture.sink, [message(1, 1)], null)).rejects.toMatchObject({ code: 'SINK_SCHEMA_MISSING' });
  });
});
