/** The fleet: one row per hostname. What an agent said of itself follows the newest sample, the sums only add. */
import type { SqliteDatabase, SqliteStatement } from '../../lib/sqlite.ts';
import type { HostChange } from '../host-changes.ts';
import type { HostRecord } from '../sink-admin.ts';
import { fromTimeText, toTimeText } from './times.ts';

type HostRow = Omit<HostRecord, 'first_seen' | 'last_seen' | 'retired_at'> & {
  first_seen: string | null;
  last_seen: string | null;
  retired_at: string | null;
};

export class HostsTable {
  readonly #insert: SqliteStatement<[string]>;
  readonly #hear: SqliteStatement<[object]>;
  readonly #add: SqliteStatement<[object]>;
  readonly #select: SqliteStatement<[], HostRow>;
  readonly #retire: SqliteStatement<[string]>;

  constructor(database: SqliteDatabase) {
    this.#insert = database.prepare(
      'INSERT INTO hosts (hostname, samples, received, lost, missing) VALUES (?, 0, 0, 0, 0) ON CONFLICT DO NOTHING',
    );
    this.#hear = database.prepare(
      `UPDATE hosts
       SET last_seen = @last, agent_version = @agent_version, spool_depth = @spool_depth, spool_bytes = @spool_bytes,
         spool_oldest_age_seconds = @spool_oldest_age_seconds,
         retired_at = CASE WHEN retired_at < @last THEN NULL ELSE retired_at END
       WHERE hostname = @hostname AND (last_seen IS NULL OR last_seen <= @last)`,
    );
    this.#add = database.prepare(
      `UPDATE hosts
       SET samples = samples + @samples, received = received + @received, lost = lost + @lost,
         missing = missing + @missing, first_seen = coalesce(min(first_seen, @first), first_seen, @first)
       WHERE hostname = @hostname`,
    );
    this.#select = database.prepare('SELECT * FROM hosts ORDER BY hostname');
    this.#retire = database.prepare(
      "UPDATE hosts SET retired_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE hostname = ?",
    );
  }

  list(): HostRecord[] {
    return this.#select.all().map((row) => ({
      ...row,
      first_seen: timeOf(row.first_seen),
      last_seen: timeOf(row.last_seen),
      retired_at: timeOf(row.retired_at),
    }));
  }

  /** False where there is no such host. */
  retire(hostname: string): boolean {
    return this.#retire.run(hostname).changes > 0;
  }

  /** `inserted`: new rows of this load by hostname; each of these hosts gets its row. */
  apply(changes: readonly HostChange[], inserted: ReadonlyMap<string, number>): void {
    const told = new Set<string>();
    for (const change of changes) {
      told.add(change.hostname);
      const first = change.first_seen === null ? null : toTimeText(change.first_seen);
      const last = change.last_seen === null ? null : toTimeText(change.last_seen);
      const row = { ...change, first, last, samples: inserted.get(change.hostname) ?? 0 };
      this.#insert.run(change.hostname);
      if (last !== null) this.#hear.run(row);
      this.#add.run(row);
    }
    for (const [hostname, samples] of inserted) {
      if (told.has(hostname)) continue;
      this.#insert.run(hostname);
      this.#add.run({ hostname, samples, received: 0, lost: 0, missing: 0, first: null });
    }
  }
}

function timeOf(text: string | null): number | null {
  return text === null ? null : fromTimeText(text);
}
