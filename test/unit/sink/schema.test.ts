import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOLE_REASONS } from '../../../src/accounts/reasons.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { READER_REASONS } from '../../../src/sample/decode-notes.ts';
import { FIELDS } from '../../../src/sample/fields.ts';
import { LOSS_REASONS } from '../../../src/sample/note.ts';
import { MIGRATIONS, migrate } from '../../../src/sink/sqlite/migrations.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';

interface Column {
  name: string;
  type: string;
  notnull: number;
}

function migrated() {
  const database = openSqlite(':memory:');
  migrate(database);
  return database;
}

describe('the schema of the embedded database', () => {
  it('has the plain pipeline’s columns first, then the identity, then every optional field in order', () => {
    const columns = migrated()
      .prepare<[], Column>("SELECT name FROM pragma_table_info('server_metrics')")
      .pluck()
      .all();
    const required = FIELDS.filter((field) => field.required).map(({ name }) => name);
    const optional = FIELDS.filter((field) => !field.required).map(({ name }) => name);
    const identity = ['event_id', 'run_id', 'seq'];
    expect(columns).toEqual(['id', 'hostname', 'timestamp', ...required, 'created_at', ...identity, ...optional]);
  });

  it('holds each field in a column of its kind, required where the field is', () => {
    const table = migrated()
      .prepare<[], Column>('SELECT name, type, "notnull" FROM pragma_table_info(\'server_metrics\')')
      .all();
    for (const { name, kind, required } of FIELDS) {
      expect(table.find((column) => column.name === name)).toEqual({
        name,
        type: kind.sqlite,
        notnull: required ? 1 : 0,
      });
    }
  });

  it('has a column in the accounting for every reason there is', () => {
    const columns = migrated()
      .prepare<[], string>("SELECT name FROM pragma_table_info('vw_sample_accounting')")
      .pluck()
      .all();
    const reasons = [...LOSS_REASONS, ...READER_REASONS];
    expect(columns.filter((name) => name.startsWith('lost_')).sort()).toEqual(
      [...reasons, 'other'].map((reason) => `lost_${reason}`).sort(),
    );
    expect(reasons).toEqual(expect.arrayContaining([...HOLE_REASONS]));
  });

  it('is made once, and adding to it later applies only what is new', () => {
    const database = openSqlite(':memory:');
    expect(migrate(database, MIGRATIONS.slice(0, 2))).toEqual([1, 2]);
    expect(migrate(database)).toEqual([3, 4]);
    expect(migrate(database)).toEqual([]);
    expect(database.prepare('SELECT version, name FROM schema_migrations').all()).toEqual(
      MIGRATIONS.map(({ version, name }) => ({ version, name })),
    );
  });

  it('stays as it was when a migration fails half way', () => {
    const database = openSqlite(':memory:');
    migrate(database, MIGRATIONS.slice(0, 2));
    const broken = { version: 3, name: 'broken', sql: 'CREATE TABLE half (a); CREATE TABLE half (a);' };
    expect(() => migrate(database, [...MIGRATIONS.slice(0, 2), broken])).toThrow(/half already exists/);
    expect(database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'half'").pluck().get()).toBe(0);
    expect(migrate(database)).toEqual([3, 4]);
  });

  it('is refused untouched when a newer build made it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sink-'));
    try {
      const path = join(directory, 'metrics.db');
      const database = openSqlite(path);
      migrate(database, [...MIGRATIONS, { version: 99, name: 'future', sql: 'CREATE TABLE future (a)' }]);
      database.close();
      expect(() => SqliteSink.open({ path })).toThrow(expect.objectContaining({ code: 'SINK_NEWER_SCHEMA' }));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
