/**
 * Whether the exactly-once load gets worse with the table more than the table itself does: the writer and a raw bulk
 * load into one SQLite database that is filled between the measurements by INSERT … SELECT. Every round loads samples
 * that were never there. SQLite stands for the server here: the TDS double of the tests keeps no indexes, so a large
 * table means nothing to it.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { CompressionTypes } from 'kafkajs';
import { Broker } from '../../test/support/broker.ts';
import { fleetSamples, sendMessages } from '../../test/support/fleet.ts';
import { BenchDirectory } from './bench-directory.ts';
import { type Row, ratios, row, show } from './table.ts';
import { BULK_ROWS, chunks, HOSTS, loadedByWriter, type Measured, PARTITIONS, timed } from './writer.ts';
import { openSqlite } from './writer-databases.ts';

export interface GrowthBench {
  readonly messages: number;
  readonly rounds: number;
  /** Rows in the table at each measurement, ascending. */
  readonly sizes: readonly number[];
}

/** Rows that one statement of the filling inserts; what it reads them from stays in the cache. */
const FILL_AT_ONCE = 100_000;

export async function benchGrowth({ messages, rounds, sizes }: GrowthBench): Promise<Row[]> {
  using place = new BenchDirectory();
  const directory = place.path;
  await using broker = await Broker.start();
  const path = join(directory, 'metrics.db');
  await using open = await openSqlite(path);
  const result: Row[] = [];
  for (const size of sizes) {
    show(`growth: filling up to ${size} rows`);
    const startedAt = performance.now();
    fill(path, size);
    show(`growth: filled in ${Math.round((performance.now() - startedAt) / 1000)} s`);
    const writer: Measured[] = [];
    const bulk: Measured[] = [];
    for (let round = 0; round < rounds; round++) {
      show(`growth: ${size} rows, round ${round + 1} of ${rounds}`);
      const topic = `growth-${size}-${round}`;
      await broker.createTopic(topic, { partitions: PARTITIONS });
      await sendMessages(broker.bootstrap, topic, fleetSamples(HOSTS, messages), CompressionTypes.Snappy);
      writer.push(await loadedByWriter(broker, open, messages, topic));
      const rows = chunks([...fleetSamples(HOSTS, messages)], BULK_ROWS);
      bulk.push(await timed(rows, (list) => open.bulk(list)));
    }
    const before = `${size} rows before`;
    const beside = (own: readonly number[], theirs: readonly number[]) => ({
      peer: 'raw bulk load into the same',
      ratios: ratios(own, theirs),
    });
    const [rate, cpu] = [rates(writer), cpus(writer)];
    result.push(row('growth', `writer rows/s into SQLite, ${before}`, rate, beside(rate, rates(bulk))));
    result.push(row('growth', `client CPU µs/row, ${before}`, cpu, beside(cpu, cpus(bulk))));
  }
  return result;
}

function rates(measured: readonly Measured[]): number[] {
  return measured.map(({ rowsPerSecond }) => rowsPerSecond);
}

function cpus(measured: readonly Measured[]): number[] {
  return measured.map(({ cpuUsPerRow }) => cpuUsPerRow);
}

/**
 * Copies of rows that are there, as if they had been taken one after the other before now, a second apart on each host:
 * event_ids and timestamps grow as those of agents do, and so the indexes are filled at the same places.
 */
function fill(path: string, size: number): void {
  const database = new Database(path);
  const count = database.prepare<[], number>('SELECT count(*) FROM server_metrics').pluck();
  let left = size - (count.get() ?? 0);
  const columns = (database.pragma('table_info(server_metrics)') as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => !['id', 'created_at', 'event_id', 'timestamp'].includes(name));
  database.pragma('synchronous = OFF');
  database.pragma('cache_size = -400000');
  database.pragma('temp_store = MEMORY');
  database.exec(
    `CREATE TEMP TABLE pattern AS
     SELECT ${columns.join(', ')} FROM server_metrics ORDER BY id LIMIT ${FILL_AT_ONCE}`,
  );
  const copy = database.prepare(
    `INSERT INTO server_metrics (event_id, timestamp, ${columns.join(', ')})
     SELECT CAST(unhex(printf('%012x', @from + (rowid - 1) * @step)) || randomblob(10) AS BLOB),
       strftime('%Y-%m-%d %H:%M:%f', (@from + (rowid - 1) * @step) / 1000.0, 'unixepoch'), ${columns.join(', ')}
     FROM pattern WHERE rowid <= @rows`,
  );
  const most = database.prepare<[], number>('SELECT count(*) FROM pattern').pluck().get() ?? 0;
  const step = 1000 / HOSTS;
  for (let from = Date.now() - left * step; left > 0; ) {
    const rows = Math.min(left, most);
    copy.run({ from, step, rows });
    from += rows * step;
    left -= rows;
  }
  database.close();
}
