/** The databases that a storm can be run against. */
import type { StormDatabase } from '../database.ts';
import { SqliteStormDatabase } from './sqlite.ts';
import { SqlServerStormDatabase } from './sqlserver.ts';
import { TdsStormDatabase } from './tds.ts';

type Open = (directory: string, writers: number) => Promise<StormDatabase>;

/** By the name given at the command line; undefined where there is none of that name. `mssql`: HOSTSPOOL_TEST_MSSQL. */
export function openDatabaseOf(name: string): Open | undefined {
  if (name === 'sqlite') return async (directory) => new SqliteStormDatabase(directory);
  if (name === 'tds') return (directory, writers) => TdsStormDatabase.start(directory, writers);
  if (name === 'mssql') return (_, writers) => SqlServerStormDatabase.start(writers);
  return undefined;
}
