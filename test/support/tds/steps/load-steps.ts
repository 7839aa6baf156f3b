/**
 * The load: the steps of one batch that shares variables. From the moment its outcome is no longer `committed` the steps
 * that write do nothing. Whatever a real server would refuse for want of an earlier step is refused here: a variable that
 * `begin` did not declare is error 137.
 */
import type { Batch } from '../connection.ts';
import { SqlError } from '../sql-error.ts';
import type { Column } from '../tokens.ts';
import type { Step, StepAnswer } from './steps.ts';

interface Variables {
  outcome: string;
  moved: number;
  written: number;
  inserted: number;
  duplicates: number;
}

const SLICE = 4000;
const LOCK_TIMEOUT_MS = 10_000;
const POSITION = ['epoch', 'next_offset', 'evidence_timestamp', 'evidence_sha256'];
const RUN = [
  'hostname',
  'first_seen',
  'last_seen',
  'last_seq',
  'last_seq_by_partition',
  'ended',
  'uncertain',
  'received',
  'lost',
  'missing',
];
const ANSWER: readonly Column[] = [
  { name: 'outcome', type: { name: 'nvarchar', length: 9 }, nullable: true },
  { name: 'inserted', type: { name: 'int' }, nullable: true },
  { name: 'duplicates', type: { name: 'int' }, nullable: true },
];

function variables({ variables }: Batch): Variables {
  if (variables === undefined) throw new SqlError(137, 'Must declare the scalar variable "@outcome".');
  return variables as unknown as Variables;
}

function parameter({ parameters }: Batch, name: string): string | number {
  const value = parameters.get(name);
  if (value === undefined) throw new SqlError(137, `Must declare the scalar variable "@${name}".`);
  return typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : String(value);
}

/** Runs a statement of the store; answers how many rows it touched. */
function execute(batch: Batch, sql: string, given: Record<string, string | number> = {}): number {
  return batch.connection.handle.prepare(sql).run(given).changes;
}

function reader(batch: Batch): { group_id: string | number; topic: string | number } {
  return { group_id: parameter(batch, 'group_id'), topic: parameter(batch, 'topic') };
}

/** A step that answers how many rows it touched, if it touches any. */
type Work = (batch: Batch, declared: Variables) => number | undefined;

function writing(work: Work): Step {
  return {
    writes: true,
    run: (batch) => {
      const count = work(batch, variables(batch));
      return count === undefined ? undefined : { count };
    },
  };
}

function unlessRefused(work: Work): Step {
  return writing((batch, declared) => (declared.outcome === 'committed' ? work(batch, declared) : undefined));
}

/** Once for each 4,000 of the staged lines, as far as the client said that there are any. */
function sliced(total: string, sql: string, counter?: 'written'): Step {
  return unlessRefused((batch, declared) => {
    let rows = 0;
    for (let start = 0; start < Number(parameter(batch, total)); start += SLICE)
      rows += execute(batch, sql, { start, end: start + SLICE });
    if (counter !== undefined) declared[counter] += rows;
    return rows;
  });
}

const set = (names: readonly string[], from: string) => names.map((name) => `${name} = ${from}.${name}`).join(', ');
const list = (names: readonly string[], from: string) => names.map((name) => `${from}.${name}`).join(', ');
const IN_SLICE = 'n > @start AND n <= @end';

export const LOAD_STEPS: Readonly<Record<string, Step>> = {
  load: { writes: false, run: () => undefined },

  begin: {
    writes: false,
    run: async (batch, signal) => {
      const { connection } = batch;
      batch.variables = { outcome: 'committed', moved: 0, written: 0, inserted: 0, duplicates: 0 };
      connection.xactAbort = true;
      connection.lockTimeout = LOCK_TIMEOUT_MS;
      await connection.begin(signal);
      return undefined;
    },
  },

  'begin-offsets': writing((batch, declared) => {
    const rows = execute(
      batch,
      `INSERT INTO consumer_offsets (group_id, topic, partition_id, ${POSITION.join(', ')}, began_at)
       SELECT @group_id, @topic, f.partition_id, ${list(POSITION, 'f')}, f.began_at FROM temp."#fence" AS f
       WHERE f.expected_offset IS NULL AND NOT EXISTS (
         SELECT 1 FROM consumer_offsets AS o
         WHERE o.group_id = @group_id AND o.topic = @topic AND o.partition_id = f.partition_id)`,
      reader(batch),
    );
    declared.moved += rows;
    return rows;
  }),

  'move-offsets': writing((batch, declared) => {
    const rows = execute(
      batch,
      `UPDATE consumer_offsets AS o
       SET ${set(POSITION, 'f')}, began_at = COALESCE(o.began_at, f.began_at),
         updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
       FROM temp."#fence" AS f
       WHERE o.group_id = @group_id AND o.topic = @topic AND f.partition_id = o.partition_id
         AND f.expected_epoch = o.epoch AND f.expected_offset = o.next_offset`,
      reader(batch),
    );
    declared.moved += rows;
    return rows;
  }),

  'check-fence': writing((batch, declared) => {
    if (declared.moved !== parameter(batch, 'fences')) declared.outcome = 'fenced';
    return undefined;
  }),

  'drop-known': unlessRefused((batch, declared) => {
    declared.duplicates = execute(
      batch,
      'DELETE FROM temp."#stage" WHERE event_id IN (SELECT event_id FROM server_metrics)',
    );
    return declared.duplicates;
  }),

  'insert-rows': unlessRefused((batch, declared) => {
    const { handle, server } = batch.connection;
    const columns = handle
      .prepare("SELECT name FROM pragma_table_info('#stage') WHERE name <> 'n'")
      .pluck()
      .all()
      .map((name) => `"${name}"`)
      .join(', ');
    for (let start = 0; start < Number(parameter(batch, 'rows')); start += SLICE) {
      const slice = { start, end: start + SLICE };
      server.faults.judge('insert-rows', () => {
        const rows = handle.prepare(`SELECT * FROM temp."#stage" WHERE ${IN_SLICE}`).iterate(slice);
        return rows as Iterable<Readonly<Record<string, unknown>>>;
      });
      declared.inserted += execute(
        batch,
        `INSERT INTO server_metrics (${columns}) SELECT ${columns} FROM temp."#stage" WHERE ${IN_SLICE} ORDER BY n`,
        slice,
      );
    }
    return declared.inserted;
  }),

  'insert-runs': sliced(
    'runs',
    `INSERT INTO runs (run_id, ${RUN.join(', ')}, version)
     SELECT r.run_id, ${list(RUN, 'r')}, 1 FROM temp."#runs" AS r
     WHERE ${IN_SLICE} AND r.version = 0 AND NOT EXISTS (SELECT 1 FROM runs AS k WHERE k.run_id = r.run_id)`,
    'written',
  ),

  'update-runs': sliced(
    'runs',
    `UPDATE runs AS k SET ${set(RUN, 'r')}, version = k.version + 1 FROM temp."#runs" AS r
     WHERE ${IN_SLICE} AND r.run_id = k.run_id AND r.version = k.version`,
    'written',
  ),

  'check-runs': unlessRefused((batch, declared) => {
    if (declared.written !== parameter(batch, 'runs')) declared.outcome = 'stale';
    return undefined;
  }),

  'gaps-gone': sliced(
    'gaps',
    `DELETE FROM seq_gaps WHERE (run_id, first_seq) IN (
       SELECT run_id, first_seq FROM temp."#gaps" WHERE come = 0 AND ${IN_SLICE})`,
  ),

  'gaps-come': sliced(
    'gaps',
    `INSERT INTO seq_gaps (run_id, first_seq, last_seq, reason)
     SELECT run_id, first_seq, last_seq, reason FROM temp."#gaps" WHERE come = 1 AND ${IN_SLICE}`,
  ),

  'hosts-new': sliced(
    'hosts',
    `INSERT INTO hosts (hostname, samples, received, lost, missing)
     SELECT h.hostname, 0, 0, 0, 0 FROM temp."#hosts" AS h
     WHERE ${IN_SLICE} AND NOT EXISTS (SELECT 1 FROM hosts AS k WHERE k.hostname = h.hostname)`,
  ),

  'hosts-heard': sliced(
    'hosts',
    `UPDATE hosts AS k
     SET ${set(['last_seen', 'agent_version', 'spool_depth', 'spool_bytes', 'spool_oldest_age_seconds'], 'h')},
       retired_at = CASE WHEN k.retired_at < h.last_seen THEN NULL ELSE k.retired_at END
     FROM temp."#hosts" AS h
     WHERE ${IN_SLICE} AND h.hostname = k.hostname AND h.last_seen IS NOT NULL
       AND (k.last_seen IS NULL OR k.last_seen <= h.last_seen)`,
  ),

  'hosts-add': sliced(
    'hosts',
    `UPDATE hosts AS k
     SET received = k.received + h.received, lost = k.lost + h.lost, missing = k.missing + h.missing,
       samples = k.samples + (SELECT COUNT(*) FROM temp."#stage" AS s WHERE s.hostname = h.hostname),
       first_seen = CASE WHEN k.first_seen IS NULL OR h.first_seen < k.first_seen THEN h.first_seen ELSE k.first_seen END
     FROM temp."#hosts" AS h
     WHERE ${IN_SLICE} AND h.hostname = k.hostname`,
  ),

  'forget-skips': unlessRefused((batch) => {
    const back = (condition: string) => `EXISTS (
      SELECT 1 FROM temp."#fence" AS f
      WHERE f.partition_id = offset_holes.partition_id AND f.epoch = offset_holes.epoch AND f.epoch = f.expected_epoch
        AND f.next_offset < f.expected_offset AND ${condition})`;
    const ours = "group_id = @group_id AND topic = @topic AND reason = 'skipped_by_operator'";
    const gone = execute(
      batch,
      `DELETE FROM offset_holes WHERE ${ours} AND ${back('offset_holes.first_offset >= f.next_offset')}`,
      reader(batch),
    );
    const shortened = execute(
      batch,
      `UPDATE offset_holes SET next_offset = (
         SELECT f.next_offset FROM temp."#fence" AS f WHERE f.partition_id = offset_holes.partition_id)
       WHERE ${ours} AND ${back('offset_holes.next_offset > f.next_offset')}`,
      reader(batch),
    );
    return gone + shortened;
  }),

  'add-holes': unlessRefused((batch) => {
    const columns = ['partition_id', 'epoch', 'first_offset', 'next_offset', 'reason', 'found_at'];
    return execute(
      batch,
      `INSERT INTO offset_holes (group_id, topic, ${columns.join(', ')})
       SELECT @group_id, @topic, ${list(columns, 'h')} FROM temp."#holes" AS h
       WHERE NOT EXISTS (
         SELECT 1 FROM offset_holes AS k
         WHERE k.group_id = @group_id AND k.topic = @topic AND k.partition_id = h.partition_id AND k.epoch = h.epoch
           AND k.first_offset = h.first_offset)`,
      reader(batch),
    );
  }),

  end: {
    writes: false,
    run: (batch): StepAnswer => {
      const { connection } = batch;
      const declared = variables(batch);
      const keep = declared.outcome === 'committed' && parameter(batch, 'rehearsal') === 0;
      if (!connection.handle.inTransaction) throw new SqlError(keep ? 3902 : 3903);
      connection.handle.exec(keep ? 'COMMIT' : 'ROLLBACK');
      const { outcome, inserted, duplicates } = declared;
      return { set: { columns: ANSWER, rows: [[outcome, inserted, duplicates]] } };
    },
  },
};
