/**
 * A look at a spool from outside: what `hostspool status` and monitoring know of it. From the files alone, agent
 * running or not, in bounded time, changing nothing (see snapshot-source.ts) and waiting for nobody.
 *
 * All that comes out of the database is of one moment. A part that is damaged is left out and named in `damage`; only
 * where nothing at all can be read there is no snapshot.
 *
 * The number and time of the last sample come from three witnesses, since a healthy spool is empty: the newest row, the
 * run's row, and the tail file, which is overwritten at each sample and so carries its time as its own.
 */
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { uuidFromBytes } from '../sample/identity.ts';
import { type AgentRecord, parseAgentRecord } from './agent-record.ts';
import { faultOf } from './faults.ts';
import { type SpoolFiles, spoolFiles } from './files.ts';
import { findHolder, type Holder } from './holder.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { parseShippingState, type ShippingState } from './shipping-state.ts';
import { type QueueReading, readQueue } from './snapshot-queue.ts';
import { lookInto, type Queries, type SnapshotSource } from './snapshot-source.ts';
import { Tail } from './tail.ts';

/** The run that was begun last. */
export interface RunReading {
  readonly runId: string;
  /** Wall clock, ms; null where only the tail file knows the run. */
  readonly startedAt: number | null;
  /** Time between two samples, ms; null where only the tail file knows the run. */
  readonly interval: number | null;
  /** 0 before the first sample. */
  readonly lastSeq: number;
  /** Wall clock, ms; null before the first sample, or where it is not known. */
  readonly lastSampleAt: number | null;
  /** `settled`: it ended, and all about it is with Kafka. */
  readonly ended: 'open' | 'clean' | 'unclean' | 'settled';
  /** Whether it is a run of this boot of this machine. */
  readonly thisBoot: boolean;
}

export interface LossTotal {
  readonly reason: string;
  readonly samples: number;
  /** Wall clock, ms. */
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface SpoolSnapshot {
  readonly path: string;
  /** When it was taken: wall clock and monotonic clock, ms. */
  readonly at: number;
  readonly monotonicAt: number;
  readonly source: SnapshotSource;
  readonly spoolId: string | null;
  /** Null where it is damaged. */
  readonly queue: QueueReading | null;
  /** Pages in use and the log, in bytes. */
  readonly bytes: number;
  /** Free bytes of the filesystem for the spool's owner; null where the system does not tell. */
  readonly filesystemFree: number | null;
  /** What the agent said of itself when it opened the spool; null if none did. */
  readonly agent: AgentRecord | null;
  readonly holder: Holder;
  readonly run: RunReading | null;
  /** As saved last: of a process that was killed it says what that one did then. */
  readonly shipping: ShippingState;
  readonly losses: readonly LossTotal[];
  /** Notes of losses that wait for the next sample to ride on. */
  readonly notesPending: number;
  /** What could not be read, and why; empty for a sound file. */
  readonly damage: readonly string[];
}

export interface SnapshotOptions {
  /** Time for counting samples, ms. */
  readonly countFor?: number;
}

const COUNT_FOR_MS = 500;

interface RunRow {
  readonly runId: string;
  readonly boot_id: string;
  readonly started_at: number;
  readonly interval_ms: number;
  readonly last_seq: number;
  readonly ended: 'clean' | 'unclean' | null;
}

interface Content {
  readonly queue: QueueReading | null;
  readonly bytes: number;
  readonly state: ReadonlyMap<string, string>;
  readonly run: RunRow | undefined;
  readonly losses: readonly LossTotal[];
  readonly notesPending: number;
  readonly damage: readonly string[];
}

/**
 * Looks into the spool; throws SPOOL_MISSING, SPOOL_PERMISSION, SPOOL_NEWER_SCHEMA or SPOOL_UNREADABLE.
 */
export function readSnapshot(path: string, clock: Clock, options: SnapshotOptions = {}): SpoolSnapshot {
  const files = spoolFiles(path);
  requireFile(path);
  const at = clock.now();
  const monotonicAt = clock.monotonic();
  const deadline = monotonicAt + (options.countFor ?? COUNT_FOR_MS);
  const { source, value: content } = look(files, (queries) => readContent(files, queries, clock, deadline));
  const damage = [...content.damage];
  const agentText = content.state.get('agent');
  const agent = agentText === undefined ? null : (parseAgentRecord(agentText) ?? null);
  if (agentText !== undefined && agent === null) damage.push('state: the agent’s record is not one');
  const run = readRun(files, content, agent, clock);
  const named =
    agent?.pid === undefined || run?.startedAt == null || !run.thisBoot
      ? undefined
      : { pid: agent.pid, startedAt: run.startedAt };
  return {
    path,
    at,
    monotonicAt,
    source,
    spoolId: content.state.get('spool_id') ?? null,
    queue: content.queue,
    bytes: content.bytes,
    filesystemFree: filesystemFree(path),
    agent,
    holder: findHolder(files, named),
    run,
    shipping: parseShippingState(content.state.get('shipping')),
    losses: content.losses,
    notesPending: content.notesPending,
    damage,
  };
}

function requireFile(path: string): void {
  try {
    if (statSync(path).isFile()) return;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
      throw new HostspoolError('SPOOL_MISSING', `there is no spool at ${path}`, {
        hint: 'name it with --spool FILE; an agent makes it at its first start, at spool.path of its settings',
      });
    }
    throw unreadable(path, error);
  }
  throw new HostspoolError('SPOOL_UNREADABLE', `${path} is not a file`, {
    hint: 'name the spool file itself, such as spool.db in that directory',
  });
}

function look(files: SpoolFiles, read: (queries: Queries) => Content) {
  try {
    return lookInto(files, read);
  } catch (error) {
    throw error instanceof HostspoolError ? error : unreadable(files.database, error);
  }
}

/** What went wrong at the file as a whole, as an error that says what to do. Anything else stays what it is. */
function unreadable(path: string, cause: unknown): Error {
  const code = errorCode(cause) ?? '';
  if (['EACCES', 'EPERM', 'SQLITE_CANTOPEN', 'SQLITE_PERM', 'SQLITE_AUTH'].includes(code)) {
    return new HostspoolError('SPOOL_PERMISSION', `this user (uid ${process.geteuid?.()}) may not read ${path}`, {
      hint: 'run it as the user whose spool it is, or set spool.group to a group of this user and restart the agent',
      cause,
    });
  }
  const fault = faultOf(cause);
  if (fault === 'damaged' || NOT_OURS.has(code)) {
    return new HostspoolError('SPOOL_UNREADABLE', `${path} is damaged, or is not a spool`, {
      hint: 'an agent that opens it sets the damaged file aside and carries over what can be read',
      cause,
    });
  }
  if (fault === undefined) return asError(cause);
  return new HostspoolError('SPOOL_UNREADABLE', `${path} can't be read: ${asError(cause).message}`, {
    hint: 'look into the system log for errors of the disk',
    retryable: true,
    cause,
  });
}

function readContent(files: SpoolFiles, queries: Queries, clock: Clock, deadline: number): Content {
  requireSchema(files.database, queries);
  const damage: string[] = [];
  let failure: unknown;
  const part = <Value>(name: string, read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      if (!isOfTheFile(error)) throw error;
      failure = error;
      damage.push(`${name}: ${asError(error).message}`);
      return undefined;
    }
  };
  const state = part('state', () => readState(queries));
  const run = part('runs', () => readNewestRun(queries));
  const losses = part('losses', () => readLosses(queries));
  const notes = part('notes', () => queries.one<{ notes: number }>('SELECT COUNT(*) AS notes FROM notes'));
  const queue = part('samples', () => readQueue(queries, clock, deadline));
  if (state === undefined && losses === undefined && notes === undefined && queue === undefined) throw failure;
  return {
    queue: queue ?? null,
    bytes: part('pages', () => bytesInUse(files, queries)) ?? statSync(files.database).size,
    state: state ?? new Map(),
    run,
    losses: losses ?? [],
    notesPending: notes?.notes ?? 0,
    damage,
  };
}

/**
 * Whether an error is the file's fault. The statements are fixed, so one that fails as such means tables that are not
 * ours any more; a wrong type or a number beyond all bounds means a row that is not. A disk that can't be read in one
 * place is as good as damage.
 */
function isOfTheFile(error: unknown): boolean {
  return error instanceof TypeError || NOT_OURS.has(errorCode(error) ?? '') || faultOf(error) !== undefined;
}

const NOT_OURS: ReadonlySet<string> = new Set(['SQLITE_ERROR', 'ERR_OUT_OF_RANGE']);

function requireSchema(path: string, queries: Queries): void {
  const version = queries.one<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  if (version > SCHEMA_VERSION) {
    throw new HostspoolError(
      'SPOOL_NEWER_SCHEMA',
      `the spool ${path} has schema version ${version}, and this hostspool knows up to ${SCHEMA_VERSION}`,
      { hint: 'use the hostspool that wrote it, or a newer one' },
    );
  }
  if (version >= 1) return;
  throw new HostspoolError('SPOOL_UNREADABLE', `${path} is no spool: it has none of a spool's tables`, {
    hint: 'if an agent is just being started, try again; otherwise name the spool file with --spool FILE',
    retryable: true,
  });
}

function readNewestRun(queries: Queries): RunRow | undefined {
  const row = queries.one<RunRow & { run_id: Uint8Array }>('SELECT * FROM runs ORDER BY rowid DESC LIMIT 1');
  return row === undefined ? undefined : { ...row, runId: uuidFromBytes(row.run_id) };
}

function readState(queries: Queries): Map<string, string> {
  const rows = queries.all<{ key: string; value: string }>('SELECT key, value FROM state');
  return new Map(rows.map(({ key, value }) => [key, value]));
}

function readLosses(queries: Queries): LossTotal[] {
  return queries.all<LossTotal>(
    'SELECT reason, samples, first_at AS firstAt, last_at AS lastAt FROM losses ORDER BY last_at DESC, reason',
  );
}

/** The same sum as the spool's own bound: pages in use and the log. */
function bytesInUse(files: SpoolFiles, queries: Queries): number {
  const used = queries.one<{ bytes: number }>(
    `SELECT (page_count - freelist_count) * page_size AS bytes
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
  );
  return (used?.bytes ?? 0) + (statSync(files.wal, { throwIfNoEntry: false })?.size ?? 0);
}

function readRun(
  files: SpoolFiles,
  { run: row, queue }: Content,
  agent: AgentRecord | null,
  clock: Clock,
): RunReading | null {
  const tails = Tail.peek(files.tail, clock.bootId());
  const runId = row?.runId ?? tails.at(-1)?.runId;
  if (runId === undefined) return null;
  const tail = tails.find((other) => other.runId === runId);
  const newest = queue?.newest?.runId === runId ? queue.newest : undefined;
  const tailSeq = tail?.seq ?? 0;
  const newestSeq = newest?.seq ?? 0;
  // A drain also opens the file, and so changes its time.
  const isAgents = agent !== null && Tail.holder(files.tail) === agent.pid;
  return {
    runId,
    startedAt: row?.started_at ?? null,
    interval: row?.interval_ms ?? null,
    lastSeq: Math.max(row?.last_seq ?? 0, newestSeq, tailSeq),
    lastSampleAt: tailSeq > newestSeq && isAgents ? modifiedAt(files.tail) : (newest?.takenAt ?? null),
    ended: row === undefined ? 'settled' : (row.ended ?? 'open'),
    thisBoot: row?.boot_id === clock.bootId(),
  };
}

function modifiedAt(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtime.getTime() ?? null;
}

function filesystemFree(path: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return null;
  }
}
