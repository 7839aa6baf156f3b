/** The database that the settings name, behind the port; which one it is matters nowhere else. */
import type { ResolvedSettings } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { SampleDatabase } from './sample-database.ts';
import { SqliteSink } from './sqlite/sqlite-sink.ts';
import { ensureSqlServerSchema } from './sqlserver/schema-check.ts';
import { SqlServerSink } from './sqlserver/sqlserver-sink.ts';

type SinkSettings = Pick<ResolvedSettings, 'writer' | 'sqlserver' | 'sqlite'>;

/** A command that waits for a load holds nothing up. */
const PATIENT_MS = 10_000;

export interface OpenOptions {
  /** Make nothing and migrate nothing: for those who only look, or change what is there. Default false. */
  readonly existing?: boolean;
}

/**
 * Opens or connects when it is first asked for something: a database that is away or held by somebody then is waited
 * for like one that is later. SQLite is brought to its schema with that, SQL Server never. Only an `existing` SQLite
 * file is opened here.
 */
export function openSink(settings: SinkSettings, log: Log, { existing = false }: OpenOptions = {}): SampleDatabase {
  const { writer, sqlserver, sqlite } = settings;
  if (writer.sink === 'sqlite') {
    if (existing) return SqliteSink.open({ path: sqlite.path, existing, log, busyTimeout: PATIENT_MS });
    return SqliteSink.at({ path: sqlite.path, log });
  }
  return new SqlServerSink({ settings: sqlserver, log });
}

/**
 * For a writer, before it loads: applies what the schema lacks if `writer.migrate` says so and the login may, or throws
 * what a person has to do. Retryable errors are those of the connection.
 */
export async function ensureSchema(settings: SinkSettings, log: Log, clock: Clock): Promise<void> {
  const { writer, sqlserver } = settings;
  if (writer.sink === 'sqlite') return;
  await ensureSqlServerSchema({ settings: sqlserver, log, clock, migrate: writer.migrate });
}
