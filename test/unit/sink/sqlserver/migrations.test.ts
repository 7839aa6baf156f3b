import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaText } from '../../../../src/cli/migrate.ts';
import { batchesOf, MIGRATIONS, ROLES } from '../../../../src/sink/sqlserver/migrations.ts';

const directory = join(import.meta.dirname, '../../../../sql');

describe('the batches of a file', () => {
  it('are what lies between lines with nothing but GO', () => {
    expect(batchesOf('SELECT 1;\nGO\nSELECT 2;\r\n  go  \r\nSELECT 3;')).toEqual([
      'SELECT 1;',
      'SELECT 2;',
      'SELECT 3;',
    ]);
  });

  it('are not empty, whatever stands at the ends', () => {
    expect(batchesOf('GO\n\nGO\nSELECT 1;\nGO\n')).toEqual(['SELECT 1;']);
    expect(batchesOf('')).toEqual([]);
  });

  it('are not cut where GO is part of a line', () => {
    const text = "SELECT 'GO';\n-- GO\nGOTO x;";
    expect(batchesOf(text)).toEqual([text]);
  });
});

describe('the migrations', () => {
  it('are the files of sql/, in order, without a hole', () => {
    const files = readdirSync(directory).filter((name) => /^\d/.test(name));
    expect(MIGRATIONS.map(({ version, name }) => `${String(version).padStart(4, '0')}-${name}.sql`)).toEqual(files);
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
    for (const { version, name, sql } of MIGRATIONS) {
      expect(sql).toBe(readFileSync(join(directory, `${String(version).padStart(4, '0')}-${name}.sql`), 'utf8'));
    }
  });

  it.each(MIGRATIONS.map((migration) => [migration.name, migration] as const))(
    '%s: every batch is guarded, and the last one records the file once',
    (_, { version, name, sql }) => {
      const batches = batchesOf(sql).map((batch) => batch.replace(/^(--.*\n|\n)+/gm, ''));
      for (const batch of batches) expect(batch).toMatch(/^IF OBJECT_ID\(/);
      expect(batches.at(-1)).toContain(`NOT EXISTS (SELECT 1 FROM dbo.schema_migrations WHERE version = ${version})`);
      expect(batches.at(-1)).toContain(`VALUES (${version}, N'${name}')`);
    },
  );

  it('name no database, and use nothing that the supported servers do not share', () => {
    for (const { sql } of [...MIGRATIONS, { sql: ROLES }]) {
      const code = sql.replace(/--.*$/gm, '');
      expect(code).not.toMatch(/\bUSE\s|\bMERGE\b|IGNORE_DUP_KEY|CREATE OR ALTER|\bWAITFOR\b|SET NOCOUNT/i);
      expect(code).not.toMatch(/monitoring|\[?master\]?\./i);
    }
  });

  it('are printed whole, one after the other', () => {
    const printed = batchesOf(schemaText());
    expect(printed).toHaveLength(MIGRATIONS.flatMap(({ sql }) => batchesOf(sql)).length);
  });
});
