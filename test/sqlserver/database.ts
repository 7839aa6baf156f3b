/**
 * A database of its own for each file of the acceptance suite, on the server that HOSTSPOOL_TEST_MSSQL names:
 *
 *   mssql://user:password@host:port[?encrypt=true|false|strict][&trustServerCertificate=true]
 *
 * Without `encrypt` the suite encrypts where the server can, whatever its certificate, and goes without where it cannot:
 * it is about the database, and its login is a test's. One database is there at a time, since some servers have no room
 * for two.
 */
import { randomBytes } from 'node:crypto';
import { SystemClock } from '../../src/lib/clock.ts';
import { HostspoolError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { SqlServerSettings } from '../../src/sink/sqlserver/connection-settings.ts';
import { Migrator } from '../../src/sink/sqlserver/migrator.ts';
import { SqlServer } from '../../src/sink/sqlserver/server.ts';
import type { SqlRow } from '../../src/sink/sqlserver/session.ts';
import { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import { ACCEPTANCE_STATEMENTS, type AcceptanceStatement } from './statements.ts';

const url = process.env.HOSTSPOOL_TEST_MSSQL;

/** Why the suite does not run here, or undefined. */
export const missing =
  url === undefined || url === ''
    ? 'HOSTSPOOL_TEST_MSSQL is not set; mssql://user:password@host:port of a server to test against'
    : undefined;

export const clock = new SystemClock();

/** The settings that a URL makes, for a database of that name. Throws a RangeError for what is no such URL. */
export function settingsOf(text: string, database: string): SqlServerSettings {
  const { protocol, hostname, port, username, password, searchParams } = new URL(text);
  const encrypt = searchParams.get('encrypt') ?? 'true';
  if (protocol !== 'mssql:' || !/^(true|false|strict)$/.test(encrypt)) {
    throw new RangeError('not of the form mssql://user:password@host:port?encrypt=true|false|strict');
  }
  const trust = searchParams.get('trustServerCertificate') ?? String(!searchParams.has('encrypt'));
  return {
    host: hostname,
    port: port === '' ? 1433 : Number(port),
    database,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    encrypt: encrypt as SqlServerSettings['encrypt'],
    trust_server_certificate: trust === 'true',
    application_name: 'hostspool acceptance',
    multi_subnet_failover: false,
    connect_timeout: 30_000,
    request_timeout: 120_000,
  };
}

export class TestDatabase implements AsyncDisposable {
  readonly settings: SqlServerSettings;
  readonly #server: SqlServer;
  readonly #sinks: SqlServerSink[] = [];

  private constructor(settings: SqlServerSettings) {
    this.settings = settings;
    this.#server = new SqlServer(settings, silentLog);
  }

  /** `migrated`: false leaves the database, too, to be made. */
  static async create({ migrated = true } = {}): Promise<TestDatabase> {
    const database = new TestDatabase(await reachable(`hostspool_test_${randomBytes(6).toString('hex')}`));
    if (!migrated) return database;
    const migrator = database.migrator();
    try {
      await migrator.migrate();
    } finally {
      await migrator.close();
    }
    return database;
  }

  migrator(): Migrator {
    return new Migrator({ settings: this.settings, log: silentLog, clock });
  }

  sink(change: Partial<SqlServerSettings> = {}): SqlServerSink {
    const sink = new SqlServerSink({ settings: { ...this.settings, ...change }, log: silentLog });
    this.#sinks.push(sink);
    return sink;
  }

  query(statement: AcceptanceStatement): Promise<SqlRow[]> {
    return this.#server.use((session) => session.batch(statement, ACCEPTANCE_STATEMENTS[statement]));
  }

  /** A text that is not one of the suite's own statements. */
  ask(step: string, text: string): Promise<SqlRow[]> {
    return this.#server.use((session) => session.batch(step, text));
  }

  /** A connection of its own, for what takes several statements. */
  async connect(): Promise<TestConnection> {
    const session = await this.#server.acquire();
    return {
      run: (statement) => session.batch(statement, ACCEPTANCE_STATEMENTS[statement]),
      close: () => this.#server.drop(session),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sinks.map((sink) => sink.close()));
    await this.#server.close();
    await drop(this.settings);
  }
}

export interface TestConnection {
  run(statement: AcceptanceStatement): Promise<SqlRow[]>;
  close(): void;
}

/** How to reach the server: encrypted if it can. */
async function reachable(database: string): Promise<SqlServerSettings> {
  const settings = settingsOf(url as string, database);
  if (new URL(url as string).searchParams.has('encrypt')) return settings;
  const master = new SqlServer(settings, silentLog, 'master');
  try {
    await master.use(async () => undefined);
    return settings;
  } catch (error) {
    if (error instanceof HostspoolError && error.code === 'SINK_TLS') return { ...settings, encrypt: 'false' };
    throw error;
  } finally {
    await master.close();
  }
}

/** The server may take a moment to notice that the connections are gone. */
async function drop(settings: SqlServerSettings): Promise<void> {
  const master = new SqlServer(settings, silentLog, 'master');
  try {
    for (let tries = 1; ; tries++) {
      try {
        await master.use((session) => session.batch('drop-database', `DROP DATABASE [${settings.database}];`));
        return;
      } catch (error) {
        if (/does not exist/i.test(String(error))) return;
        if (tries >= 20) throw error;
        await clock.sleep(500);
      }
    }
  } finally {
    await master.close();
  }
}
