/** What is read, and the few things that a person or the retention changes outside a load. */
import type { Batch } from '../connection.ts';
import { TABLES, type TableName } from '../schema.ts';
import { SqlError } from '../sql-error.ts';
import type { Column } from '../tokens.ts';
import type { Value } from '../types.ts';
import type { Step } from './steps.ts';

const EXPIRED_AT_ONCE = 4000;

const number = (name: string): Column => ({ name, type: { name: 'int' }, nullable: true });

function named(batch: Batch, names: readonly string[]): Record<string, Value> {
  return Object.fromEntries(
    names.map((name) => {
      const value = batch.parameters.get(name);
      if (value === undefined) throw new SqlError(137, `Must declare the scalar variable "@${name}".`);
      return [name, value];
    }),
  );
}

/** `from` continues a SELECT of these columns of the table, which is called k. */
function reading(table: TableName, names: readonly string[], from: string, parameters: readonly string[] = []): Step {
  const columns = names.map((name) => TABLES[table].find((column) => column.name === name) as Column);
  const select = `SELECT ${names.map((name) => `k.${name}`).join(', ')} FROM main.${table} AS k ${from}`;
  return {
    writes: false,
    run: (batch) => ({ set: batch.connection.select(columns, select, named(batch, parameters)) }),
  };
}

/** Answers one number: how many rows it touched. */
function counting(answer: string, sql: string, parameters: readonly string[]): Step {
  return {
    writes: true,
    run: (batch) => {
      const { changes } = batch.connection.handle.prepare(sql).run(named(batch, parameters));
      return { count: changes, set: { columns: [number(answer)], rows: [[changes]] } };
    },
  };
}

const OF_READER = 'WHERE k.group_id = @group_id AND k.topic = @topic';

export const READ_STEPS: Readonly<Record<string, Step>> = {
  'read-offsets': reading(
    'consumer_offsets',
    ['partition_id', 'epoch', 'next_offset', 'evidence_timestamp', 'evidence_sha256', 'began_at'],
    `${OF_READER} ORDER BY k.partition_id`,
    ['group_id', 'topic'],
  ),
  'read-holes': reading(
    'offset_holes',
    ['partition_id', 'epoch', 'first_offset', 'next_offset', 'reason', 'found_at'],
    `${OF_READER} ORDER BY k.partition_id, k.epoch, k.first_offset`,
    ['group_id', 'topic'],
  ),
  'read-runs': reading(
    'runs',
    [
      'run_id',
      'hostname',
      'first_seen',
      'last_seen',
      'last_seq',
      'last_seq_by_partition',
      'ended',
      'uncertain',
      'version',
    ],
    'JOIN temp."#wanted" AS w ON w.run_id = k.run_id',
  ),
  'read-gaps': reading(
    'seq_gaps',
    ['run_id', 'first_seq', 'last_seq', 'reason'],
    'JOIN temp."#wanted" AS w ON w.run_id = k.run_id ORDER BY k.run_id, k.first_seq',
  ),
  'read-versions': reading('runs', ['run_id', 'version'], 'JOIN temp."#runs" AS r ON r.run_id = k.run_id'),
  'list-hosts': reading(
    'hosts',
    TABLES.hosts.map(({ name }) => name),
    'ORDER BY k.hostname',
  ),
  'retire-host': counting(
    'retired',
    "UPDATE hosts SET retired_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE hostname = @hostname",
    ['hostname'],
  ),
  'expire-rows': counting(
    'expired',
    `DELETE FROM server_metrics WHERE created_at < @before
       AND id <= (SELECT MAX(id) FROM (SELECT id FROM server_metrics ORDER BY id LIMIT ${EXPIRED_AT_ONCE}))`,
    ['before'],
  ),
};
