/**
 * The connections to one database: a pool that hands them out as sessions, and that is made anew when it keeps failing.
 *
 *   acquire ─▶ session ─┬─▶ release   it did what it was asked
 *                       └─▶ drop      anything else: closed, never used again
 *
 * `renew` takes another login or other authorities: the pool is made anew, and who has a session of the old one gives
 * it back when it has done what it does. Authorities that can't be read change nothing once there were good ones.
 *
 * Everything here ends in bounded time: a connection has its time limit, a request has its own, and `close` ends every
 * connection there is, also those that are being made, and with them whatever waits for an answer.
 */
import type { ConnectionPool } from 'mssql';
import type { Connection } from 'tedious';
import type { CertificateFile } from '../../lib/certificate-file.ts';
import { asError, type HostspoolError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { poolConfig, readAuthorities, type SqlServerSettings } from './connection-settings.ts';
import { type Driver, loadDriver } from './driver.ts';
import { type ServerAddress, sinkClosed, sqlServerError, type ToldByServer } from './errors.ts';
import { Session } from './session.ts';

/** So many failures in a row, and the pool is thrown away. */
const FAILURES_OF_A_POOL = 3;
const CLOSE_MS = 2000;

/** What can change while it runs. */
export type Login = Pick<SqlServerSettings, 'user' | 'password' | 'ca'>;

export class SqlServer {
  readonly address: ServerAddress;
  #settings: SqlServerSettings;
  readonly #log: Log;
  readonly #connections = new Set<Connection>();
  /** Lent sessions, and where each of them came from. */
  readonly #lent = new Map<Session, ConnectionPool>();
  /** Those of the login and authorities in force. */
  #current = new WeakSet<Session>();
  readonly #refusals: ToldByServer[] = [];
  #pool: Promise<ConnectionPool> | undefined;
  /** The authorities that were last read. */
  #good: { readonly authorities: string | undefined } | undefined;
  #problem: string | undefined;
  #failures = 0;
  #closed = false;

  /** Connects to nothing yet. `database`: another than that of the settings. */
  constructor(settings: SqlServerSettings, log: Log, database = settings.database) {
    this.#settings = { ...settings, database };
    this.#log = log;
    const { host, port, instance } = settings;
    this.address = { server: instance === undefined ? `${host}:${port}` : `${host}\\${instance}`, database };
  }

  /** Why older files are in use than there are; undefined when they are not. */
  get accessProblem(): string | undefined {
    return this.#problem;
  }

  /** The file of authorities in use, as it was last read. */
  get certificates(): readonly CertificateFile[] {
    const pem = this.#good?.authorities;
    return pem === undefined ? [] : [{ setting: 'sqlserver.ca', use: 'trusted', pem }];
  }

  /** Takes over the login and the authorities, where they are not the same, for connections to come. */
  renew({ user, password, ca }: Login): void {
    const before = this.#settings;
    const authorities = this.#good?.authorities;
    this.#settings = { ...before, user, password, ca };
    const isNew = user !== before.user || password !== before.password;
    if (this.#good === undefined || (this.#authorities() === authorities && !isNew)) return;
    this.#log.info({ event: 'sqlserver_access_renewed' });
    this.#current = new WeakSet();
    void this.#retire();
  }

  /** Whether a session is of the connections that are made now. */
  isCurrent(session: Session): boolean {
    return this.#current.has(session);
  }

  /** Rejects with HostspoolError. */
  async acquire(): Promise<Session> {
    this.#refusals.length = 0;
    try {
      const driver = await loadDriver();
      const opened = this.#open(driver);
      const pool = await opened;
      const connection = await acquireFrom(pool);
      const session = new Session(connection, driver, this.#settings.request_timeout);
      this.#lent.set(session, pool);
      if (opened === this.#pool) this.#current.add(session);
      if (this.#closed) connection.close();
      return session;
    } catch (error) {
      this.#failed();
      throw this.error(error, 'connect');
    }
  }

  release(session: Session): void {
    this.succeeded();
    this.#giveBack(session);
  }

  /** Of a session that is kept: it did what it was asked. */
  succeeded(): void {
    this.#failures = 0;
  }

  drop(session: Session): void {
    this.end(session);
    this.#failed();
  }

  /** Of a session that did nothing wrong. */
  end(session: Session): void {
    session.connection.close();
    this.#giveBack(session);
  }

  /** Runs the action with a session of its own. Rejects with HostspoolError. */
  async use<Result>(action: (session: Session) => Promise<Result>): Promise<Result> {
    const session = await this.acquire();
    try {
      const result = await action(session);
      this.release(session);
      return result;
    } catch (error) {
      this.drop(session);
      throw this.error(error, session.step);
    }
  }

  /** What the driver threw, as the error that the port promises. */
  error(thrown: unknown, step: string): HostspoolError {
    if (this.#closed) return sinkClosed(this.address);
    return sqlServerError(thrown, this.address, step, this.#refusals);
  }

  /** Ends everything, answered or not. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
    // A pool ends when nothing of it is lent any more, and who has a session may never give it back.
    for (const session of this.#lent.keys()) this.#giveBack(session);
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, CLOSE_MS);
    await Promise.race([this.#retire(), limit.promise]);
    clearTimeout(timer);
  }

  #open(driver: Driver): Promise<ConnectionPool> {
    if (this.#closed) throw sinkClosed(this.address);
    this.#pool ??= this.#connect(driver);
    return this.#pool;
  }

  async #connect({ mssql }: Driver): Promise<ConnectionPool> {
    const watch = (connection: Connection) => this.#watch(connection);
    const pool = new mssql.ConnectionPool(poolConfig(this.#settings, watch, this.#authorities()));
    // A connection that fails while it lies in the pool; whoever asks next gets another.
    pool.on('error', (error) => this.#log.debug({ event: 'sqlserver_pool_error', message: String(error) }));
    return pool.connect();
  }

  /** Throws SINK_TLS_FILE where they were never good. */
  #authorities(): string | undefined {
    try {
      this.#good = { authorities: readAuthorities(this.#settings) };
      this.#problem = undefined;
    } catch (thrown) {
      if (this.#good === undefined) throw thrown;
      const error = asError(thrown);
      if (this.#problem !== error.message) {
        this.#log.error({ event: 'sqlserver_tls_not_renewed', err: error }, 'the authorities in use stay in use');
      }
      this.#problem = error.message;
    }
    return this.#good.authorities;
  }

  #watch(connection: Connection): void {
    this.#connections.add(connection);
    connection.once('end', () => this.#connections.delete(connection));
    // The driver's error for a refused login has no number; this event does.
    connection.on('errorMessage', ({ number, message, class: severity }) => {
      this.#refusals.push({ number, message, class: severity });
    });
    if (this.#closed) connection.close();
  }

  #giveBack(session: Session): void {
    const pool = this.#lent.get(session);
    this.#lent.delete(session);
    if (pool !== undefined) releaseTo(pool, session.connection);
  }

  /** A pool that could not even connect is not kept, nor is one whose connections keep failing. */
  #failed(): void {
    this.#failures++;
    const pool = this.#pool;
    pool?.catch(() => {
      if (this.#pool === pool) this.#pool = undefined;
    });
    if (this.#failures >= FAILURES_OF_A_POOL) void this.#retire();
  }

  /** The next to ask gets a new pool; the old one ends when the last of its connections has been given back. */
  async #retire(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    this.#failures = 0;
    try {
      await (await pool)?.close();
    } catch {
      // It had not connected, or its connections are gone already: there is nothing left to close.
    }
  }
}

/** mssql's own classes get their connections by these two, which its types leave out. */
interface Lender {
  acquire(requester: object): Promise<Connection>;
  release(connection: Connection): void;
}

function acquireFrom(pool: ConnectionPool): Promise<Connection> {
  return (pool as unknown as Lender).acquire({});
}

function releaseTo(pool: ConnectionPool, connection: Connection): void {
  (pool as unknown as Lender).release(connection);
}
