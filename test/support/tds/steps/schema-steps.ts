/**
 * Databases and migrations. The batches of a migration's file all carry one step name; the first of them, after the
 * version was claimed, makes what the double needs of that version.
 */
import { createTable, TABLES, type TableName } from '../schema.ts';
import { SqlError } from '../sql-error.ts';
import type { Step } from './steps.ts';

const MADE_BY: Readonly<Record<number, readonly TableName[]>> = {
  1: ['server_metrics'],
  2: ['runs', 'seq_gaps', 'hosts'],
  3: ['consumer_offsets', 'offset_holes'],
};

const quiet = (run: Step['run'], writes = true): Step => ({ writes, run });

export const SCHEMA_STEPS: Readonly<Record<string, Step>> = {
  'create-database': quiet(({ connection, sql }) => {
    const name = /CREATE DATABASE \[((?:[^\]]|\]\])+)\]/.exec(sql)?.[1]?.replaceAll(']]', ']') ?? '';
    if (!connection.server.rights.createDatabases)
      throw new SqlError(262, `CREATE DATABASE permission denied in database '${connection.database}'.`);
    connection.server.store.create(name);
    return undefined;
  }),

  'find-ledger': quiet(({ connection }) => {
    const found = connection.handle
      .prepare("SELECT rowid FROM main.sqlite_master WHERE type = 'table' AND name = 'schema_migrations'")
      .pluck()
      .get();
    const column = { name: 'ledger', type: { name: 'int' }, nullable: true } as const;
    return { set: { columns: [column], rows: [[found === undefined ? null : Number(found)]] } };
  }, false),

  'read-ledger': quiet(({ connection }) => {
    const select = 'SELECT version, name, applied_at FROM main.schema_migrations ORDER BY version';
    return { set: connection.select(TABLES.schema_migrations, select) };
  }, false),

  'create-ledger': quiet(({ connection }) => {
    if (!connection.server.rights.createTables) throw new SqlError(262);
    connection.handle.exec(createTable('schema_migrations'));
    return undefined;
  }),

  'begin-migration': quiet(async ({ connection }, signal) => {
    connection.xactAbort = true;
    await connection.begin(signal);
    return undefined;
  }, false),

  'claim-migration': quiet(({ connection, parameters }) => {
    const version = Number(parameters.get('version'));
    const insert = connection.handle.prepare('INSERT INTO schema_migrations (version, name) VALUES (?, ?)');
    const { changes } = insert.run(version, String(parameters.get('name')));
    connection.claimed = version;
    return { count: changes };
  }),

  'migration-batch': quiet(({ connection }) => {
    if (!connection.server.rights.createTables) throw new SqlError(262);
    for (const table of MADE_BY[connection.claimed ?? 0] ?? []) connection.handle.exec(createTable(table));
    return undefined;
  }),

  'commit-migration': quiet(({ connection }) => {
    if (!connection.handle.inTransaction) throw new SqlError(3902);
    connection.handle.exec('COMMIT');
    connection.claimed = undefined;
    return undefined;
  }, false),
};
