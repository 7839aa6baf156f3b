/**
 * Keeps an idle connection idle.
 *
 * After its first response kafkajs re-arms a timer of one millisecond for ever on each connection, to look for
 * requests that throttling held back: 18 to 37 ms of CPU per second for nothing, and on Node 24 a warning about a
 * negative delay. Requests wait only after `push` has queued them, and `push` schedules the look by itself; so with
 * nothing queued there is nothing to schedule.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

type Schedule = (this: RequestQueue) => void;

const QUIET = Symbol.for('hostspool.quiet');

/** Applies the correction to kafkajs, once per process however often it is called. */
export function quietIdleConnections(): void {
  const original = RequestQueue.prototype.scheduleCheckPendingRequests as Schedule & { [QUIET]?: true };
  if (original[QUIET]) return;
  const quiet: Schedule = function () {
    if (this.pending.length > 0) original.call(this);
  };
  RequestQueue.prototype.scheduleCheckPendingRequests = Object.assign(quiet, { [QUIET]: true });
}
