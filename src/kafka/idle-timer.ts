/**
 * Keeps an idle connection idle.
 *
 * After its first response kafkajs re-arms a timer of one millisecond for ever on each connection, to look for
 * requests that throttling held back: 18 to 37 ms of CPU per second for nothing, and on Node 24 a warning about a
 * negative delay. Requests wait only after `push` has queued them, and `push` schedules the look by itself; so with
 * nothing queued there is nothing to schedule.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { wrapOnce } from './wrap-once.ts';

/** Applies the correction to kafkajs. */
export function quietIdleConnections(): void {
  wrapOnce(RequestQueue.prototype, 'scheduleCheckPendingRequests', (schedule) => {
    return function (this: RequestQueue) {
      if (this.pending.length > 0) schedule.call(this);
    };
  });
}
