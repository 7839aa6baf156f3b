/**
 * The sink port over SQL Server.
 *
 *   empty the staging tables ─▶ bulk loads fill them ─▶ one batch makes it true (load-batch.ts) ─▶ outcome
 *   └──────── outside any transaction, no locks ──────┘ └── one round trip, no lock waits for us ─┘
 *
 * Loads and the reading of accounts share one connection, which keeps its staging tables, and take turns on it. After
 * any error it is dropped, whatever the error was, and the next call begins on a new one. A client that dies or is
 * stopped in the middle of all this holds no lock: before the batch there is no transaction, and the batch needs nobody
 * to go on.
 *
 * Accounts are read runs first, then gaps. What another writer does in between raises the version of the run, so a load
 * over what was read is stale and starts anew. The other way round it would go unnoticed: new version, old gaps.
 */
import type { Account } from '../../accounts/account.ts';
import type { LogHole } from '../../accounts/advance.ts';
import type { AccountChange } from '../../accounts/advance-all.ts';
import type { CertificateFile } from '../../lib/certificate-file.ts';
import type { Log } from '../../lib/log.ts';
import { resetBy } from '../offset-reset.ts';
import type { SampleDatabase } from '../sample-database.ts';
import type { Load, LoadOutcome, LogReader, OffsetMove, StoredOffset } from '../sink.ts';
import type { HostRecord, OffsetReset } from '../sink-admin.ts';
import type { SqlServerSettings } from './connection-settings.ts';
import { type Login, SqlServer } from './server.ts';
import type { Parameter, Session, SqlRow } from './session.ts';
import {
  accountsInOrder,
  fenceLines,
  gapLines,
  holeLines,
  hostLines,
  type Line,
  runLines,
  stageLines,
  wantedLines,
} from './staged-lines.ts';
import { FENCE, GAPS, HOLES, HOSTS, RUNS, STAGE, type StagingTable, WANTED } from './staging-tables.ts';
import { type BatchName, type QueryName, STATEMENTS, type Statements } from './statements.ts';
import { storedAccounts, storedHole, storedHost, storedOffset, storedVersions } from './stored.ts';

export interface SqlServerSinkOptions {
  readonly settings: SqlServerSettings;
  readonly log: Log;
  /** For tests that change a step. */
  readonly statements?: Statements;
}

type Parameters = Readonly<Record<string, Parameter>>;

export class SqlServerSink implements SampleDatabase {
  readonly #server: SqlServer;
  readonly #statements: Statements;
  /** The connection with the staging tables. */
  #staging: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** Connects when it is first asked for something. */
  constructor({ settings, log, statements = STATEMENTS }: SqlServerSinkOptions) {
    this.#server = new SqlServer(settings, log);
    this.#statements = statements;
  }

  async load(load: Load): Promise<LoadOutcome> {
    const accounts = accountsInOrder(load.accounts);
    const [gaps, hosts] = [gapLines(accounts), hostLines(load)];
    return this.#staged(async (session) => {
      await fill(session, FENCE, fenceLines(load.offsets));
      await fill(session, STAGE, stageLines(load.rows), load.rows.length);
      await fill(session, RUNS, runLines(accounts));
      await fill(session, GAPS, gaps);
      await fill(session, HOSTS, hosts);
      await fill(session, HOLES, holeLines(load.holes));
      const [answer] = await this.#query(session, 'load', {
        ...readerOf(load),
        fences: int(load.offsets.length),
        rows: int(load.rows.length),
        runs: int(accounts.length),
        gaps: int(gaps.length),
        hosts: int(hosts.length),
        rehearsal: { type: 'BIT', value: load.rehearsal === true },
      });
      return this.#outcome(session, load, answer as SqlRow);
    });
  }

  async #outcome(session: Session, load: Load, answer: SqlRow): Promise<LoadOutcome> {
    if (answer.outcome === 'fenced') {
      const stored = offsetsOf(await this.#query(session, 'read-offsets', readerOf(load)));
      return { kind: 'fenced', partitions: fencedOf(load.offsets, stored) };
    }
    if (answer.outcome === 'stale') {
      const versions = storedVersions(await this.#batch(session, 'read-versions'));
      return { kind: 'stale', runs: staleOf(load.accounts, versions) };
    }
    return { kind: 'committed', inserted: Number(answer.inserted), duplicates: Number(answer.duplicates) };
  }

  async readOffsets(reader: LogReader, partitions?: readonly number[]): Promise<ReadonlyMap<number, StoredOffset>> {
    const rows = await this.#server.use((session) => this.#query(session, 'read-offsets', readerOf(reader)));
    return offsetsOf(rows, partitions);
  }

  async readAccounts(runs: Iterable<string>): Promise<ReadonlyMap<string, Account>> {
    const wanted = wantedLines(runs);
    if (wanted.length === 0) return new Map();
    return this.#staged(async (session) => {
      await fill(session, WANTED, wanted);
      return this.#readWanted(session);
    });
  }

  async readUnexplained(): Promise<ReadonlyMap<string, Account>> {
    return this.#staged(async (session) => {
      await this.#batch(session, 'want-unexplained');
      return this.#readWanted(session);
    });
  }

  async #readWanted(session: Session): Promise<Map<string, Account>> {
    const runs = await this.#batch(session, 'read-runs');
    return storedAccounts(runs, await this.#batch(session, 'read-gaps'));
  }

  async readHoles(reader: LogReader): Promise<readonly LogHole[]> {
    const rows = await this.#server.use((session) => this.#query(session, 'read-holes', readerOf(reader)));
    return rows.map(storedHole);
  }

  async listHosts(): Promise<readonly HostRecord[]> {
    return (await this.#server.use((session) => this.#batch(session, 'list-hosts'))).map(storedHost);
  }

  async retireHost(hostname: string): Promise<boolean> {
    const parameters = { hostname: { type: 'NVARCHAR(255)', value: hostname } };
    const [answer] = await this.#server.use((session) => this.#query(session, 'retire-host', parameters));
    return Number(answer?.retired) > 0;
  }

  async resetOffsets(
    reader: LogReader,
    resets: readonly OffsetReset[],
    holes: readonly LogHole[],
  ): Promise<readonly number[]> {
    return resetBy((load) => this.load(load), reader, resets, holes);
  }

  async expire(before: number): Promise<number> {
    const parameters = { before: { type: 'DATETIME2(3)', value: new Date(before) } };
    const [answer] = await this.#server.use((session) => this.#query(session, 'expire-rows', parameters));
    return Number(answer?.expired);
  }

  /** The connection with the staging tables is replaced between two loads. */
  renew(settings: Login): void {
    this.#server.renew(settings);
  }

  get accessProblem(): string | undefined {
    return this.#server.accessProblem;
  }

  get certificates(): readonly CertificateFile[] {
    return this.#server.certificates;
  }

  /** Ends what is under way: whoever waits for it gets SINK_CLOSED. Within some seconds. */
  async close(): Promise<void> {
    await this.#server.close();
  }

  #batch(session: Session, name: BatchName): Promise<SqlRow[]> {
    return session.batch(name, this.#statements[name]);
  }

  #query(session: Session, name: QueryName, parameters: Parameters): Promise<SqlRow[]> {
    return session.query(name, this.#statements[name], parameters);
  }

  /** Runs the action on the connection with the staging tables, which are empty then, when its turn comes. */
  #staged<Result>(action: (session: Session) => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(() => this.#withStaging(action));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #withStaging<Result>(action: (session: Session) => Promise<Result>): Promise<Result> {
    const isUsable = this.#staging?.isUsable === true && this.#server.isCurrent(this.#staging);
    const session = isUsable ? (this.#staging as Session) : await this.#newStaging();
    try {
      await this.#batch(session, session === this.#staging ? 'empty-tables' : 'stage-tables');
      const result = await action(session);
      this.#staging = session;
      this.#server.succeeded();
      return result;
    } catch (error) {
      this.#staging = undefined;
      this.#server.drop(session);
      throw this.#server.error(error, session.step);
    }
  }

  async #newStaging(): Promise<Session> {
    const old = this.#staging;
    this.#staging = undefined;
    if (old !== undefined) this.#server.end(old);
    return this.#server.acquire();
  }
}

const int = (value: number): Parameter => ({ type: 'INT', value });

function readerOf({ group, topic }: LogReader): Parameters {
  return { group_id: { type: 'NVARCHAR(150)', value: group }, topic: { type: 'NVARCHAR(249)', value: topic } };
}

/** A table with no lines costs no round trip. `count`: how many lines, where they are not in an array. */
async function fill(session: Session, table: StagingTable, lines: Iterable<Line>, count?: number): Promise<void> {
  if ((count ?? (lines as readonly Line[]).length) > 0) await session.bulk(table, lines);
}

function offsetsOf(rows: readonly SqlRow[], partitions?: readonly number[]): Map<number, StoredOffset> {
  const stored = rows.map(storedOffset).filter(({ partition }) => partitions?.includes(partition) ?? true);
  return new Map(stored.map((offset) => [offset.partition, offset]));
}

/** Those whose offsets are not as expected, or all of them where by now they are again. */
function fencedOf(moves: readonly OffsetMove[], stored: ReadonlyMap<number, StoredOffset>): number[] {
  const fenced = moves.filter(({ partition, expected }) => {
    const now = stored.get(partition);
    return now?.epoch !== expected?.epoch || now?.next !== expected?.offset;
  });
  return (fenced.length > 0 ? fenced : moves).map(({ partition }) => partition);
}

function staleOf(changes: readonly AccountChange[], versions: ReadonlyMap<string, number>): string[] {
  const stale = changes.filter(({ after }) => (versions.get(after.run_id) ?? 0) !== after.version);
  return (stale.length > 0 ? stale : changes).map(({ after }) => after.run_id);
}
