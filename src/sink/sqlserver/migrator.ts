/**
 * Brings a database to the schema that this build knows, each numbered file once and in its own transaction.
 *
 *   find the ledger ─▶ read it ─▶ newer than this build? refuse ─▶ for each missing file:
 *
 *     begin ─▶ claim: insert its row into schema_migrations ─▶ its batches ─▶ commit
 *                 └── the key is taken: another process applies it or has, so read again
 *
 * The claim is the lock, and any database has it: a second process that inserts the same key waits for the first one's
 * transaction, then gets a duplicate, or the key where the first one failed. Making the ledger or the database itself at
 * the same moment ends for the second one in an error that says that it is there, and is taken for that.
 */
import type { Clock } from '../../lib/clock.ts';
import { HostspoolError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Migration } from '../migration.ts';
import type { SqlServerSettings } from './connection-settings.ts';
import { toldByServer } from './errors.ts';
import { batchesOf, MIGRATIONS } from './migrations.ts';
import { SqlServer } from './server.ts';
import type { Session } from './session.ts';
import { createDatabaseText, migrationBatchText, STATEMENTS } from './statements.ts';

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  /** ms since the epoch. */
  readonly applied_at: number;
}

export interface SchemaState {
  /** As the database has them. */
  readonly applied: readonly AppliedMigration[];
  /** What this build has and the database not. */
  readonly missing: readonly Migration[];
  /** Above all that this build knows. */
  readonly newer: readonly AppliedMigration[];
}

export interface MigratorOptions {
  readonly settings: SqlServerSettings;
  readonly log: Log;
  readonly clock: Clock;
  readonly migrations?: readonly Migration[];
}

const MASTER = 'master';
/** How long a database that another process is just making may take. */
const DATABASE_TRIES = 20;
const DATABASE_WAIT_MS = 500;

const DUPLICATE = [2627, 2601];
/** There is already an object, a database of that name; or another process is making one. */
const OBJECT_EXISTS = [2714];
const DATABASE_EXISTS = [1801, 1802, 1807];

export class Migrator {
  readonly #options: MigratorOptions;
  readonly #server: SqlServer;
  readonly #migrations: readonly Migration[];

  constructor(options: MigratorOptions) {
    this.#options = options;
    this.#server = new SqlServer(options.settings, options.log);
    this.#migrations = options.migrations ?? MIGRATIONS;
  }

  /** Throws SINK_DATABASE_MISSING where there is no such database. */
  async state(): Promise<SchemaState> {
    const applied = await this.#server.use(readLedger);
    const versions = new Set(applied.map(({ version }) => version));
    const newest = this.#migrations.at(-1)?.version ?? 0;
    return {
      applied,
      missing: this.#migrations.filter(({ version }) => !versions.has(version)),
      newer: applied.filter(({ version }) => version > newest),
    };
  }

  /** Applies what is missing, making the database first where it is; answers what this process applied. */
  async migrate(): Promise<Migration[]> {
    await this.#makeDatabase();
    const before = await this.state();
    refuseNewer(before.newer, this.#migrations);
    const applied: Migration[] = [];
    if (before.missing.length === 0) return applied;
    await tolerating(OBJECT_EXISTS, () => this.#server.use((session) => batch(session, 'create-ledger')));
    for (const migration of before.missing) {
      if (await this.#apply(migration)) applied.push(migration);
    }
    const { missing } = await this.state();
    if (missing.length > 0) throw this.#left(missing);
    return applied;
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  /** False where another process has applied it meanwhile. */
  async #apply(migration: Migration): Promise<boolean> {
    const { version, name, sql } = migration;
    const done = await tolerating(DUPLICATE, () =>
      this.#server.use(async (session) => {
        await batch(session, 'begin-migration');
        await session.query('claim-migration', STATEMENTS['claim-migration'], {
          version: { type: 'INT', value: version },
          name: { type: 'NVARCHAR(100)', value: name },
        });
        for (const text of batchesOf(sql)) await session.batch(`migration ${version}`, migrationBatchText(text));
        await batch(session, 'commit-migration');
      }),
    );
    if (done) {
      this.#options.log.info({ event: 'schema_migrated', version, name, database: this.#server.address.database });
    }
    return done;
  }

  async #makeDatabase(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#server.use(async () => undefined);
      } catch (error) {
        if (!isMissingDatabase(error) || tries > DATABASE_TRIES) throw error;
      }
      if (!(await this.#createDatabase())) await this.#options.clock.sleep(DATABASE_WAIT_MS);
    }
  }

  /** False where it is there, or another process is making it. */
  async #createDatabase(): Promise<boolean> {
    const { settings, log } = this.#options;
    const master = new SqlServer(settings, log, MASTER);
    try {
      const text = createDatabaseText(settings.database);
      const made = await tolerating(DATABASE_EXISTS, () =>
        master.use((session) => session.batch('create-database', text)),
      );
      if (made) log.info({ event: 'database_created', database: settings.database });
      return made;
    } finally {
      await master.close();
    }
  }

  #left(missing: readonly Migration[]): HostspoolError {
    const { server, database } = this.#server.address;
    const names = missing.map(({ version }) => version).join(', ');
    return new HostspoolError('SINK_SCHEMA_OLD', `${server}/${database}: migrations ${names} did not take effect`, {
      hint: 'run `hostspool migrate` again; look whether another tool changes schema_migrations',
    });
  }
}

/** Answers whether the action was done: false where the server says that what it makes is there already. */
async function tolerating(numbers: readonly number[], action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (toldByServer(error).some((each) => numbers.includes(each.number) || /already exists/i.test(each.message))) {
      return false;
    }
    throw error;
  }
}

function isMissingDatabase(error: unknown): boolean {
  return error instanceof HostspoolError && error.code === 'SINK_DATABASE_MISSING';
}

async function readLedger(session: Session): Promise<AppliedMigration[]> {
  const [found] = await batch(session, 'find-ledger');
  if (found?.ledger === null || found === undefined) return [];
  const rows = await batch(session, 'read-ledger');
  return rows.map(({ version, name, applied_at }) => {
    return { version: Number(version), name: String(name), applied_at: (applied_at as Date).getTime() };
  });
}

function batch(
  session: Session,
  name: 'find-ledger' | 'read-ledger' | 'create-ledger' | 'begin-migration' | 'commit-migration',
) {
  return session.batch(name, STATEMENTS[name]);
}

export function refuseNewer(newer: readonly AppliedMigration[], migrations: readonly Migration[] = MIGRATIONS): void {
  const last = newer.at(-1);
  if (last === undefined) return;
  const known = migrations.at(-1)?.version ?? 0;
  throw new HostspoolError(
    'SINK_NEWER_SCHEMA',
    `the database has schema version ${last.version}, this build knows ${known} and older`,
    { hint: 'use the hostspool that made it, or a newer one, or another database' },
  );
}
