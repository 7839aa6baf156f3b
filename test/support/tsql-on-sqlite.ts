/**
 * The T-SQL of packaging/grafana/queries asked of SQLite, whose sink has the same tables and views: no proof that SQL
 * Server takes it, which the acceptance suite gives, but that it answers what it should. Knows what those queries use.
 */
import type { SqliteDatabase } from '../../src/lib/sqlite.ts';
import { fromTimeText, toTimeText } from '../../src/sink/sqlite/times.ts';

const UNITS: Readonly<Record<string, number>> = { MILLISECOND: 1, SECOND: 1000, HOUR: 3_600_000 };

/** `now`: what SYSUTCDATETIME() answers, ms since the epoch. */
export function askAsTsql(database: SqliteDatabase, sql: string, now: number): Record<string, unknown>[] {
  const unit = (name: unknown) => UNITS[name as string] as number;
  database.function('DATEADD', (name, number, time) =>
    time === null ? null : toTimeText(fromTimeText(time as string) + (number as number) * unit(name)),
  );
  // Counts the borders between two times, as SQL Server does.
  database.function('DATEDIFF', (name, from, to) => {
    if (from === null || to === null) return null;
    const border = (time: unknown) => Math.floor(fromTimeText(time as string) / unit(name));
    return BigInt(border(to) - border(from));
  });
  database.function('SYSUTCDATETIME', { deterministic: false }, () => toTimeText(now));
  return database.prepare<[], Record<string, unknown>>(translated(sql)).all();
}

function translated(sql: string): string {
  const top = /SELECT TOP \((\d+)\)/.exec(sql);
  const text = sql
    .replace(/SELECT TOP \(\d+\)/, 'SELECT')
    .replaceAll('dbo.', '')
    .replaceAll(/\[(\w+)\]/g, '"$1"')
    .replaceAll(/\bN'/g, "'")
    .replaceAll(/CAST\('(\d{4})(\d\d)(\d\d)' AS DATETIME2\(3\)\)/g, "'$1-$2-$3 00:00:00.000'")
    .replaceAll(/CONVERT\(VARCHAR\(32\), ([\w.]+), 2\)/g, 'hex($1)')
    .replaceAll(/\b(DATEADD|DATEDIFF)\((\w+),/g, "$1('$2',");
  return top === null ? text : text.replace(/;\s*$/, ` LIMIT ${top[1]};`);
}
