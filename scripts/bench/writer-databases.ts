/** The databases that a writer is measured against, each new and empty every time, and the raw ways into them. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { TYPES } from 'tedious';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { DecodedSample } from '../../src/sample/decode.ts';
import { uuidToBytes } from '../../src/sample/identity.ts';
import { SqliteSink } from '../../src/sink/sqlite/sqlite-sink.ts';
import { columnType } from '../../src/sink/sqlserver/column-types.ts';
import type { SqlServerSettings } from '../../src/sink/sqlserver/connection-settings.ts';
import { Migrator } from '../../src/sink/sqlserver/migrator.ts';
import { SqlServer } from '../../src/sink/sqlserver/server.ts';
import type { Parameter, Session } from '../../src/sink/sqlserver/session.ts';
import { STAGE, type StagingTable } from '../../src/sink/sqlserver/staging-tables.ts';
import { STATEMENTS } from '../../src/sink/sqlserver/statements.ts';
import { missing, TestDatabase } from '../../test/sqlserver/database.ts';
import { sqlServerSettings } from '../../test/support/sqlserver-fixture.ts';
import { TdsProcess } from '../../test/support/tds/process.ts';

export interface OpenBenchDatabase extends AsyncDisposable {
  /** How a writer is told to load it. */
  readonly writer: { readonly args: readonly string[]; readonly env?: NodeJS.ProcessEnv };
  bulk(rows: readonly DecodedSample[]): Promise<void>;
  single(rows: readonly DecodedSample[]): Promise<void>;
}

export interface BenchDatabase {
  readonly name: string;
  open(): Promise<OpenBenchDatabase>;
}

/** Only what the client costs means anything there: it is no database, and its rates are its own. */
const DOUBLE = 'the TDS double';

export function benchDatabases(directory: string): BenchDatabase[] {
  let number = 0;
  const place = () => join(directory, `database-${++number}`);
  return [
    { name: 'SQLite', open: async () => openSqlite(join(place(), 'metrics.db')) },
    missing === undefined
      ? { name: 'the server of HOSTSPOOL_TEST_MSSQL', open: openServer }
      : { name: DOUBLE, open: () => openDouble(place()) },
  ];
}

/** New and empty. */
export async function openSqlite(path: string): Promise<OpenBenchDatabase> {
  // It makes the tables.
  await SqliteSink.open({ path }).close();
  const database = new Database(path);
  database.pragma('synchronous = FULL');
  const columns = STAGE.columns.slice(1).map(({ name }) => name);
  const insert = database.prepare(
    `INSERT INTO server_metrics (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const insertOne = ({ hostname, timestamp, event_id, run_id, seq, values }: DecodedSample) => {
    const time = new Date(timestamp).toISOString().replace('T', ' ').slice(0, 23);
    const run = run_id === null ? null : uuidToBytes(run_id);
    insert.run(hostname, time, uuidToBytes(event_id), run, seq, ...values);
  };
  const insertAll = database.transaction((rows: readonly DecodedSample[]) => {
    for (const row of rows) insertOne(row);
  });
  return {
    writer: { args: ['--writer.sink=sqlite', `--sqlite.path=${path}`] },
    bulk: async (rows) => insertAll(rows),
    single: async (rows) => {
      for (const row of rows) insertOne(row);
    },
    [Symbol.asyncDispose]: async () => void database.close(),
  };
}

async function openServer(): Promise<OpenBenchDatabase> {
  const database = await TestDatabase.create();
  const table = { name: 'dbo.server_metrics', columns: STAGE.columns.slice(1) };
  const open = await overTds(database.settings, table, async () => undefined);
  return {
    ...open,
    [Symbol.asyncDispose]: async () => {
      await open[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** The double takes bulk loads into temporary tables alone: the bytes that a client sends are the same. */
async function openDouble(directory: string): Promise<OpenBenchDatabase> {
  const server = await TdsProcess.start({ directory });
  const settings = sqlServerSettings(server.port);
  const migrator = new Migrator({ settings, log: silentLog, clock: new SystemClock() });
  await migrator.migrate();
  await migrator.close();
  const prepare = async (session: Session) => {
    await session.batch('stage-tables', STATEMENTS['stage-tables']);
  };
  const open = await overTds(settings, STAGE, prepare);
  return {
    ...open,
    [Symbol.asyncDispose]: async () => {
      await open[Symbol.asyncDispose]();
      await server.kill();
    },
  };
}

async function overTds(
  settings: SqlServerSettings,
  table: StagingTable,
  prepare: (session: Session) => Promise<void>,
): Promise<OpenBenchDatabase> {
  const server = new SqlServer(settings, silentLog);
  const isNumbered = table.columns[0]?.name === 'n';
  const columns = STAGE.columns.slice(1);
  const insert =
    `/* step: insert-row */ INSERT INTO dbo.server_metrics (${columns.map(({ name }) => `[${name}]`).join(', ')}) ` +
    `VALUES (${columns.map(({ name }) => `@${name}`).join(', ')});`;
  const values = ({ values: fields, hostname, timestamp, event_id, run_id, seq }: DecodedSample) => {
    const run = run_id === null ? null : uuidToBytes(run_id);
    return [hostname, new Date(timestamp), uuidToBytes(event_id), run, seq, ...fields];
  };
  // One connection for all, as a writer has: what it costs to connect is no part of a load.
  let session: Session | undefined;
  const connected = async () => {
    if (session !== undefined) return session;
    session = await server.acquire();
    await prepare(session);
    return session;
  };
  return {
    writer: writerOf(settings),
    bulk: async (rows) => {
      await bulkByDriver(await connected(), table, isNumbered ? numbered(rows.map(values)) : rows.map(values));
    },
    single: async (rows) => {
      const connection = await connected();
      for (const row of rows) {
        const parameters: Record<string, Parameter> = {};
        for (const [index, value] of values(row).entries()) {
          const { name, type } = columns[index] as (typeof columns)[number];
          parameters[name] = { type, value };
        }
        await connection.query('insert-row', insert, parameters);
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (session !== undefined) server.drop(session);
      await server.close();
    },
  };
}

function numbered(lines: readonly (readonly unknown[])[]): unknown[][] {
  return lines.map((line, index) => [index + 1, ...line]);
}

/** By the driver alone, nothing of ours on the way. */
function bulkByDriver({ connection }: Session, table: StagingTable, lines: Iterable<unknown[]>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const load = connection.newBulkLoad(table.name, { checkConstraints: true }, (error) => {
    if (error) reject(error);
    else resolve();
  });
  for (const { name, type, nullable } of table.columns) {
    const { type: kind, ...size } = columnType(type);
    load.addColumn(name, TYPES[kind], { ...size, nullable });
  }
  connection.execBulkLoad(load, lines);
  return promise;
}

function writerOf(settings: SqlServerSettings): OpenBenchDatabase['writer'] {
  const { host, port, database, user, password, encrypt, trust_server_certificate: trust } = settings;
  return {
    args: [
      '--writer.sink=sqlserver',
      `--sqlserver.host=${host}`,
      `--sqlserver.port=${port}`,
      `--sqlserver.database=${database}`,
      `--sqlserver.user=${user}`,
      `--sqlserver.encrypt=${encrypt}`,
      `--sqlserver.trust_server_certificate=${trust}`,
    ],
    env: { HOSTSPOOL_SQLSERVER_PASSWORD: String(password) },
  };
}
