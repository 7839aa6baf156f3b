/** SQLite's refusals, as SQL Server would number them. */
import { SqlError } from './sql-error.ts';

const NUMBERS: Readonly<Record<string, number>> = {
  SQLITE_CONSTRAINT_UNIQUE: 2627,
  SQLITE_CONSTRAINT_PRIMARYKEY: 2627,
  SQLITE_CONSTRAINT_CHECK: 547,
  SQLITE_CONSTRAINT_FOREIGNKEY: 547,
  SQLITE_CONSTRAINT_NOTNULL: 515,
  SQLITE_FULL: 9002,
};

export function sqlErrorOf(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return error;
  const { message } = error as Error;
  const number = NUMBERS[code];
  if (number !== undefined) return new SqlError(number, message);
  const missing = /no such table: (?:main\.|temp\.)?(\S+)/.exec(message)?.[1];
  return missing === undefined ? error : new SqlError(208, `Invalid object name '${missing}'.`);
}
