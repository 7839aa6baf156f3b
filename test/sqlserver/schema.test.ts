import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { SqlServerInspection } from '../../src/sink/sqlserver/inspection.ts';
import { batchesOf, MIGRATIONS } from '../../src/sink/sqlserver/migrations.ts';
import { Migrator } from '../../src/sink/sqlserver/migrator.ts';
import { LOADING_RIGHTS, RETENTION_RIGHTS } from '../../src/sink/sqlserver/rights.ts';
import { ensureSqlServerSchema } from '../../src/sink/sqlserver/schema-check.ts';
import { SqlServer } from '../../src/sink/sqlserver/server.ts';
import { clock, missing, TestDatabase } from './database.ts';

const ALL = MIGRATIONS.map(({ version, name }) => ({ version, name }));

describe.skipIf(missing !== undefined)(
  `the schema on a server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;

    beforeAll(async () => {
      database = await TestDatabase.create({ migrated: false });
    });

    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });

    async function migrate(): Promise<number[]> {
      const migrator = database.migrator();
      try {
        return (await migrator.migrate()).map(({ version }) => version);
      } finally {
        await migrator.close();
      }
    }

    it('is not there at first, and a writer that may not migrate says so', async () => {
      const check = ensureSqlServerSchema({ settings: database.settings, log: silentLog, clock, migrate: false });
      await expect(check).rejects.toMatchObject({ code: 'SINK_DATABASE_MISSING' });
    });

    it('begins with a database that is made where it is missing', async () => {
      const migrator = new Migrator({ settings: database.settings, log: silentLog, clock, migrations: [] });
      try {
        expect(await migrator.migrate()).toEqual([]);
      } finally {
        await migrator.close();
      }
      const check = ensureSqlServerSchema({ settings: database.settings, log: silentLog, clock, migrate: false });
      await expect(check).rejects.toMatchObject({ code: 'SINK_SCHEMA_MISSING' });
    });

    it('is made by two processes at once, each part by one of them', async () => {
      const [mine, theirs] = await Promise.all([migrate(), migrate()]);
      expect([...mine, ...theirs].sort()).toEqual(ALL.map(({ version }) => version));
      expect(await database.query('ledger')).toEqual(ALL);
      const [objects] = await database.query('objects');
      for (const [name, id] of Object.entries(objects ?? {})) expect(id, name).not.toBeNull();
    });

    it('is not touched by migrating again', async () => {
      expect(await migrate()).toEqual([]);
      const migrator = database.migrator();
      expect(await migrator.state()).toMatchObject({ applied: ALL, missing: [], newer: [] });
      await migrator.close();
      await ensureSqlServerSchema({ settings: database.settings, log: silentLog, clock, migrate: false });
    });

    it('may be made by any client that runs the files, also again', async () => {
      const server = new SqlServer(database.settings, silentLog);
      try {
        for (const { name, sql } of MIGRATIONS) {
          for (const text of batchesOf(sql)) await server.use((session) => session.batch(name, text));
        }
      } finally {
        await server.close();
      }
      expect(await database.query('ledger')).toEqual(ALL);
    });

    it('takes a row of the plain pipeline’s columns with an identity of its own, and says when it came', async () => {
      await database.query('bareRow');
      const [row = {}] = await database.query('rows');
      expect(row).toMatchObject({
        hostname: 'bare',
        cpu_percent: 1.5,
        memory_used_mb: 1,
        network_bytes_recv: '6',
        seq: null,
      });
      expect((row.timestamp as Date).toISOString()).toBe('2026-05-01T12:00:00.123Z');
      const age = Date.now() - (row.created_at as Date).getTime();
      expect(Math.abs(age)).toBeLessThan(10 * 60_000);
    });

    it('answers what `hostspool check` asks', async () => {
      const inspection = new SqlServerInspection(database.settings, silentLog, clock);
      try {
        await inspection.logIn();
        expect(await inspection.database()).toMatchObject({ isReadOnly: false });
        // This login may do everything: it made the database.
        const rights = await inspection.rights();
        expect([...rights].filter(([, has]) => has !== true)).toEqual([]);
        expect(rights.size).toBe(LOADING_RIGHTS.length + RETENTION_RIGHTS.length + 1);
        expect(await inspection.mayMakeDatabases()).toBe(true);
      } finally {
        await inspection.close();
      }
    });

    it('is refused untouched when a newer build made it', async () => {
      await database.query('newerSchema');
      try {
        await expect(migrate()).rejects.toMatchObject({ code: 'SINK_NEWER_SCHEMA' });
        const check = ensureSqlServerSchema({ settings: database.settings, log: silentLog, clock, migrate: true });
        await expect(check).rejects.toMatchObject({ code: 'SINK_NEWER_SCHEMA' });
      } finally {
        await database.query('olderSchema');
      }
    });
  },
);
