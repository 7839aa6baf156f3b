/** The queries of the fleet dashboard, asked of SQLite; test/sqlserver/dashboards.test.ts asks SQL Server the same. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryText } from '../../../packaging/grafana/fleet.ts';
import { openSqlite, type SqliteDatabase } from '../../../src/lib/sqlite.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import { fromTimeText, toTimeText } from '../../../src/sink/sqlite/times.ts';
import { compared, contextOf, questions, seedFleet } from '../../support/fleet-questions.ts';
import { expandMacros } from '../../support/grafana-macros.ts';
import { askAsTsql } from '../../support/tsql-on-sqlite.ts';

const NOW = Date.UTC(2026, 4, 1, 12, 0, 30);
const directory = mkdtempSync(join(tmpdir(), 'fleet-queries-'));
let database: SqliteDatabase;

beforeAll(async () => {
  const path = join(directory, 'metrics.db');
  const sink = SqliteSink.open({ path });
  await seedFleet(sink, NOW);
  await sink.close();
  database = openSqlite(path);
});

afterAll(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

function ask(query: string, context = contextOf(NOW)): Record<string, unknown>[] {
  const sql = expandMacros(queryText(query), context, (date) => `'${toTimeText(date.getTime())}'`);
  return askAsTsql(database, sql, NOW);
}

function plain(value: unknown, expected: unknown): unknown {
  if (typeof expected !== 'number') return value;
  const number = typeof value === 'string' ? fromTimeText(value) : Number(value);
  return Math.abs(number - expected) < 1e-6 ? expected : number;
}

describe('the queries of the fleet dashboard', () => {
  it('each have a question', () => {
    const files = readdirSync(join(import.meta.dirname, '../../../packaging/grafana/queries'));
    expect(
      questions(NOW)
        .map(({ query }) => `${query}.sql`)
        .toSorted(),
    ).toEqual(files.toSorted());
  });

  it.each(questions(NOW).map((question) => [question.query, question] as const))('%s answers', (query, question) => {
    expect(compared(ask(query), question, plain)).toEqual(question.answer);
  });

  it('tell nothing of hosts that were not chosen, nor of times outside the range', () => {
    expect(ask('cpu', { ...contextOf(NOW), hosts: ['host-9'] })).toEqual([]);
    const before = { from: new Date(NOW - 9_000_000), to: new Date(NOW - 8_000_000) };
    for (const query of ['cpu', 'network', 'samples', 'offset-holes']) {
      expect(ask(query, { ...contextOf(NOW), ...before }), query).toEqual([]);
    }
  });
});
