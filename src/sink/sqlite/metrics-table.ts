/**
 * The rows. One prepared statement, run once per row inside the load's transaction: with an embedded database there is
 * no round trip to save, and the unique index on event_id tells new rows from known ones as they go in.
 */
import type { SqliteDatabase, SqliteStatement } from '../../lib/sqlite.ts';
import type { DecodedSample } from '../../sample/decode.ts';
import { FIELDS } from '../../sample/fields.ts';
import { uuidInto, uuidToBytes } from '../../sample/identity.ts';
import { TimeTexts, toTimeText } from './times.ts';

export interface Inserted {
  /** Rows that were not there before. */
  readonly rows: number;
  readonly byHost: ReadonlyMap<string, number>;
}

export class MetricsTable {
  readonly #insert: SqliteStatement<unknown[]>;
  readonly #expire: SqliteStatement<[string, number]>;
  readonly #times = new TimeTexts();

  constructor(database: SqliteDatabase) {
    const columns = ['hostname', 'timestamp', 'event_id', 'run_id', 'seq', ...FIELDS.map((field) => field.name)];
    this.#insert = database.prepare(
      `INSERT INTO server_metrics (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
       ON CONFLICT (event_id) DO NOTHING`,
    );
    this.#expire = database.prepare(
      `DELETE FROM server_metrics
       WHERE created_at < ? AND id <= (SELECT max(id) FROM (SELECT id FROM server_metrics ORDER BY id LIMIT ?))`,
    );
  }

  insert(samples: readonly DecodedSample[]): Inserted {
    const byHost = new Map<string, number>();
    const runs = new Map<string, Buffer>();
    let rows = 0;
    // SQLite has copied what it keeps of it when the statement has run.
    const event = Buffer.allocUnsafe(16);
    for (const { hostname, timestamp, event_id, run_id, seq, values } of samples) {
      uuidInto(event_id, event, 0);
      const run = run_id === null ? null : bytesOf(run_id, runs);
      const { changes } = this.#insert.run(hostname, this.#times.of(timestamp), event, run, seq, ...values);
      if (changes === 0) continue;
      rows++;
      byHost.set(hostname, (byHost.get(hostname) ?? 0) + 1);
    }
    return { rows, byHost };
  }

  /** Of the `most` oldest rows, deletes those that arrived before `before`, ms since the epoch; answers how many. */
  expire(before: number, most: number): number {
    return this.#expire.run(toTimeText(before), most).changes;
  }
}

function bytesOf(run: string, known: Map<string, Buffer>): Buffer {
  let bytes = known.get(run);
  if (bytes === undefined) {
    bytes = uuidToBytes(run);
    known.set(run, bytes);
  }
  return bytes;
}
