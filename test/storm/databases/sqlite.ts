/** A SQLite file that all writers share. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { gapOf, type LogPlace, reasonsOf, type StormDatabase, uuidOf } from '../database.ts';
import type { DatabaseCopy } from '../evidence.ts';
import type { Fault } from '../fault.ts';

type Row = Readonly<Record<string, string | number | null>>;

const WATCH = `
  CREATE TABLE IF NOT EXISTS storm_moves (partition_id, old_epoch, old_offset, epoch, next_offset);
  CREATE TRIGGER IF NOT EXISTS storm_watches_offsets AFTER UPDATE OF next_offset, epoch ON consumer_offsets BEGIN
    INSERT INTO storm_moves VALUES (NEW.partition_id, OLD.epoch, OLD.next_offset, NEW.epoch, NEW.next_offset);
  END;`;

export class SqliteStormDatabase implements StormDatabase {
  readonly name = 'SQLite';
  readonly faults: readonly Fault[] = [
    {
      name: 'the database is locked by another process',
      on: 'database',
      run: ({ random, pause, note }) => this.#lockFor(random.integer(300, 5000), pause, note),
    },
  ];
  readonly #path: string;
  readonly #watching: NodeJS.Timeout;

  constructor(directory: string) {
    this.#path = join(directory, 'metrics.db');
    this.#watching = setInterval(() => this.#watchOffsets(), 200);
  }

  /** As soon as a writer has made the tables: the file itself records every move of an offset. */
  #watchOffsets(): void {
    if (!existsSync(this.#path)) return;
    try {
      using database = this.#open(false);
      database.handle.exec(WATCH);
      clearInterval(this.#watching);
    } catch {
      // There are no tables yet, or a writer is busy.
    }
  }

  settings(): { readonly args: readonly string[] } {
    return { args: ['--writer.sink=sqlite', `--sqlite.path=${this.#path}`] };
  }

  async #lockFor(ms: number, pause: (ms: number) => Promise<void>, note: (what: string) => void): Promise<void> {
    if (!existsSync(this.#path)) return note('there is no database yet');
    using database = this.#open(false);
    try {
      database.handle.exec('BEGIN IMMEDIATE');
    } catch {
      note('a writer holds it');
      return;
    }
    note(`for ${ms} ms`);
    await pause(ms);
    database.handle.exec('ROLLBACK');
  }

  async heal(): Promise<void> {}

  async offsets({ group, topic }: LogPlace): Promise<ReadonlyMap<number, number>> {
    using database = this.#open(true);
    const rows = database.all('SELECT * FROM consumer_offsets WHERE group_id = ? AND topic = ?', group, topic);
    return new Map(rows.map((row) => [Number(row.partition_id), Number(row.next_offset)]));
  }

  async copy({ group, topic }: LogPlace): Promise<DatabaseCopy> {
    using database = this.#open(true);
    const offsets = database.all('SELECT * FROM consumer_offsets WHERE group_id = ? AND topic = ?', group, topic);
    return {
      rows: database
        .all("SELECT hex(event_id) AS event_id, nullif(hex(run_id), '') AS run_id, seq, hostname FROM server_metrics")
        .map((row) => ({
          event_id: uuidOf(String(row.event_id)),
          run_id: uuidOf(row.run_id as string | null),
          seq: row.seq as number | null,
          hostname: String(row.hostname),
        })),
      accounting: database.all('SELECT * FROM vw_sample_accounting').map((row) => ({
        run_id: uuidOf(String(row.run_id)),
        hostname: String(row.hostname),
        taken: Number(row.taken),
        received: Number(row.received),
        lost: Number(row.lost),
        missing: Number(row.missing),
        uncertain: row.uncertain_tail === 1,
        ended: row.ended as string | null,
        reasons: reasonsOf(row),
      })),
      gaps: database.all('SELECT hex(run_id) AS run_id, first_seq, last_seq, reason FROM seq_gaps').map(gapOf),
      hosts: database.all('SELECT hostname, samples, received, lost, missing FROM hosts') as never,
      offsets: new Map(
        offsets.map((row) => [Number(row.partition_id), { next: Number(row.next_offset), epoch: Number(row.epoch) }]),
      ),
      holes: database.all('SELECT 1 FROM offset_holes').length,
    };
  }

  async findings(): Promise<readonly string[]> {
    using database = this.#open(true);
    const back = database.all('SELECT * FROM storm_moves WHERE (epoch, next_offset) < (old_epoch, old_offset)');
    return back.map((move) => `partition ${move.partition_id} was moved back: ${JSON.stringify(move)}`);
  }

  #open(readonly: boolean) {
    const handle = new Database(this.#path, { readonly, fileMustExist: true, timeout: 5000 });
    return {
      handle,
      all: (sql: string, ...values: unknown[]) => handle.prepare(sql).all(...values) as Row[],
      [Symbol.dispose]: () => void handle.close(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watching);
  }
}
