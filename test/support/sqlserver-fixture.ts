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
}

export class SqlServerFixture implements AsyncDisposable {
  readonly server: TdsServer;
  readonly settings: SqlServerSettings;
  readonly sink: SqlServerSink;
  readonly #statements: Statements | undefined;
  readonly #sinks: SqlServerSink[] = [];

  private constructor(server: TdsServer, { settings, statements }: FixtureOptions) {
    this.server = server;
    this.settings = {
      host: 'localhost',
      port: server.port,
      instance: undefined,
      database: 'monitoring',
      user: server.user,
      password: server.password,
      encrypt: 'false',
      ca: undefined,
      trust_server_certificate: false,
      application_name: 'hostspool',
      multi_subnet_failover: false,
      connect_timeout: 5000,
      request_timeout: 5000,
      ...settings,
    };
    this.#statements = statements;
    this.sink = this.another();
  }

  static async open(options: FixtureOptions = {}): Promise<SqlServerFixture> {
    const server = await TdsServer.listen(options.server);
    server.store.makeTables('monitoring');
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
