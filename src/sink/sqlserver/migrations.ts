/** The numbered files of sql/, and how a file falls into batches. */
import serverMetrics from '../../../sql/0001-server-metrics.sql';
import accounts from '../../../sql/0002-accounts.sql';
import offsets from '../../../sql/0003-offsets.sql';
import views from '../../../sql/0004-views.sql';
import roles from '../../../sql/roles.sql';
import type { Migration } from '../migration.ts';

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'server-metrics', sql: serverMetrics },
  { version: 2, name: 'accounts', sql: accounts },
  { version: 3, name: 'offsets', sql: offsets },
  { version: 4, name: 'views', sql: views },
];

/** Makes the roles with the least rights; for a person to run, no migration. */
export const ROLES: string = roles;

/** Lines that hold nothing but GO, as clients of SQL Server have them, separate batches. */
export function batchesOf(sql: string): string[] {
  const batches = sql.split(/^[ \t]*GO[ \t]*\r?$/im).map((batch) => batch.trim());
  return batches.filter((batch) => batch !== '');
}
