/**
 * What an error of a load asks for. In every case the batch is kept; the question is only what comes next.
 *
 *   soon      two writers met on one event, one run or one lock: the same load again, at once
 *   wait      the database is away, full, locked: again with backoff
 *   person    nothing of it passes by itself (login, right, schema): again, but seldom, so as not to hammer
 *   data      the database refused the rows: find the guilty ones
 *   unknown   perhaps the rows: a few times like `wait`, then like `data`
 */
import { HostspoolError } from '../lib/errors.ts';

export type FailureKind = 'soon' | 'wait' | 'person' | 'data' | 'unknown';

const SOON: ReadonlySet<string> = new Set(['SINK_DUPLICATE', 'SINK_DEADLOCK', 'SINK_LOCKED', 'SINK_STALE']);

export function failureKind(error: Error): FailureKind {
  if (!(error instanceof HostspoolError)) return 'person';
  if (SOON.has(error.code)) return 'soon';
  if (error.code === 'SINK_DATA') return 'data';
  if (error.code === 'SINK_UNKNOWN') return 'unknown';
  return error.retryable ? 'wait' : 'person';
}

/** Whether a smaller load may be spared it: the server needs too long, or has no room for so much at once. */
export function isOfSize(error: Error): boolean {
  return error instanceof HostspoolError && (error.code === 'SINK_TIMEOUT' || error.code === 'SINK_FULL');
}

/** Whether the database speaks of what it was given, in a rehearsal: everything else says nothing about the rows. */
export function speaksOfData(error: Error): boolean {
  const kind = failureKind(error);
  return kind === 'data' || kind === 'unknown';
}
