/**
 * The writer's SQL Server, one step after the other:
 *
 *   name ─▶ connection ─▶ TLS, login, database ─┬▶ encryption
 *                                               ├▶ database: writable, its clock
 *                                               ├▶ schema
 *                                               └▶ rights
 */
import { asError, HostspoolError } from '../../lib/errors.ts';
import { joinAddress, reachTcp, resolveHost } from '../../lib/reach.ts';
import { formatDuration } from '../../lib/units.ts';
import { readAuthorities } from '../../sink/sqlserver/connection-settings.ts';
import { SqlServerInspection } from '../../sink/sqlserver/inspection.ts';
import { refuseNewer } from '../../sink/sqlserver/migrator.ts';
import { LOADING_RIGHTS, MIGRATING_RIGHTS, nameOfRight, RETENTION_RIGHTS } from '../../sink/sqlserver/rights.ts';
import { unreachable } from './brokers.ts';
import { fileTimeLeft, timeLeft } from './certificate-time.ts';
import { type Check, failed, failure, type Outcome, ok, unknown, warning } from './check.ts';
import { type CheckContext, SILENT } from './context.ts';

/** A difference of clocks that is none, ms. */
const CLOCK_SLACK_MS = 5000;
const MIGRATE =
  'run `hostspool migrate` as a login that may create tables, or give the output of `hostspool migrate --print` to whoever may';

export class SqlServerChecks implements AsyncDisposable {
  readonly #context: CheckContext;
  readonly #inspection: SqlServerInspection;

  constructor(context: CheckContext) {
    this.#context = context;
    const limit = context.databaseLimit;
    const settings = { ...context.settings.sqlserver, connect_timeout: limit, request_timeout: Math.max(limit, 1000) };
    this.#inspection = new SqlServerInspection(settings, context.log, context.clock);
  }

  get checks(): Check[] {
    const { databaseLimit: limit, settings } = this.#context;
    const { host, port, instance } = settings.sqlserver;
    const server = instance === undefined ? joinAddress({ host, port }) : `${host}\\${instance}`;
    const common = { limit, waitsFor: server };
    const after = { waitsFor: server, limit: 3 * limit + 1000, needs: ['sqlserver.login'] };
    const tcp: Check = {
      ...common,
      name: 'sqlserver.tcp',
      ifSilent: SILENT.network,
      needs: ['sqlserver.name'],
      run: (signal) => checkTcp({ host, port }, signal),
    };
    return [
      {
        ...common,
        name: 'sqlserver.name',
        waitsFor: `resolving ${host}`,
        ifSilent: SILENT.names,
        run: (signal) => checkName(host, signal),
      },
      // Which port an instance has is asked of the browser service, with the login.
      ...(instance === undefined ? [tcp] : []),
      {
        ...after,
        name: 'sqlserver.login',
        needs: [instance === undefined ? 'sqlserver.tcp' : 'sqlserver.name'],
        run: () => this.#logIn(server),
      },
      { ...after, name: 'sqlserver.encryption', run: () => this.#encryption() },
      { ...after, name: 'sqlserver.database', run: () => this.#database() },
      { ...after, name: 'sqlserver.schema', run: () => this.#schema() },
      { ...after, name: 'sqlserver.rights', needs: ['sqlserver.schema'], run: () => this.#rights() },
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inspection.close();
  }

  async #logIn(server: string): Promise<Outcome> {
    const { user = '', database } = this.#context.settings.sqlserver;
    try {
      await this.#inspection.logIn();
      return ok(`${server} took the login of ${user} into ${database}`, { user, database });
    } catch (error) {
      if (!(error instanceof HostspoolError) || error.code !== 'SINK_DATABASE_MISSING') throw error;
      return this.#missingDatabase(error);
    }
  }

  /** Then nothing else can be looked at, but a writer that may make it will. */
  async #missingDatabase(error: HostspoolError): Promise<Outcome> {
    const { writer, sqlserver } = this.#context.settings;
    if (!writer.migrate || !(await this.#inspection.mayMakeDatabases().catch(() => false))) return failure(error);
    const finding = `there is no database ${sqlserver.database}; a writer makes it when it starts, for this login may`;
    const hint = 'if that is the wrong name, set sqlserver.database; else run `hostspool migrate`';
    return { ...warning(error.code, finding, hint), blocks: true };
  }

  async #encryption(): Promise<Outcome> {
    const { encrypt, trust_server_certificate } = this.#context.settings.sqlserver;
    const { version, certificate } = await this.#inspection.logIn();
    const serverSays = await this.#inspection.serversWord().catch((error: unknown) => {
      // It needs a right that a writer has no other use for.
      if (error instanceof HostspoolError) return undefined;
      throw asError(error);
    });
    const left = certificate === undefined ? undefined : timeLeft(certificate, this.#context.clock.now());
    const detail = {
      encrypted: version !== null,
      tls_version: version,
      server_says: serverSays ?? null,
      ...left?.detail,
    };
    if (version === null || serverSays === false) {
      if (encrypt !== 'false') {
        const finding = `sqlserver.encrypt is ${encrypt}, and the connection is not encrypted`;
        return failed('SINK_TLS', finding, 'look what stands between this host and the server', detail);
      }
      const finding = 'not encrypted: the password and every row go over the network readable';
      return warning('SINK_NOT_ENCRYPTED', finding, 'set sqlserver.encrypt to true', detail);
    }
    const said = serverSays === true ? ', the server says so too' : '';
    const words = `${version}${said}${left === undefined ? '' : `; its certificate is valid ${left.words}`}`;
    if (encrypt === 'true' && trust_server_certificate) {
      const finding = `${words}; but any certificate is accepted, so anybody between can read along`;
      const hint = 'set sqlserver.ca to the authority’s PEM file, and sqlserver.trust_server_certificate to false';
      return warning('SINK_NOT_TRUSTED', finding, hint, detail);
    }
    if (left?.isSoon === true) return warning('SINK_TLS_EXPIRES', words, 'renew the server’s certificate', detail);
    const authorities = readAuthorities(this.#context.settings.sqlserver);
    const ofAuthorities = fileTimeLeft('trusted', authorities, this.#context.clock.now());
    if (ofAuthorities?.isSoon === true) {
      const finding = `${version}${said}; sqlserver.ca is valid ${ofAuthorities.words}`;
      const hint = 'renew the authorities of sqlserver.ca';
      return warning('SINK_TLS_EXPIRES', finding, hint, { ...detail, ...ofAuthorities.detail });
    }
    return ok(words, detail);
  }

  async #database(): Promise<Outcome> {
    const { database } = this.#context.settings.sqlserver;
    const { isReadOnly, readCommittedSnapshot, clockAhead, roundTrip } = await this.#inspection.database();
    const detail = {
      read_only: isReadOnly,
      read_committed_snapshot: readCommittedSnapshot,
      clock_ahead_seconds: Number((clockAhead / 1000).toFixed(3)),
      round_trip_ms: roundTrip,
    };
    if (isReadOnly) {
      const hint = 'connect to the primary, or take the database out of read-only mode';
      return failed('SINK_READ_ONLY', `${database} is read-only`, hint, detail);
    }
    if (Math.abs(clockAhead) > CLOCK_SLACK_MS + roundTrip) {
      const finding = `the server’s clock is ${formatDuration(Math.abs(Math.round(clockAhead / 100) * 100))} ${clockAhead > 0 ? 'ahead of' : 'behind'} this host’s`;
      return warning('SINK_CLOCK', finding, 'see to it that both synchronize their clocks', detail);
    }
    const snapshot = readCommittedSnapshot === false ? '; READ_COMMITTED_SNAPSHOT is off, see docs/sqlserver.md' : '';
    return ok(`${database} may be written, and its clock agrees with this host’s${snapshot}`, detail);
  }

  async #schema(): Promise<Outcome> {
    const { applied, missing, newer } = await this.#inspection.schema();
    refuseNewer(newer);
    const detail = { applied: applied.length, missing: missing.length };
    if (missing.length === 0) return ok(`version ${applied.at(-1)?.version ?? 0}, which is this program’s`, detail);
    const versions = missing.map(({ version, name }) => `${version} (${name})`).join(', ');
    const finding = applied.length === 0 ? 'there are no tables of hostspool yet' : `the schema lacks ${versions}`;
    const code = applied.length === 0 ? 'SINK_SCHEMA_MISSING' : 'SINK_SCHEMA_OLD';
    const { migrate } = this.#context.settings.writer;
    if (migrate && (await this.#mayMigrate())) {
      return warning(code, `${finding}; a writer makes them when it starts`, MIGRATE, detail);
    }
    const why = migrate ? 'this login may not make them' : 'writer.migrate is false';
    return failed(code, `${finding}, and ${why}`, MIGRATE, detail);
  }

  async #mayMigrate(): Promise<boolean> {
    const has = await this.#inspection.rights();
    return MIGRATING_RIGHTS.every((name) => has.get(name) === true);
  }

  async #rights(): Promise<Outcome> {
    const { writer } = this.#context.settings;
    const has = await this.#inspection.rights();
    const wanted = [...LOADING_RIGHTS, ...(writer.retention > 0 ? RETENTION_RIGHTS : [])];
    const names = wanted.map(nameOfRight);
    const missing = names.filter((name) => has.get(name) === false);
    const unmade = names.filter((name) => (has.get(name) ?? null) === null);
    if (missing.length === 0 && unmade.length > 0) {
      const finding =
        'tables are missing; once they are made, the login needs its rights on them (roles of sql/roles.sql)';
      return unknown(finding, { missing: unmade });
    }
    if (missing.length === 0) return ok('the login has what loading needs', { missing });
    const finding = `the login lacks ${missing.join(', ')}`;
    const hint = 'add its user to the role hostspool_writer, which `hostspool migrate --print-roles` makes';
    return failed('SINK_PERMISSION', finding, hint, { missing });
  }
}

async function checkName(host: string, signal: AbortSignal): Promise<Outcome> {
  try {
    const addresses = await resolveHost(host, signal);
    return ok(addresses.includes(host) ? `${host} is an address` : `${host} is ${addresses.join(', ')}`, { addresses });
  } catch (error) {
    throw unreachable(host, error, 'check sqlserver.host, and the name service of this host', 'SINK_UNAVAILABLE');
  }
}

async function checkTcp(at: { host: string; port: number }, signal: AbortSignal): Promise<Outcome> {
  const server = joinAddress(at);
  try {
    const { address, milliseconds } = await reachTcp(at, signal);
    const round_trip_ms = Number(milliseconds.toFixed(1));
    return ok(`${server} takes connections (${round_trip_ms} ms)`, { address, round_trip_ms });
  } catch (error) {
    const hint = 'check sqlserver.host and sqlserver.port, whether the server listens on TCP, and the network between';
    throw unreachable(server, error, hint, 'SINK_UNAVAILABLE');
  }
}
