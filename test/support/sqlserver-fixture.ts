/** The SQL Server sink, as it is, on a TDS double with the tables made: for one test. */
import { silentLog } from '../../src/lib/log.ts';
import type { SqlServerSettings } from '../../src/sink/sqlserver/connection-settings.ts';
import { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import type { Statements } from '../../src/sink/sqlserver/statements.ts';
import { TdsServer, type TdsServerOptions } from './tds/server.ts';

export interface FixtureOptions {
  readonly server?: TdsServerOptions;
  readonly settings?: Partial<SqlServerSettings>;
  readonly statements?: Statements;
  /** Whether the tables are there. Default true. */
  readonly tables?: boolean;
}

export class SqlServerFixture implements AsyncDisposable {
  readonly server: TdsServer;
  readonly settings: SqlServerSettings;
  readonly sink: SqlServerSink;
  readonly #statements: Statements | undefined;
  readonly #sinks: SqlServerSink[] = [];

  private constructor(server: TdsServer, { settings, statements }: FixtureOptions) {
    this.server = server;
    this.settings = sqlServerSettings(server.port, { user: server.user, password: server.password, ...settings });
    this.#statements = statements;
    this.sink = this.another();
  }

  static async open(options: FixtureOptions = {}): Promise<SqlServerFixture> {
    const server = await TdsServer.listen(options.server);
    if (options.tables !== false) server.store.makeTables('monitoring');
    return new SqlServerFixture(server, options);
  }

  /** A second writer, or the same after it was started anew. */
  another(change: Partial<SqlServerSettings> = {}): SqlServerSink {
    const sink = new SqlServerSink({
      settings: { ...this.settings, ...change },
      log: silentLog,
      ...(this.#statements === undefined ? {} : { statements: this.#statements }),
    });
    this.#sinks.push(sink);
    return sink;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sinks.map((sink) => sink.close()));
    await this.server[Symbol.asyncDispose]();
  }
}

/** In plain, unless the change says otherwise; time limits that a busy machine keeps. */
export function sqlServerSettings(port: number, change: Partial<SqlServerSettings> = {}): SqlServerSettings {
  return {
    host: 'localhost',
    port,
    instance: undefined,
    database: 'monitoring',
    user: 'hostspool',
    password: 'secret',
    encrypt: 'false',
    ca: undefined,
    trust_server_certificate: false,
    application_name: 'hostspool',
    multi_subnet_failover: false,
    connect_timeout: 20_000,
    request_timeout: 20_000,
    ...change,
  };
}
