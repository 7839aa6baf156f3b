/**
 * The one batch that makes a load true, or none of it: T-SQL over the staging tables, one round trip, one transaction.
 *
 *   begin ─▶ begin-offsets, move-offsets ─▶ check-fence ──── not all moved ────▶ outcome fenced ─┐
 *                                               │                                                │
 *                              drop-known, insert-rows                                           │
 *                                               │                                                ▼
 *                      insert-runs, update-runs ─▶ check-runs ─ not all written ▶ outcome stale ─▶ rolled back
 *                                               │                                                ▲
 *    gaps-gone, gaps-come, hosts-new, hosts-heard, hosts-add, forget-skips, add-holes            │
 *                                               │                                                │
 *                                              end ── outcome committed, no rehearsal ▶ committed; rehearsal ─┘
 *
 * The offsets come first: they are the fence, and every writer takes its locks in this one order (offsets, rows, runs,
 * gaps, hosts, holes; within each in the order of the staged numbers). Whatever writes many rows does it in slices of at
 * most 4,000: from about 5,000 locks a statement takes the whole table, and the writers stand in line.
 *
 * What is changed is found by its key, line by line of the staging table (INNER LOOP JOIN, which keeps that order).
 * Left to itself a server may read the whole of a small table, or of an index of ten million rows, where a handful of
 * lines is wanted; an update locks whatever it reads, so writers with nothing in common would wait for each other, and
 * where both have changed some hosts and go through all of them once more, one becomes the victim of a deadlock. What is
 * only looked for, by NOT EXISTS or by the server itself for a foreign key, takes OPTION (LOOP JOIN) to be found so.
 *
 * Each step begins with a comment that names it; docs/sqlserver.md says what each of them means.
 */
import { SKIPPED_BY_OPERATOR } from '../../accounts/reasons.ts';
import { FIELDS } from '../../sample/fields.ts';

export interface LoadStep {
  readonly name: string;
  readonly sql: string;
}

/** Below the number of locks, some 5,000, from which a statement takes the whole table. */
const SLICE = 4000;

const ROW_COLUMNS = ['hostname', '[timestamp]', 'event_id', 'run_id', 'seq', ...FIELDS.map(({ name }) => name)];
const RUN_COLUMNS = [
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
const OFFSET_COLUMNS = ['epoch', 'next_offset', 'evidence_timestamp', 'evidence_sha256'];
const SAID_BY_AGENT = ['last_seen', 'agent_version', 'spool_depth', 'spool_bytes', 'spool_oldest_age_seconds'];
const HOLE_COLUMNS = ['partition_id', 'epoch', 'first_offset', 'next_offset', 'reason', 'found_at'];

/** Only a person makes a reader read again what it has read. */
const GOES_BACK = 'f.epoch = f.expected_epoch AND f.next_offset < f.expected_offset';

const from = (alias: string, columns: readonly string[]) => columns.map((name) => `${alias}.${name}`).join(', ');
const assign = (alias: string, columns: readonly string[]) =>
  columns.map((name) => `${name} = ${alias}.${name}`).join(', ');
const inSlice = (alias: string) => `${alias}.n > @from AND ${alias}.n <= @from + ${SLICE}`;

/** A step that does nothing once a check has failed. */
function unlessRefused(name: string, sql: string): LoadStep {
  return { name, sql: `IF @outcome = N'committed'\nBEGIN\n${indent(sql)}\nEND;` };
}

/** The same, for statements that take one slice of `total` staged lines. */
function sliced(name: string, total: string, sql: string): LoadStep {
  const loop = `WHILE @from < ${total}\nBEGIN\n${indent(sql)}\n  SET @from = @from + ${SLICE};\nEND;`;
  return unlessRefused(name, `SET @from = 0;\n${loop}`);
}

function indent(sql: string): string {
  return sql.replace(/^(?=.)/gm, '  ');
}

export const LOAD_STEPS: readonly LoadStep[] = [
  {
    name: 'begin',
    sql: `SET XACT_ABORT ON;
SET LOCK_TIMEOUT 10000;
DECLARE @outcome NVARCHAR(9) = N'committed', @moved INT = 0, @written INT = 0, @from INT = 0;
DECLARE @inserted INT = 0, @duplicates INT = 0;
BEGIN TRY
BEGIN TRANSACTION;`,
  },
  {
    name: 'begin-offsets',
    sql: `INSERT INTO dbo.consumer_offsets (group_id, topic, partition_id, ${OFFSET_COLUMNS.join(', ')}, began_at)
SELECT @group_id, @topic, f.partition_id, ${from('f', OFFSET_COLUMNS)}, f.began_at
FROM #fence AS f
WHERE f.expected_offset IS NULL AND NOT EXISTS (
  SELECT 1 FROM dbo.consumer_offsets AS o
  WHERE o.group_id = @group_id AND o.topic = @topic AND o.partition_id = f.partition_id
)
OPTION (LOOP JOIN);
SET @moved = @moved + @@ROWCOUNT;`,
  },
  {
    name: 'move-offsets',
    sql: `UPDATE o
SET ${assign('f', OFFSET_COLUMNS)},
  began_at = COALESCE(o.began_at, f.began_at), updated_at = SYSUTCDATETIME()
FROM #fence AS f
INNER LOOP JOIN dbo.consumer_offsets AS o
  ON o.partition_id = f.partition_id AND o.epoch = f.expected_epoch AND o.next_offset = f.expected_offset
WHERE o.group_id = @group_id AND o.topic = @topic;
SET @moved = @moved + @@ROWCOUNT;`,
  },
  { name: 'check-fence', sql: `IF @moved <> @fences SET @outcome = N'fenced';` },
  unlessRefused(
    'drop-known',
    `DELETE s FROM #stage AS s INNER LOOP JOIN dbo.server_metrics AS m ON m.event_id = s.event_id;
SET @duplicates = @@ROWCOUNT;`,
  ),
  sliced(
    'insert-rows',
    '@rows',
    `INSERT INTO dbo.server_metrics (${ROW_COLUMNS.join(', ')})
SELECT ${from('s', ROW_COLUMNS)}
FROM #stage AS s
WHERE ${inSlice('s')}
ORDER BY s.n;
SET @inserted = @inserted + @@ROWCOUNT;`,
  ),
  sliced(
    'insert-runs',
    '@runs',
    `INSERT INTO dbo.runs (run_id, ${RUN_COLUMNS.join(', ')}, version)
SELECT r.run_id, ${from('r', RUN_COLUMNS)}, 1
FROM #runs AS r
WHERE ${inSlice('r')} AND r.version = 0 AND NOT EXISTS (SELECT 1 FROM dbo.runs AS k WHERE k.run_id = r.run_id)
ORDER BY r.n
OPTION (LOOP JOIN);
SET @written = @written + @@ROWCOUNT;`,
  ),
  sliced(
    'update-runs',
    '@runs',
    `UPDATE k
SET ${assign('r', RUN_COLUMNS)}, version = k.version + 1
FROM #runs AS r
INNER LOOP JOIN dbo.runs AS k ON k.run_id = r.run_id AND k.version = r.version
WHERE ${inSlice('r')};
SET @written = @written + @@ROWCOUNT;`,
  ),
  unlessRefused('check-runs', `IF @written <> @runs SET @outcome = N'stale';`),
  sliced(
    'gaps-gone',
    '@gaps',
    `DELETE k
FROM #gaps AS g
INNER LOOP JOIN dbo.seq_gaps AS k ON k.run_id = g.run_id AND k.first_seq = g.first_seq
WHERE g.come = 0 AND ${inSlice('g')};`,
  ),
  sliced(
    'gaps-come',
    '@gaps',
    `INSERT INTO dbo.seq_gaps (run_id, first_seq, last_seq, reason)
SELECT g.run_id, g.first_seq, g.last_seq, g.reason
FROM #gaps AS g
WHERE g.come = 1 AND ${inSlice('g')}
ORDER BY g.n
OPTION (LOOP JOIN);`,
  ),
  sliced(
    'hosts-new',
    '@hosts',
    `INSERT INTO dbo.hosts (hostname, samples, received, lost, missing)
SELECT h.hostname, 0, 0, 0, 0
FROM #hosts AS h
WHERE ${inSlice('h')} AND NOT EXISTS (SELECT 1 FROM dbo.hosts AS k WHERE k.hostname = h.hostname)
ORDER BY h.n
OPTION (LOOP JOIN);`,
  ),
  sliced(
    'hosts-heard',
    '@hosts',
    `UPDATE k
SET ${assign('h', SAID_BY_AGENT)},
  retired_at = CASE WHEN k.retired_at < h.last_seen THEN NULL ELSE k.retired_at END
FROM #hosts AS h
INNER LOOP JOIN dbo.hosts AS k ON k.hostname = h.hostname
WHERE ${inSlice('h')} AND h.last_seen IS NOT NULL AND (k.last_seen IS NULL OR k.last_seen <= h.last_seen);`,
  ),
  sliced(
    'hosts-add',
    '@hosts',
    `UPDATE k
SET samples = k.samples + d.samples, received = k.received + d.received, lost = k.lost + d.lost,
  missing = k.missing + d.missing,
  first_seen = CASE WHEN k.first_seen IS NULL OR d.first_seen < k.first_seen THEN d.first_seen ELSE k.first_seen END
FROM (
  SELECT h.hostname, h.first_seen, h.received, h.lost, h.missing, COUNT(s.n) AS samples
  FROM #hosts AS h
  LEFT JOIN #stage AS s ON s.hostname = h.hostname
  WHERE ${inSlice('h')}
  GROUP BY h.hostname, h.first_seen, h.received, h.lost, h.missing
) AS d
INNER LOOP JOIN dbo.hosts AS k ON k.hostname = d.hostname;`,
  ),
  unlessRefused(
    'forget-skips',
    `IF EXISTS (SELECT 1 FROM #fence AS f WHERE ${GOES_BACK})
BEGIN
  DELETE h
  FROM dbo.offset_holes AS h
  JOIN #fence AS f ON f.partition_id = h.partition_id AND f.epoch = h.epoch
  WHERE h.group_id = @group_id AND h.topic = @topic AND h.reason = N'${SKIPPED_BY_OPERATOR}' AND ${GOES_BACK}
    AND h.first_offset >= f.next_offset;
  UPDATE h
  SET next_offset = f.next_offset
  FROM dbo.offset_holes AS h
  JOIN #fence AS f ON f.partition_id = h.partition_id AND f.epoch = h.epoch
  WHERE h.group_id = @group_id AND h.topic = @topic AND h.reason = N'${SKIPPED_BY_OPERATOR}' AND ${GOES_BACK}
    AND h.next_offset > f.next_offset;
END;`,
  ),
  unlessRefused(
    'add-holes',
    `INSERT INTO dbo.offset_holes (group_id, topic, ${HOLE_COLUMNS.join(', ')})
SELECT @group_id, @topic, ${from('h', HOLE_COLUMNS)}
FROM #holes AS h
WHERE NOT EXISTS (
  SELECT 1 FROM dbo.offset_holes AS k
  WHERE k.group_id = @group_id AND k.topic = @topic AND k.partition_id = h.partition_id AND k.epoch = h.epoch
    AND k.first_offset = h.first_offset
)
OPTION (LOOP JOIN);`,
  ),
  {
    name: 'end',
    sql: `IF @outcome = N'committed' AND @rehearsal = 0
BEGIN
  COMMIT TRANSACTION;
END
ELSE
BEGIN
  ROLLBACK TRANSACTION;
END;
END TRY
BEGIN CATCH
  IF XACT_STATE() <> 0 ROLLBACK TRANSACTION;
  THROW;
END CATCH;
SELECT @outcome AS outcome, @inserted AS inserted, @duplicates AS duplicates;`,
  },
];

/** Parameters: @group_id, @topic, @fences, @rows, @runs, @gaps, @hosts (how many lines are staged), @rehearsal. */
export function loadBatch(steps: readonly LoadStep[] = LOAD_STEPS): string {
  return ['/* step: load */', ...steps.map(({ name, sql }) => `/* step: ${name} */\n${sql}`)].join('\n');
}
