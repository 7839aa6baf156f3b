/**
 * What a spool's tables hold, part by part: a part that is damaged is left out and named, and the others are told all
 * the same. Nothing here writes, and nothing reads a payload.
 */
import { statSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { uuidFromBytes } from '../sample/identity.ts';
import { faultOf } from './faults.ts';
import type { SpoolFiles } from './files.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { type QueueReading, readQueue } from './snapshot-queue.ts';
import type { Queries } from './snapshot-source.ts';

export interface LossTotal {
  readonly reason: string;
  readonly samples: number;
  /** Wall clock, ms. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** The run that was begun last, as the spool has it. */
export interface RunRow {
  readonly runId: string;
  readonly boot_id: string;
  readonly started_at: number;
  readonly interval_ms: number;
  readonly last_seq: number;
  readonly ended: 'clean' | 'unclean' | null;
}

export interface Content {
  readonly queue: QueueReading | null;
  readonly bytes: number;
  readonly state: ReadonlyMap<string, string>;
  readonly run: RunRow | undefined;
  readonly losses: readonly LossTotal[];
  readonly notesPending: number;
  readonly damage: readonly string[];
}

/** Reads everything; throws SPOOL_NEWER_SCHEMA, SPOOL_UNREADABLE, or SQLite's error where nothing can be read. */
export function readContent(files: SpoolFiles, queries: Queries, clock: Clock, deadline: number): Content {
  requireSchema(files.database, queries);
  const damage: string[] = [];
  let failure: unknown;
  const part = <Value>(name: string, read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      // A disk that can't be read in one place is as good as damage there.
      if (!isForeign(error) && faultOf(error) === undefined) throw error;
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
 * Whether an error means content that is not a spool's. The statements are fixed, so one that fails as such means
 * tables that are not ours any more; a wrong type or a number beyond all bounds means a row that is not.
 */
export function isForeign(error: unknown): boolean {
  return error instanceof TypeError || ['SQLITE_ERROR', 'ERR_OUT_OF_RANGE'].includes(errorCode(error) ?? '');
}

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
