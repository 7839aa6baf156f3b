/**
 * A server that speaks TDS 7.4 and 8.0 and means what the steps of the SQL Server sink mean: for tests of the driver's
 * side and of every fault on the way. It understands no T-SQL: a statement is the list of its step comments. See
 * docs/testing.md for what it proves and what it doesn't.
 *
 *   driver ◀──TCP, TLS──▶ session.ts ──▶ connection.ts ──▶ steps/ ──▶ store.ts (SQLite)
 *                             └────────────┴── faults.ts: what is to go wrong, where
 */
import { createServer, type Server } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { Connection } from './connection.ts';
import { Faults } from './faults.ts';
import { Lock } from './lock.ts';
import type { LoginRequest } from './login.ts';
import type { Encryption } from './prelogin.ts';
import { Readback } from './readback.ts';
import { Session } from './session.ts';
import { SqlError } from './sql-error.ts';
import { Store } from './store.ts';

/**
 * `offered` is what SQL Server does without further settings; `refused` answers that it has none, `off` that only the
 * login would be encrypted; `strict` takes TDS 8.0 beside `offered`.
 */
export type EncryptionPolicy = 'offered' | 'required' | 'refused' | 'off';

export interface TdsServerOptions {
  /** On 127.0.0.1; a free one when left out. */
  readonly port?: number;
  /** Default `hostspool`, `secret`. */
  readonly user?: string;
  readonly password?: string;
  /** Databases that exist from the start, beside master. Default `monitoring`. */
  readonly databases?: readonly string[];
  /** PEM. Without them there is no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly encryption?: EncryptionPolicy;
  /** A directory that outlives the server; a temporary one when left out. */
  readonly directory?: string;
  /** Whether a batch goes on to its end when its client has gone: both happen. Default false. */
  readonly finishesWithoutClient?: boolean;
  /** What the login may do. Default everything. */
  readonly rights?: Rights;
}

export interface Rights {
  readonly createTables: boolean;
  readonly createDatabases: boolean;
  /** Of those on tables that `hostspool check` asks about, by their names: `INSERT on runs`. Only told, not enforced. */
  readonly denied?: readonly string[];
}

/** What became of one connection; kept for tests to look at. */
export interface SessionRecord {
  login: LoginRequest | undefined;
  loggedIn: boolean;
  refused: number | undefined;
  encrypted: boolean;
  /** What arrived before TLS, or all of it without. */
  plain: Buffer;
  open: boolean;
}

/** A step that was run, in order. */
export interface JournalEntry {
  readonly connection: number;
  readonly step: string;
}

export class TdsServer implements AsyncDisposable {
  readonly faults = new Faults();
  readonly lock = new Lock();
  readonly store: Store;
  /** The database `monitoring` as it is committed. */
  readonly committed = new Readback(() => this.store.reader());
  readonly records: SessionRecord[] = [];
  readonly journal: JournalEntry[] = [];
  /** What should not have happened: unknown steps, unknown types, broken packets. A test ends with none. */
  readonly surprises: Error[] = [];
  readonly finishesWithoutClient: boolean;
  rights: Rights;
  /** What it tells of itself when it is asked; nothing is done differently. */
  readOnly = false;
  clockAhead = 0;
  encryption: EncryptionPolicy;
  user: string;
  password: string;
  secureContext: SecureContext | undefined;
  thawed: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  readonly #sessions = new Set<Session>();
  readonly #endings = new Set<Promise<void>>();
  #server: Server | undefined;
  #port: number;
  #thaw: (() => void) | undefined;

  private constructor(options: TdsServerOptions) {
    this.#port = options.port ?? 0;
    this.user = options.user ?? 'hostspool';
    this.password = options.password ?? 'secret';
    this.encryption = options.encryption ?? 'offered';
    this.rights = options.rights ?? { createTables: true, createDatabases: true };
    this.finishesWithoutClient = options.finishesWithoutClient ?? false;
    if (options.tls !== undefined) this.useCertificate(options.tls);
    this.store = new Store(options.directory, options.databases ?? ['monitoring']);
  }

  static async listen(options: TdsServerOptions = {}): Promise<TdsServer> {
    const server = new TdsServer(options);
    await server.accept();
    return server;
  }

  /** Ends what goes on without its client. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sessions.size;
  }

  useCertificate({ cert, key }: { readonly cert: string; readonly key: string }): void {
    this.secureContext = createSecureContext({ cert, key });
  }

  /** Takes connections, again after `refuse`. */
  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((socket) => {
      const record = {
        login: undefined,
        loggedIn: false,
        refused: undefined,
        encrypted: false,
        plain: Buffer.alloc(0),
        open: true,
      };
      this.records.push(record);
      const session = new Session(socket, this, record);
      this.#sessions.add(session);
      if (this.#thaw !== undefined) session.pause();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as { port: number }).port;
    this.#server = server;
  }

  /** Nothing listens any more; connections that are open go on. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Cuts every open connection. */
  cut(): void {
    for (const session of this.#sessions) session.cut();
  }

  /** As if the machine had stopped: connections are taken and kept, nothing is read and nothing said. */
  freeze(): void {
    if (this.#thaw !== undefined) return;
    this.thawed = new Promise((resolve) => {
      this.#thaw = resolve;
    });
    for (const session of this.#sessions) session.pause();
  }

  thaw(): void {
    this.#thaw?.();
    this.#thaw = undefined;
    for (const session of this.#sessions) session.resume();
  }

  /** How often a step was run. */
  count(step: string): number {
    return this.journal.filter((entry) => entry.step === step).length;
  }

  encryptionFor(asked: Encryption): Encryption {
    if (this.encryption === 'refused' || (this.secureContext === undefined && this.encryption !== 'off'))
      return 'notSupported';
    if (this.encryption === 'off') return 'off';
    if (this.encryption === 'required') return asked === 'on' ? 'on' : 'required';
    return asked === 'on' || asked === 'required' ? 'on' : asked;
  }

  logIn(login: LoginRequest): Connection {
    if (login.user !== this.user || login.password !== this.password)
      throw new SqlError(18456, `Login failed for user '${login.user}'.`);
    const database = login.database === '' ? 'master' : login.database;
    if (!this.store.has(database))
      throw new SqlError(4060, `Cannot open database "${database}" requested by the login. The login failed.`);
    return new Connection(this, database, this.records.length);
  }

  forget(session: Session, ending: Promise<void>): void {
    session.record.open = false;
    this.#sessions.delete(session);
    this.#endings.add(ending);
    void ending.finally(() => this.#endings.delete(ending));
  }

  /** Resolves when what gone connections had open is rolled back. */
  async settled(): Promise<void> {
    await Promise.all(this.#endings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.faults.clear();
    this.#stopping.abort();
    this.refuse();
    this.thaw();
    // A connection that was on its way may still arrive after the first cut.
    while (this.#sessions.size > 0) {
      this.cut();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.settled();
    this.store.close();
  }
}
