/**
 * Which database the settings mean, and whether they mean any: an agent's host has none, and there `lag` goes by
 * Kafka's offsets.
 */
import type { ResolvedSettings } from '../config/load.ts';
import type { Log } from '../lib/log.ts';
import { openSink } from '../sink/open-sink.ts';
import type { SampleDatabase } from '../sink/sample-database.ts';

export type DatabaseSettings = Pick<ResolvedSettings, 'mode' | 'writer' | 'sqlserver' | 'sqlite'>;

export function isDatabaseConfigured({ mode, writer, sqlserver }: DatabaseSettings): boolean {
  return mode !== 'agent' || writer.sink === 'sqlite' || sqlserver.user !== undefined;
}

/** Opens it as it is: nothing is made, nothing migrated. Throws what the sink says. */
export function openConfiguredDatabase(settings: DatabaseSettings, log: Log): SampleDatabase {
  // Local mode's database is SQLite whatever a writer would load into.
  const writer = settings.mode === 'local' ? { ...settings.writer, sink: 'sqlite' as const } : settings.writer;
  return openSink({ ...settings, writer }, log, { existing: true });
}
