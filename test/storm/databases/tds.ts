/**
 * The TDS server double as a process of its own, with a proxy before it for each writer. Its databases are files, so
 * that what was committed outlives its kill -9.
 */
import { join } from 'node:path';
import { TcpProxy } from '../../support/proxy.ts';
import { TdsProcess } from '../../support/tds/process.ts';
import type { PlainRow } from '../../support/tds/readback.ts';
import type { TableName } from '../../support/tds/schema.ts';
import { gapOf, type LogPlace, type StormDatabase, uuidOf } from '../database.ts';
import type { AccountingRow, DatabaseCopy } from '../evidence.ts';
import type { Fault } from '../fault.ts';
import { serverFaults } from './tds-faults.ts';

const PASSWORD = 'storm-secret';

export class TdsStormDatabase implements StormDatabase {
  readonly name = 'the TDS double';
  readonly server: TdsProcess;
  readonly links: readonly TcpProxy[];
  readonly faults: readonly Fault[];

  private constructor(server: TdsProcess, links: readonly TcpProxy[]) {
    this.server = server;
    this.links = links;
    this.faults = serverFaults(this);
  }

  static async start(directory: string, writers: number): Promise<TdsStormDatabase> {
    const args = ['--password', PASSWORD];
    const server = await TdsProcess.start({ directory: join(directory, 'tds'), args });
    const target = `127.0.0.1:${server.port}`;
    const links = await Promise.all(Array.from({ length: writers }, () => TcpProxy.listen({ target })));
    return new TdsStormDatabase(server, links);
  }

  settings(writer: number): { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
    return {
      args: [
        '--writer.sink=sqlserver',
        '--sqlserver.host=127.0.0.1',
        `--sqlserver.port=${this.links[writer]?.port}`,
        '--sqlserver.user=hostspool',
        '--sqlserver.encrypt=false',
        '--sqlserver.connect_timeout=3s',
        '--sqlserver.request_timeout=5s',
      ],
      env: { HOSTSPOOL_SQLSERVER_PASSWORD: PASSWORD },
    };
  }

  async heal(): Promise<void> {
    await this.server.tell('clear-faults');
    await this.server.tell('thaw');
    await this.server.tell('accept');
    for (const link of this.links) {
      await link.accept();
      link.delay(0);
      link.resume();
    }
  }

  async offsets({ group, topic }: LogPlace): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#table('consumer_offsets');
    return new Map(
      rows
        .filter((row) => row.group_id === group && row.topic === topic)
        .map((row) => [Number(row.partition_id), Number(row.next_offset)]),
    );
  }

  async copy({ group, topic }: LogPlace): Promise<DatabaseCopy> {
    const [rows, runs, gaps, hosts, offsets, holes] = await Promise.all([
      this.#table('server_metrics'),
      this.#table('runs'),
      this.#table('seq_gaps'),
      this.#table('hosts'),
      this.#table('consumer_offsets'),
      this.#table('offset_holes'),
    ]);
    return {
      rows: rows.map((row) => ({
        event_id: uuidOf(String(row.event_id)),
        run_id: uuidOf(row.run_id as string | null),
        seq: row.seq === null ? null : Number(row.seq),
        hostname: String(row.hostname),
      })),
      accounting: runs.map((run) => account(run, gaps)),
      gaps: gaps.map(gapOf),
      hosts: hosts as never,
      offsets: new Map(
        offsets
          .filter((row) => row.group_id === group && row.topic === topic)
          .map((row) => [Number(row.partition_id), { next: Number(row.next_offset), epoch: Number(row.epoch) }]),
      ),
      holes: holes.length,
    };
  }

  async findings(): Promise<readonly string[]> {
    const surprises = (await this.server.tell('surprises')) as string[];
    return surprises.map((what) => `the TDS double was surprised: ${what}`);
  }

  async #table(name: TableName): Promise<PlainRow[]> {
    return this.server.table(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.links) await link[Symbol.asyncDispose]();
    await this.server.kill();
  }
}

/** The double has no views: the line of vw_sample_accounting is made of the tables that the view reads. */
function account(run: PlainRow, gaps: readonly PlainRow[]): AccountingRow {
  const reasons: Record<string, number> = {};
  for (const gap of gaps) {
    if (gap.run_id !== run.run_id || gap.reason === null) continue;
    const samples = Number(gap.last_seq) - Number(gap.first_seq) + 1;
    reasons[String(gap.reason)] = (reasons[String(gap.reason)] ?? 0) + samples;
  }
  return {
    run_id: uuidOf(String(run.run_id)),
    hostname: String(run.hostname),
    taken: Number(run.last_seq),
    received: Number(run.received),
    lost: Number(run.lost),
    missing: Number(run.missing),
    uncertain: Number(run.uncertain) === 1,
    ended: run.ended as string | null,
    reasons,
  };
}
