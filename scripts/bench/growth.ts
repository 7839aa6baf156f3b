/**
 * Whether the exactly-once load gets worse with the table more than the table itself does: the writer and a raw bulk
 * load into one SQLite database that is filled between the measurements by INSERT … SELECT. Every round loads samples
 * that were never there. SQLite stands for the server here: the TDS double of the tests keeps no indexes, so a large
 * table means nothing to it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { CompressionTypes } from 'kafkajs';
import { Broker } from '../../test/support/broker.ts';
import { fleetSamples, sendMessages } from '../../test/support/fleet.ts';
import { type Row, ratios, row, show } from './table.ts';
import { BULK_ROWS, chunks, HOSTS, loadedByWriter, PARTITIONS, timed } from './writer.ts';
import { openSqlite } from './writer-databases.ts';

export interface GrowthBench {
  readonly messages: number;
  readonly rounds: number;
  /** Rows in the table at each measurement, ascending. */
  readonly sizes: readonly number[];
}

export async function benchGrowth({ messages, rounds, sizes }: GrowthBench): Promise<Row[]> {
  const directory = mkdtempSync(join(process.env.HOSTSPOOL_BENCH_DIRECTORY ?? tmpdir(), 'hostspool-bench-'));
  await using broker = await Broker.start();
  try {
    const path = join(directory, 'metrics.db');
    await using open = await openSqlite(path);
    const result: Row[] = [];
    for (const size of sizes) {
      show(`growth: ${size} rows`);
      fill(path, size);
      const writer: number[] = [];
      const bulk: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const topic = `growth-${size}-${round}`;
        await broker.createTopic(topic, { partitions: PARTITIONS });
        await sendMessages(broker.bootstrap, topic, fleetSamples(HOSTS, messages), CompressionTypes.Snappy);
        writer.push((await loadedByWriter(broker, open, messages, topic)).rowsPerSecond);
        const rows = chunks([...fleetSamples(HOSTS, messages)], BULK_ROWS);
        bulk.push((await timed(rows, (list) => open.bulk(list))).rowsPerSecond);
      }
      const peer = { peer: 'raw bulk load into the same', ratios: ratios(writer, bulk) };
      result.push(row('growth', `writer rows/s into SQLite, ${size} rows before`, writer, peer));
    }
    return result;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Copies of rows that are there under other event_ids, in the order of time as those of agents are. */
function fill(path: string, size: number): void {
  const database = new Database(path);
  const columns = (database.pragma('table_info(server_metrics)') as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => !['id', 'created_at', 'event_id'].includes(name));
  const copy = database.prepare(
    `INSERT INTO server_metrics (event_id, ${columns.join(', ')})
     SELECT CAST(substr(event_id, 1, 6) || randomblob(10) AS BLOB), ${columns.join(', ')} FROM server_metrics LIMIT ?`,
  );
  const count = database.prepare<[], number>('SELECT count(*) FROM server_metrics').pluck();
  database.pragma('cache_size = -200000');
  for (let left = size - (count.get() ?? 0); left > 0; ) left -= copy.run(Math.min(left, 200_000)).changes;
  database.close();
}
