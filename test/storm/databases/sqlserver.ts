/**
 * A real server, named by a URL as the acceptance suite takes it, in a database of its own that is dropped at the end.
 * What can be asked of it is the network between; its tables and views are read as a person would.
 */
import { silentLog } from '../../../src/lib/log.ts';
import { SqlServer } from '../../../src/sink/sqlserver/server.ts';
import type { SqlRow } from '../../../src/sink/sqlserver/session.ts';
import { TestDatabase } from '../../sqlserver/database.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { gapOf, type LogPlace, reasonsOf, type StormDatabase, uuidOf } from '../database.ts';
import type { DatabaseCopy, HostRow } from '../evidence.ts';
import type { Fault } from '../fault.ts';
import { networkFaults } from './network-faults.ts';

const READS = {
  rows: 'SELECT event_id, run_id, seq, hostname FROM dbo.server_metrics;',
  accounting: 'SELECT * FROM dbo.vw_sample_accounting;',
  gaps: 'SELECT run_id, first_seq, last_seq, reason FROM dbo.seq_gaps;',
  hosts: 'SELECT hostname, samples, received, lost, missing FROM dbo.hosts;',
  offsets: 'SELECT group_id, topic, partition_id, epoch, next_offset FROM dbo.consumer_offsets;',
  holes: 'SELECT COUNT(*) AS holes FROM dbo.offset_holes;',
} as const;

export class SqlServerStormDatabase implements StormDatabase {
  readonly name = 'the server of HOSTSPOOL_TEST_MSSQL';
  readonly faults: readonly Fault[];
  readonly #database: TestDatabase;
  readonly #server: SqlServer;
  readonly #links: readonly TcpProxy[];

  private constructor(database: TestDatabase, links: readonly TcpProxy[]) {
    this.#database = database;
    this.#server = new SqlServer(database.settings, silentLog);
    this.#links = links;
    this.faults = networkFaults(links);
  }

  static async start(writers: number): Promise<SqlServerStormDatabase> {
    const database = await TestDatabase.create();
    const target = `${database.settings.host}:${database.settings.port}`;
    const links = await Promise.all(Array.from({ length: writers }, () => TcpProxy.listen({ target })));
    return new SqlServerStormDatabase(database, links);
  }

  settings(writer: number): { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
    const { database, user, password, encrypt, trust_server_certificate: trust } = this.#database.settings;
    return {
      args: [
        '--writer.sink=sqlserver',
        '--sqlserver.host=127.0.0.1',
        `--sqlserver.port=${this.#links[writer]?.port}`,
        `--sqlserver.database=${database}`,
        `--sqlserver.user=${user}`,
        `--sqlserver.encrypt=${encrypt}`,
        `--sqlserver.trust_server_certificate=${trust}`,
        '--sqlserver.connect_timeout=5s',
        '--sqlserver.request_timeout=10s',
      ],
      env: { HOSTSPOOL_SQLSERVER_PASSWORD: String(password) },
    };
  }

  async heal(): Promise<void> {
    for (const link of this.#links) {
      await link.accept();
      link.resume();
    }
  }

  async offsets(place: LogPlace): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#offsets(place);
    return new Map(rows.map((row) => [Number(row.partition_id), Number(row.next_offset)]));
  }

  async copy(place: LogPlace): Promise<DatabaseCopy> {
    const offsets = await this.#offsets(place);
    const [holes] = await this.#read('holes');
    return {
      rows: (await this.#read('rows')).map((row) => ({
        event_id: uuidOf(hexOf(row.event_id) as string),
        run_id: uuidOf(hexOf(row.run_id)),
        seq: row.seq === null ? null : Number(row.seq),
        hostname: String(row.hostname),
      })),
      accounting: (await this.#read('accounting')).map((row) => ({
        run_id: uuidOf(hexOf(row.run_id) as string),
        hostname: String(row.hostname),
        taken: Number(row.taken),
        received: Number(row.received),
        lost: Number(row.lost),
        missing: Number(row.missing),
        uncertain: Boolean(row.uncertain_tail),
        ended: row.ended as string | null,
        reasons: reasonsOf(row),
      })),
      gaps: (await this.#read('gaps')).map((row) => gapOf({ ...row, run_id: hexOf(row.run_id) })),
      hosts: (await this.#read('hosts')).map(
        (row): HostRow => ({
          hostname: String(row.hostname),
          samples: Number(row.samples),
          received: Number(row.received),
          lost: Number(row.lost),
          missing: Number(row.missing),
        }),
      ),
      offsets: new Map(
        offsets.map((row) => [Number(row.partition_id), { next: Number(row.next_offset), epoch: Number(row.epoch) }]),
      ),
      holes: Number(holes?.holes),
    };
  }

  async findings(): Promise<readonly string[]> {
    return [];
  }

  async #offsets({ group, topic }: LogPlace): Promise<SqlRow[]> {
    return (await this.#read('offsets')).filter((row) => row.group_id === group && row.topic === topic);
  }

  #read(what: keyof typeof READS): Promise<SqlRow[]> {
    return this.#server.use((session) => session.batch(what, READS[what]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links) await link[Symbol.asyncDispose]();
    await this.#server.close();
    await this.#database[Symbol.asyncDispose]();
  }
}

function hexOf(value: unknown): string | null {
  return value === null ? null : (value as Buffer).toString('hex');
}
