import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { openSqlite, type SqliteDatabase } from '../../../src/lib/sqlite.ts';
import { MIGRATIONS, migrate, prepareEmpty, SCHEMA_VERSION, schemaVersion } from '../../../src/spool/schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'spool-schema-'));
let database: SqliteDatabase;
beforeAll(() => {
  database = openSqlite(join(directory, 'a.db'));
});
afterAll(() => {
  database.close();
  rmSync(directory, { recursive: true, force: true });
});

const STEPS = [
  'CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT)',
  "ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = x || '!'",
  'CREATE TABLE b (id INTEGER PRIMARY KEY); INSERT INTO b SELECT id FROM a',
];

describe('migrating a spool', () => {
  it('brings a file forward step by step, with what is in it', () => {
    expect(migrate(database, STEPS.slice(0, 1))).toBe(0);
    database.exec("INSERT INTO a (x) VALUES ('one'), ('two')");
    expect(migrate(database, STEPS)).toBe(1);
    expect(schemaVersion(database)).toBe(3);
    expect(database.prepare('SELECT a.id, x, y, b.id AS b FROM a JOIN b USING (id)').all()).toEqual([
      { id: 1, x: 'one', y: 'one!', b: 1 },
      { id: 2, x: 'two', y: 'two!', b: 2 },
    ]);
    expect(migrate(database, STEPS)).toBe(3);
  });

  it('leaves a whole version behind when a step fails half-way', () => {
    const broken = [...STEPS, 'CREATE TABLE c (id INTEGER); INSERT INTO nowhere VALUES (1)'];
    expect(() => migrate(database, broken)).toThrow('nowhere');
    expect(schemaVersion(database)).toBe(3);
    expect(database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'c'").all()).toEqual([]);
    expect(migrate(database, [...STEPS, 'CREATE TABLE c (id INTEGER)'])).toBe(3);
  });

  it('refuses a file of a newer version', () => {
    expect(() => migrate(database, STEPS)).toThrow(HostspoolError);
    expect(schemaVersion(database)).toBe(4);
  });

  it('makes this version’s tables in an empty file, whose pages can be given back', () => {
    const fresh = openSqlite(join(directory, 'b.db'));
    prepareEmpty(fresh);
    migrate(fresh);
    expect([schemaVersion(fresh), MIGRATIONS.length]).toEqual([SCHEMA_VERSION, SCHEMA_VERSION]);
    expect(fresh.pragma('page_size', { simple: true })).toBe(4096);
    expect(fresh.pragma('auto_vacuum', { simple: true })).toBe(2);
    fresh.close();
  });
});
