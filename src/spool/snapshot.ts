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
import type { SqliteDatabase } from '../lib/sqlite.ts';
import { type AgentRecord, parseAgentRecord } from './agent-record.ts';
import { faultOf } from './faults.ts';
import { type SpoolFiles, spoolFiles } from './files.ts';
import { findHolder, type Holder } from './holder.ts';
import { parseShippingState, type ShippingState } from './shipping-state.ts';
import { type Content, isForeign, type LossTotal, readContent } from './snapshot-content.ts';
import { EMPTY_QUEUE, type QueueReading } from './snapshot-queue.ts';
import { lookInto, type Queries, queriesOf, type SnapshotSource } from './snapshot-source.ts';
import { type RunTail, Tail } from './tail.ts';

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
/** Time for it within a process that samples meanwhile, ms. */
const COUNT_WITHIN_MS = 20;

/**
 * Looks into the spool; throws SPOOL_MISSING, SPOOL_PERMISSION, SPOOL_NEWER_SCHEMA or SPOOL_UNREADABLE.
 */
export function readSnapshot(path: string, clock: Clock, options: SnapshotOptions = {}): SpoolSnapshot {
  const files = spoolFiles(path);
  requireFile(path);
  const moment = momentOf(clock);
  const deadline = moment.monotonicAt + (options.countFor ?? COUNT_FOR_MS);
  const { source, value: content } = look(files, (queries) => readContent(files, queries, clock, deadline));
  const { agent, damage } = readAgent(content);
  const tails = Tail.peek(files.tail, clock.bootId());
  const run = readRun(files, content, tails, agent, clock.bootId());
  const named =
    agent?.pid === undefined || run?.startedAt == null || !run.thisBoot
      ? undefined
      : { pid: agent.pid, startedAt: run.startedAt };
  const holder = findHolder(files, named);
  return { ...moment, ...whole(files, content, tails), source, agent, damage, run, holder };
}

/**
 * The same look by the process that holds the spool, through its own connection; never of a copy, and quick. `depth`:
 * as it knows it. Throws what SQLite throws where nothing can be read.
 */
export function snapshotWithin(path: string, database: SqliteDatabase, clock: Clock, depth: number): SpoolSnapshot {
  const files = spoolFiles(path);
  const moment = momentOf(clock);
  const read = readContent(files, queriesOf(database), clock, moment.monotonicAt + COUNT_WITHIN_MS);
  const content = read.queue === null ? read : { ...read, queue: { ...read.queue, depth, exact: true } };
  const { agent, damage } = readAgent(content);
  const tails = Tail.peek(files.tail, clock.bootId());
  const run = readRun(files, content, tails, agent, clock.bootId());
  const holder: Holder = { held: true, knownBy: 'lock', pid: process.pid, ownPid: process.pid };
  return { ...moment, ...whole(files, content, tails), source: 'shared', agent, damage, run, holder };
}

function momentOf(clock: Clock): Pick<SpoolSnapshot, 'at' | 'monotonicAt'> {
  return { at: clock.now(), monotonicAt: clock.monotonic() };
}

function readAgent(content: Content): Pick<SpoolSnapshot, 'agent' | 'damage'> {
  const agentText = content.state.get('agent');
  const agent = agentText === undefined ? null : (parseAgentRecord(agentText) ?? null);
  if (agentText === undefined || agent !== null) return { agent, damage: content.damage };
  return { agent, damage: [...content.damage, 'state: the agent’s record is not one'] };
}

/** What a snapshot takes from the content as it is, but for samples that are acknowledged and not deleted yet. */
function whole(files: SpoolFiles, content: Content, tails: readonly RunTail[]) {
  const path = files.database;
  const shipping = parseShippingState(content.state.get('shipping'));
  const riding = acknowledgedOf(content.queue, tails);
  return {
    path,
    spoolId: content.state.get('spool_id') ?? null,
    bytes: content.bytes,
    filesystemFree: filesystemFree(path),
    ...(riding > 0
      ? { queue: EMPTY_QUEUE, shipping: withMore(riding, shipping, modifiedAt(files.tail)) }
      : { queue: content.queue, shipping }),
    losses: content.losses,
    notesPending: content.notesPending,
  };
}

/** How many samples are in the queue, where all of them are to be deleted by the next append; else 0. */
function acknowledgedOf(queue: QueueReading | null, tails: readonly RunTail[]): number {
  const [only] = queue?.runs.length === 1 ? queue.runs : [];
  const newest = queue?.newest ?? null;
  if (only === undefined || newest === null) return 0;
  return tails.some(({ runId, acked }) => runId === newest.runId && newest.seq <= acked) ? only.samples : 0;
}

/** The state as it will be saved with that append. */
function withMore(samples: number, shipping: ShippingState, at: number | null): ShippingState {
  const last_ack_at = at === null ? shipping.last_ack_at : new Date(at).toISOString();
  return { ...shipping, shipped_total: shipping.shipped_total + samples, last_ack_at };
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
  if (fault === 'damaged' || isForeign(cause)) {
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

function readRun(
  files: SpoolFiles,
  { run: row, queue }: Content,
  tails: readonly RunTail[],
  agent: AgentRecord | null,
  bootId: string,
): RunReading | null {
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
    thisBoot: row?.boot_id === bootId,
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
