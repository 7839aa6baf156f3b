/** The fleet: one row per hostname. What an agent said of itself follows the newest sample, the sums only add. */
import type { SqliteDatabase, SqliteStatement } from '../../lib/sqlite.ts';
import type { HostChange } from '../host-changes.ts';
import { toTimeText } from './times.ts';

export class HostsTable {
  readonly #insert: SqliteStatement<[string]>;
  readonly #hear: SqliteStatement<[object]>;
  readonly #add: SqliteStatement<[object]>;

  constructor(database: SqliteDatabase) {
    this.#insert = database.prepare(
      'INSERT INTO hosts (hostname, samples, received, lost, missing) VALUES (?, 0, 0, 0, 0) ON CONFLICT DO NOTHING',
    );
    this.#hear = database.prepare(
      `UPDATE hosts
       SET last_seen = @last, agent_version = @agent_version, spool_depth = @spool_depth, spool_bytes = @spool_bytes,
         spool_oldest_age_seconds = @spool_oldest_age_seconds
       WHERE hostname = @hostname AND (last_seen IS NULL OR last_seen <= @last)`,
    );
    this.#add = database.prepare(
      `UPDATE hosts
       SET samples = samples + @samples, received = received + @received, lost = lost + @lost,
         missing = missing + @missing, first_seen = coalesce(min(first_seen, @first), first_seen, @first)
       WHERE hostname = @hostname`,
    );
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
