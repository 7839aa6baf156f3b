/** The offsets, whose moving is the fence of a load, and the holes that were found in the logs. */
import type { LogHole } from '../../accounts/advance.ts';
import { SKIPPED_BY_OPERATOR } from '../../accounts/reasons.ts';
import type { SqliteDatabase, SqliteStatement } from '../../lib/sqlite.ts';
import type { LogReader, OffsetMove, StoredOffset } from '../sink.ts';
import { fromTimeText, toTimeText } from './times.ts';

interface OffsetRow {
  partition_id: number;
  epoch: number;
  next_offset: number;
  evidence_timestamp: string | null;
  evidence_sha256: Buffer | null;
  began_at: string | null;
}

interface HoleRow {
  partition_id: number;
  epoch: number;
  first_offset: number;
  next_offset: number | null;
  reason: LogHole['reason'];
  found_at: string;
}

export class OffsetTables {
  readonly #begin: SqliteStatement<[object]>;
  readonly #move: SqliteStatement<[object]>;
  readonly #select: SqliteStatement<[string, string], OffsetRow>;
  readonly #forgetSkips: SqliteStatement<[object]>;
  readonly #shortenSkip: SqliteStatement<[object]>;
  readonly #insertHole: SqliteStatement<[object]>;
  readonly #selectHoles: SqliteStatement<[string, string], HoleRow>;

  constructor(database: SqliteDatabase) {
    this.#begin = database.prepare(
      `INSERT INTO consumer_offsets (group_id, topic, partition_id, epoch, next_offset, evidence_timestamp,
         evidence_sha256, began_at)
       VALUES (@group, @topic, @partition, @epoch, @next, @evidence_timestamp, @evidence_sha256, @began_at)
       ON CONFLICT (group_id, topic, partition_id) DO NOTHING`,
    );
    this.#move = database.prepare(
      `UPDATE consumer_offsets
       SET epoch = @epoch, next_offset = @next, evidence_timestamp = @evidence_timestamp,
         evidence_sha256 = @evidence_sha256, began_at = coalesce(began_at, @began_at),
         updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
       WHERE group_id = @group AND topic = @topic AND partition_id = @partition
         AND epoch = @expected_epoch AND next_offset = @expected_offset`,
    );
    this.#select = database.prepare('SELECT * FROM consumer_offsets WHERE group_id = ? AND topic = ?');
    const skips = `group_id = @group AND topic = @topic AND partition_id = @partition AND epoch = @epoch
         AND reason = '${SKIPPED_BY_OPERATOR}'`;
    this.#forgetSkips = database.prepare(`DELETE FROM offset_holes WHERE ${skips} AND first_offset >= @next`);
    this.#shortenSkip = database.prepare(
      `UPDATE offset_holes SET next_offset = @next WHERE ${skips} AND next_offset > @next`,
    );
    this.#insertHole = database.prepare(
      `INSERT INTO offset_holes (group_id, topic, partition_id, epoch, first_offset, next_offset, reason, found_at)
       VALUES (@group, @topic, @partition, @epoch, @first_offset, @next_offset, @reason, @found_at)
       ON CONFLICT DO NOTHING`,
    );
    this.#selectHoles = database.prepare(
      'SELECT * FROM offset_holes WHERE group_id = ? AND topic = ? ORDER BY partition_id, epoch, first_offset',
    );
  }

  /** Moves all that are as expected; answers the partitions that are not. */
  move({ group, topic }: LogReader, moves: readonly OffsetMove[]): number[] {
    const fenced: number[] = [];
    for (const { partition, expected, epoch, next, evidence, began_at } of moves) {
      const row = {
        group,
        topic,
        partition,
        epoch,
        next,
        evidence_timestamp: evidence === null ? null : toTimeText(evidence.timestamp),
        evidence_sha256: evidence?.sha256 ?? null,
        began_at: began_at === null ? null : toTimeText(began_at),
      };
      const { changes } =
        expected === null
          ? this.#begin.run(row)
          : this.#move.run({ ...row, expected_epoch: expected.epoch, expected_offset: expected.offset });
      if (changes === 0) fenced.push(partition);
    }
    return fenced;
  }

  read({ group, topic }: LogReader, partitions?: readonly number[]): Map<number, StoredOffset> {
    const offsets = new Map<number, StoredOffset>();
    for (const row of this.#select.all(group, topic)) {
      if (partitions !== undefined && !partitions.includes(row.partition_id)) continue;
      const { evidence_timestamp: timestamp, evidence_sha256: sha256, began_at } = row;
      offsets.set(row.partition_id, {
        partition: row.partition_id,
        epoch: row.epoch,
        next: row.next_offset,
        evidence: timestamp === null || sha256 === null ? null : { timestamp: fromTimeText(timestamp), sha256 },
        began_at: began_at === null ? null : fromTimeText(began_at),
      });
    }
    return offsets;
  }

  /** What a reader goes back over, which only a person makes it do, is no longer passed over. */
  forgetSkips({ group, topic }: LogReader, moves: readonly OffsetMove[]): void {
    for (const { partition, expected, epoch, next } of moves) {
      if (expected === null || epoch !== expected.epoch || next >= expected.offset) continue;
      this.#forgetSkips.run({ group, topic, partition, epoch, next });
      this.#shortenSkip.run({ group, topic, partition, epoch, next });
    }
  }

  recordHoles({ group, topic }: LogReader, holes: readonly LogHole[]): void {
    for (const hole of holes) this.#insertHole.run({ group, topic, ...hole, found_at: toTimeText(hole.found_at) });
  }

  readHoles({ group, topic }: LogReader): LogHole[] {
    return this.#selectHoles
      .all(group, topic)
      .map(({ partition_id, epoch, first_offset, next_offset, reason, found_at }) => {
        return { partition: partition_id, epoch, first_offset, next_offset, reason, found_at: fromTimeText(found_at) };
      });
  }
}
