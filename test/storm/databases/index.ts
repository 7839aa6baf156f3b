/** The databases that a storm can be run against. */
import { missing, settingsOf } from '../../sqlserver/database.ts';
import type { DatabaseName, StormDatabase } from '../database.ts';
import { SqliteStormDatabase } from './sqlite.ts';
import { SqlServerStormDatabase } from './sqlserver.ts';
import { TdsStormDatabase } from './tds.ts';

type Open = (directory: string, writers: number) => Promise<StormDatabase>;

const OPEN: Readonly<Record<DatabaseName, Open>> = {
  sqlite: async (directory) => new SqliteStormDatabase(directory),
  tds: (directory, writers) => TdsStormDatabase.start(directory, writers),
  mssql: (_, writers) => SqlServerStormDatabase.start(writers),
};

/** Undefined where there is none of that name. */
export function openDatabaseOf(name: string): Open | undefined {
  return OPEN[name as DatabaseName];
}

/** Why that one cannot be had here, as far as can be told without trying; or undefined. */
export function whyNoDatabase(name: DatabaseName): string | undefined {
  if (name !== 'mssql') return undefined;
  if (missing !== undefined) return `--database mssql: ${missing}`;
  try {
    settingsOf(process.env.HOSTSPOOL_TEST_MSSQL as string, 'master');
    return undefined;
  } catch {
    return '--database mssql: HOSTSPOOL_TEST_MSSQL is not of the form mssql://user:password@host:port[?encrypt=true|false|strict]';
  }
}
