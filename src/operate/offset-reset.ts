/**
 * Sets where the writers go on. The order of its steps:
 *
 *   1. nobody reads: a group with members is refused, since a running writer would only be fenced, and go on anyway
 *   2. plan, over what log and database have now; a log that is not the one that was read is refused
 *   3. the database: all partitions in one transaction, each only over the offset that was planned from, together with
 *      the record of what is skipped
 *   4. Kafka's own offsets follow, for tools that look at them; nothing depends on it
 */
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { LogReader, Sink } from '../sink/sink.ts';
import type { SinkAdmin } from '../sink/sink-admin.ts';
import type { LogAdmin } from './log-admin.ts';
import { anotherLog, type PlannedReset, planReset, type ResetTarget } from './offset-plan.ts';
import { isAnotherLog, readPositions } from './positions.ts';

export type ResetWish =
  | Exclude<ResetTarget, { readonly kind: 'time' }>
  /** ms since the epoch. */
  | { readonly kind: 'time'; readonly time: number };

export interface ResetOptions {
  readonly log: LogAdmin;
  readonly database: Pick<Sink, 'readOffsets'> & Pick<SinkAdmin, 'resetOffsets'>;
  readonly reader: LogReader;
  readonly target: ResetWish;
  /** null: all that the topic has. */
  readonly partitions: readonly number[] | null;
  readonly clock: Clock;
}

export interface ResetOutcome {
  /** Why Kafka's own offsets did not follow; null: they did. */
  readonly kafka_error: Error | null;
}

/** Steps 1 and 2. */
export async function planOffsets(options: ResetOptions): Promise<readonly PlannedReset[]> {
  const { log, database, reader, target, partitions, clock } = options;
  await assertIdle(log, reader);
  const positions = await readPositions(log, async () => database, reader);
  if (positions.database_error !== null) throw positions.database_error;
  const resolved: ResetTarget =
    target.kind === 'time' ? { kind: 'time', offsets: await log.offsetsAt(reader.topic, target.time) } : target;
  const plan = planReset(positions.partitions, resolved, partitions, clock.now());
  for (const position of positions.partitions) {
    const isMeant = plan.some(({ partition }) => partition === position.partition);
    if (isMeant && (await isAnotherLog(log, reader.topic, position))) throw anotherLog(position.partition);
  }
  return plan;
}

/** Steps 3 and 4, after a last look whether still nobody reads. */
export async function applyReset(options: ResetOptions, plan: readonly PlannedReset[]): Promise<ResetOutcome> {
  const { log, database, reader } = options;
  await assertIdle(log, reader);
  const changes = plan.filter((each) => each.changes);
  if (changes.length === 0) return { kafka_error: null };
  const moved = await database.resetOffsets(
    reader,
    changes.map(({ reset }) => reset),
    changes.flatMap(({ holes }) => holes),
  );
  if (moved.length > 0) {
    throw new HostspoolError(
      'OFFSETS_MOVED',
      `nothing was changed: meanwhile the offsets of partition ${moved.join(', ')} moved`,
      { hint: 'stop every writer of the group, and repeat', retryable: true },
    );
  }
  try {
    await log.commit(reader.group, reader.topic, new Map(plan.map(({ partition, to }) => [partition, to])));
    return { kafka_error: null };
  } catch (error) {
    return { kafka_error: asError(error) };
  }
}

async function assertIdle(log: LogAdmin, { group }: LogReader): Promise<void> {
  const { members } = await log.members(group);
  if (members.length === 0) return;
  const who = members.map(({ clientId, host }) => `${clientId} on ${host.replace(/^\//, '')}`).join(', ');
  throw new HostspoolError(
    'KAFKA_GROUP_ACTIVE',
    `the group ${group} is read by ${who}, which would go on where it is`,
    {
      hint: 'stop every writer of the group first; one that was killed counts until kafka.session_timeout has passed',
      retryable: true,
    },
  );
}
