/** What can be known of a SQL Server before a writer uses it: each question on a connection of its own, nothing changed. */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { SqlServerSettings } from './connection-settings.ts';
import { type EncryptionFacts, encryptionFacts } from './encryption-facts.ts';
import { Migrator, type SchemaState } from './migrator.ts';
import { SqlServer } from './server.ts';
import type { SqlRow } from './session.ts';
import { type BatchName, STATEMENTS } from './statements.ts';

export interface DatabaseFacts {
  readonly isReadOnly: boolean;
  readonly readCommittedSnapshot: boolean | null;
  /** How far its clock is ahead of this host's, ms; as exact as half the round trip. */
  readonly clockAhead: number;
  readonly roundTrip: number;
}

const MASTER = 'master';

export class SqlServerInspection {
  readonly #settings: SqlServerSettings;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #server: SqlServer;

  constructor(settings: SqlServerSettings, log: Log, clock: Clock) {
    this.#settings = settings;
    this.#log = log;
    this.#clock = clock;
    this.#server = new SqlServer(settings, log);
  }

  /** Logs in, into the database. Rejects with SINK_TLS, SINK_LOGIN, SINK_DATABASE_MISSING and the like. */
  logIn(): Promise<EncryptionFacts> {
    return this.#server.use(async ({ connection }) => encryptionFacts(connection));
  }

  /** Whether the server says that this connection is encrypted; it may refuse to tell. */
  async serversWord(): Promise<boolean | undefined> {
    const row = await this.#row('check-encryption');
    return row === undefined ? undefined : String(row.encrypt_option).toUpperCase() === 'TRUE';
  }

  async database(): Promise<DatabaseFacts> {
    return this.#server.use(async (session) => {
      // What the server works out the first time it answers belongs to no clock.
      await session.batch('check-database', STATEMENTS['check-database']);
      const began = this.#clock.now();
      const [row] = await session.batch('check-database', STATEMENTS['check-database']);
      const ended = this.#clock.now();
      const { updateability, snapshot, utc_now } = row ?? {};
      return {
        isReadOnly: String(updateability).toUpperCase() === 'READ_ONLY',
        readCommittedSnapshot: snapshot === null || snapshot === undefined ? null : Boolean(snapshot),
        clockAhead: (utc_now as Date).getTime() - (began + ended) / 2,
        roundTrip: ended - began,
      };
    });
  }

  async schema(): Promise<SchemaState> {
    const migrator = new Migrator({ settings: this.#settings, log: this.#log, clock: this.#clock });
    try {
      return await migrator.state();
    } finally {
      await migrator.close();
    }
  }

  /** By the names of rights.ts; null where there is no such table. */
  async rights(): Promise<ReadonlyMap<string, boolean | null>> {
    const row = (await this.#row('check-rights')) ?? {};
    return new Map(Object.entries(row).map(([name, value]) => [name, value === null ? null : value === 1]));
  }

  async mayMakeDatabases(): Promise<boolean> {
    const master = new SqlServer(this.#settings, this.#log, MASTER);
    try {
      return (await rowOf(master, 'check-server-rights'))?.['CREATE ANY DATABASE'] === 1;
    } finally {
      await master.close();
    }
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  #row(step: BatchName): Promise<SqlRow | undefined> {
    return rowOf(this.#server, step);
  }
}

async function rowOf(server: SqlServer, step: BatchName): Promise<SqlRow | undefined> {
  const [row] = await server.use((session) => session.batch(step, STATEMENTS[step]));
  return row;
}
