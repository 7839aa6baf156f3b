/**
 * Brings the database to the schema that this build knows: numbered files, each applied once, all in one transaction
 * under the database's write lock, so that two processes that start together do it once and a kill leaves the old
 * schema or the new. A schema newer than this build's is refused untouched.
 */
import serverMetrics from '../../../sql/sqlite/0001-server-metrics.sql';
import accounts from '../../../sql/sqlite/0002-accounts.sql';
import offsets from '../../../sql/sqlite/0003-offsets.sql';
import views from '../../../sql/sqlite/0004-views.sql';
import { HostspoolError } from '../../lib/errors.ts';
import type { SqliteDatabase } from '../../lib/sqlite.ts';
import type { Migration } from '../migration.ts';

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'server-metrics', sql: serverMetrics },
  { version: 2, name: 'accounts', sql: accounts },
  { version: 3, name: 'offsets', sql: offsets },
  { version: 4, name: 'views', sql: views },
];

const LEDGER = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
  ) STRICT`;

/** Applies what is missing; answers the versions applied. Throws SINK_NEWER_SCHEMA. */
export function migrate(database: SqliteDatabase, migrations: readonly Migration[] = MIGRATIONS): number[] {
  return database
    .transaction((): number[] => {
      database.exec(LEDGER);
      const applied = new Set(database.prepare<[], number>('SELECT version FROM schema_migrations').pluck().all());
      refuseNewer(applied, migrations);
      const missing = migrations.filter(({ version }) => !applied.has(version));
      const record = database.prepare<[number, string]>('INSERT INTO schema_migrations (version, name) VALUES (?, ?)');
      for (const { version, name, sql } of missing) {
        database.exec(sql);
        record.run(version, name);
      }
      return missing.map(({ version }) => version);
    })
    .immediate();
}

/** Throws SINK_SCHEMA_MISSING, SINK_SCHEMA_OLD or SINK_NEWER_SCHEMA where the database is not as this build knows it. */
export function requireSchema(database: SqliteDatabase, migrations: readonly Migration[] = MIGRATIONS): void {
  const ledger = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").get();
  if (ledger === undefined) {
    throw new HostspoolError('SINK_SCHEMA_MISSING', 'the file is no database of hostspool', {
      hint: 'set sqlite.path to the database of a writer or of local mode',
    });
  }
  const applied = new Set(database.prepare<[], number>('SELECT version FROM schema_migrations').pluck().all());
  refuseNewer(applied, migrations);
  if (migrations.every(({ version }) => applied.has(version))) return;
  throw new HostspoolError('SINK_SCHEMA_OLD', 'an older hostspool made the database', {
    hint: 'start the writer or local mode of this version once: it brings the database up to date',
  });
}

function refuseNewer(applied: ReadonlySet<number>, migrations: readonly Migration[]): void {
  const known = migrations.at(-1)?.version ?? 0;
  const found = Math.max(0, ...applied);
  if (found <= known) return;
  throw new HostspoolError(
    'SINK_NEWER_SCHEMA',
    `the database has schema version ${found}, this build knows ${known} and older`,
    { hint: 'use the hostspool that made it, or a newer one, or another database file' },
  );
}
