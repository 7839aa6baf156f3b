/** What the T-SQL files say of columns, held against the lists that the code has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOLE_REASONS } from '../../../../src/accounts/reasons.ts';
import { READER_REASONS } from '../../../../src/sample/decode-notes.ts';
import { FIELDS } from '../../../../src/sample/fields.ts';
import { LOSS_REASONS } from '../../../../src/sample/note.ts';
import { MIGRATIONS, ROLES } from '../../../../src/sink/sqlserver/migrations.ts';
import { createTableText, GAPS, HOSTS, RUNS, STAGE } from '../../../../src/sink/sqlserver/staging-tables.ts';
import { STATEMENTS } from '../../../../src/sink/sqlserver/statements.ts';

const sql = MIGRATIONS.map((migration) => migration.sql).join('\n');

interface Column {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
}

function columnsOf(table: string, text = sql): Column[] {
  const [, body = ''] = new RegExp(`CREATE TABLE ${table} \\(\\n([\\s\\S]*?)\\n\\s*\\);`).exec(text) ?? [];
  const lines = body.split('\n').map((line) => line.trim());
  return lines.flatMap((line) => {
    const found = /^\[?(\w+)\]? ((?:BIGINT|INT|BIT|DECIMAL|DATETIME2|NVARCHAR|BINARY)\b(?:\([\w, ]+\))?)/.exec(line);
    if (found === null || /^(CONSTRAINT|CHECK)$/.test(found[1] as string)) return [];
    return [{ name: found[1] as string, type: found[2] as string, required: line.includes('NOT NULL') }];
  });
}

function viewColumns(view: string): string[] {
  const [, body = ''] = new RegExp(`CREATE VIEW dbo\\.${view} AS\\s+SELECT([\\s\\S]*?)\\n {2}FROM `).exec(sql) ?? [];
  return body.split(/,(?![^(]*\))/).map((item) => /(?:AS |\.)\[?(\w+)\]?$/.exec(item.trim())?.[1] ?? item.trim());
}

describe('the schema on SQL Server', () => {
  it('has the plain pipeline’s columns first, then the identity, then every optional field in order', () => {
    const names = columnsOf('dbo.server_metrics').map(({ name }) => name);
    const required = FIELDS.filter((field) => field.required).map(({ name }) => name);
    const optional = FIELDS.filter((field) => !field.required).map(({ name }) => name);
    const identity = ['event_id', 'run_id', 'seq'];
    expect(names).toEqual(['id', 'hostname', 'timestamp', ...required, 'created_at', ...identity, ...optional]);
  });

  it('holds each field in a column of its kind, required where the field is', () => {
    const columns = columnsOf('dbo.server_metrics');
    for (const { name, kind, required } of FIELDS) {
      expect(columns.find((column) => column.name === name)).toEqual({ name, type: kind.sqlServer, required });
    }
  });

  it('gives the plain columns the types that the plain pipeline’s table has', () => {
    const types = Object.fromEntries(columnsOf('dbo.server_metrics').map(({ name, type }) => [name, type]));
    expect(types).toMatchObject({
      id: 'BIGINT',
      hostname: 'NVARCHAR(255)',
      timestamp: 'DATETIME2(3)',
      cpu_percent: 'DECIMAL(5,2)',
      memory_total_mb: 'DECIMAL(15,2)',
      network_bytes_sent: 'BIGINT',
      created_at: 'DATETIME2',
      event_id: 'BINARY(16)',
    });
  });

  it.each([
    [STAGE, 'dbo.server_metrics'],
    [RUNS, 'dbo.runs'],
    [GAPS, 'dbo.seq_gaps'],
    [HOSTS, 'dbo.hosts'],
  ])('stages lines in the very types of the table they go to', (staging, table) => {
    const columns = new Map(columnsOf(table).map((column) => [column.name, column]));
    const staged = columnsOf(staging.name, createTableText(staging));
    expect(staged.map(({ name }) => name)).toEqual(staging.columns.map(({ name }) => name));
    for (const { name, type, required } of staged) {
      if (name === 'n' || name === 'come') continue;
      expect({ name, type: columns.get(name)?.type }).toEqual({ name, type });
      if (required) continue;
      expect(columns.get(name)?.required, name).toBe(false);
    }
  });

  it('shows every column in the views of the latest metrics', () => {
    const columns = columnsOf('dbo.server_metrics').map(({ name }) => name);
    expect(viewColumns('vw_latest_by_host')).toEqual(columns);
    expect(viewColumns('vw_latest_metrics')).toEqual([...columns, 'rn']);
  });

  it('has a column in the accounting for every reason there is', () => {
    const columns = viewColumns('vw_sample_accounting');
    const reasons = [...LOSS_REASONS, ...READER_REASONS];
    expect(columns.filter((name) => name.startsWith('lost_')).sort()).toEqual(
      [...reasons, 'other'].map((reason) => `lost_${reason}`).sort(),
    );
    for (const reason of [...reasons, ...HOLE_REASONS]) expect(sql.split(`N''${reason}''`)).toHaveLength(3);
  });

  it('is documented: every table, every view, every reason', () => {
    const documentation = readFileSync(join(import.meta.dirname, '../../../../docs/schema.md'), 'utf8');
    const objects = [...sql.matchAll(/CREATE (?:TABLE|VIEW) dbo\.(\w+)/g)].map(([, name]) => name as string);
    for (const name of [...objects, ...LOSS_REASONS, ...READER_REASONS]) expect(documentation).toContain(`\`${name}\``);
  });

  it('lets the writer’s role do to each table what the statements do, and nothing more', () => {
    const sent = Object.values(STATEMENTS).join('\n');
    const tables = [...sql.matchAll(/CREATE TABLE dbo\.(\w+)/g)].map(([, table]) => table as string);
    // Claiming a migration is not for this role.
    const done = (table: string): string[] => [
      ...(new RegExp(`(FROM|JOIN) dbo\\.${table}\\b`).test(sent) ? ['SELECT'] : []),
      ...(new RegExp(`INTO dbo\\.${table} `).test(sent) && table !== 'schema_migrations' ? ['INSERT'] : []),
      ...(new RegExp(`UPDATE (dbo\\.${table} SET|(\\w)\\s+SET [^;]*?dbo\\.${table} AS \\2\\b)`).test(sent)
        ? ['UPDATE']
        : []),
      ...(new RegExp(`DELETE (FROM dbo\\.${table}\\b|(\\w)\\s+FROM [^;]*?dbo\\.${table} AS \\2\\b)`).test(sent)
        ? ['DELETE']
        : []),
    ];
    for (const table of new Set(tables)) {
      const [, rights] = new RegExp(`GRANT ([A-Z, ]+) ON dbo\\.${table} TO hostspool_writer`).exec(ROLES) ?? [];
      expect({ table, rights: rights?.split(', ') }).toEqual({ table, rights: done(table) });
    }
  });
});
