/**
 * What a writer does about the schema before it loads anything: brings it up to date if it may, or says what a person
 * has to run. A newer schema is refused either way.
 */
import type { Clock } from '../../lib/clock.ts';
import { HostspoolError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { SqlServerSettings } from './connection-settings.ts';
import { Migrator, refuseNewer, type SchemaState } from './migrator.ts';

export interface SchemaCheckOptions {
  readonly settings: SqlServerSettings;
  readonly log: Log;
  readonly clock: Clock;
  /** Whether to apply what is missing. */
  readonly migrate: boolean;
}

const HINT =
  'run `hostspool migrate` as a login that may create tables (or give its output, `hostspool migrate --print`, to whoever may), then start the writer again';

/** Throws SINK_SCHEMA_MISSING, SINK_SCHEMA_OLD, SINK_DATABASE_MISSING, SINK_NEWER_SCHEMA, or what the connection says. */
export async function ensureSqlServerSchema({ settings, log, clock, migrate }: SchemaCheckOptions): Promise<void> {
  const migrator = new Migrator({ settings, log, clock });
  try {
    const state = await stateOf(migrator);
    if (state !== undefined) refuseNewer(state.newer);
    if (state?.missing.length === 0) return;
    if (!migrate) throw missing(state, settings, 'writer.migrate is false', undefined);
    try {
      await migrator.migrate();
    } catch (error) {
      if (!(error instanceof HostspoolError) || error.code !== 'SINK_PERMISSION') throw error;
      throw missing(state, settings, 'this login may not change it', error);
    }
  } finally {
    await migrator.close();
  }
}

/** undefined: there is no such database, or none for this login. */
async function stateOf(migrator: Migrator): Promise<SchemaState | undefined> {
  try {
    return await migrator.state();
  } catch (error) {
    if (error instanceof HostspoolError && error.code === 'SINK_DATABASE_MISSING') return undefined;
    throw error;
  }
}

function missing(
  state: SchemaState | undefined,
  { database }: SqlServerSettings,
  why: string,
  cause: unknown,
): HostspoolError {
  const details = { hint: HINT, ...(cause === undefined ? {} : { cause }) };
  if (state === undefined) {
    return new HostspoolError('SINK_DATABASE_MISSING', `there is no database ${database}, and ${why}`, details);
  }
  const versions = state.missing.map(({ version, name }) => `${version} (${name})`).join(', ');
  const code = state.applied.length === 0 ? 'SINK_SCHEMA_MISSING' : 'SINK_SCHEMA_OLD';
  return new HostspoolError(code, `the schema of ${database} lacks ${versions}, and ${why}`, details);
}
