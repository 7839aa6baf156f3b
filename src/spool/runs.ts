/**
 * Where runs begin and end.
 *
 * A run that did not end in order is ended by the next start. How far it came is the greater of what the spool and
 * the tail file know of it; what the tail file knows and the spool has not is lost with the process. That is certain
 * if the tail was written in this boot and both of its slots can be read; after a power cut, or where the file is
 * damaged, it may be short, and the note says so. All of it, and the beginning of the new run, is one transaction;
 * before it the new run gets a tail behind theirs, and only after it is the tail file taken over by the new run.
 *
 *   runs row   tail   meaning                                            noted
 *   open       = max  died between two samples                           run_ended
 *   open       > max  died between taking a sample and storing it        lost (crash), run_ended
 *   open       none   the tail file is missing or damaged                run_ended, exact: false
 *   ended      –      stopped in order, or ended by an earlier start     –
 *   none       told   the spool file was removed; all had left it        –
 *   none       begun  the spool file was removed or destroyed            lost (spool_corrupt, exact: false), run_ended
 *   none       not    the run could never write to the spool             lost 1.. (crash), run_ended
 *
 * A run that certainly took no sample leaves no note. The tails of runs that were ended by an earlier start stay in the
 * tail file, so that a destroyed spool file does not take their end with it, nor brings it up where all was told.
 */

import type { Log } from '../lib/log.ts';
import { uuidFromBytes, uuidToBytes } from '../sample/identity.ts';
import { isIntact } from './checksum.ts';
import type { Notes } from './notes.ts';
import type { RunRow, Store } from './store.ts';
import type { RunTail } from './tail.ts';

/** As many as wait while all goes well: a look at them costs nothing. */
const MOST_LOOKED_AT = 64;
/** Runs that the spool has done with and whose rows stay: more than leave samples in the pages that it keeps free. */
const DONE_KEPT = 100;

export interface Settlement {
  readonly tails: readonly RunTail[];
  /** The run that is going on, which is not settled; undefined if none is. */
  readonly current: string | undefined;
  readonly bootId: string;
  /** For a run of which nothing but its tail is left. */
  readonly hostname: string;
  /** Wall clock, ms. */
  readonly at: number;
  readonly log: Log;
}

/**
 * Ends every run but the current one that is still open, and deletes what of it was acknowledged. Inside a transaction;
 * answers how many samples it deleted.
 */
export function settleEarlierRuns(store: Store, notes: Notes, settlement: Settlement): number {
  const { tails, current, bootId, at } = settlement;
  const rows = store.runs();
  let deleted = 0;
  for (const run of rows) {
    const tail = tails.find(({ runId }) => uuidToBytes(runId).equals(run.run_id));
    if (run.ended !== null || (current !== undefined && uuidToBytes(current).equals(run.run_id))) continue;
    const stored = Math.max(run.last_seq, greatestSeq(store, run), tail?.acked ?? 0);
    if (tail !== undefined) deleted += deleteAcknowledged(store, run.run_id, tail.acked);
    const last = Math.max(stored, tail?.seq ?? 0);
    const exact = tail?.thisBoot === true && tail.whole && run.boot_id === bootId;
    if (last > stored) {
      notes.lost({ runId: run.run_id, first: stored + 1, last, reason: 'crash', exact }, at);
    }
    if (last > 0 || !exact) notes.runEnded(run.run_id, last, false, exact, at);
    store.database.prepare("UPDATE runs SET ended = 'unclean', last_seq = ? WHERE run_id = ?").run(last, run.run_id);
  }
  for (const tail of tails) {
    if (tail.runId === current || tail.seq === 0 || tail.told) continue;
    const runId = uuidToBytes(tail.runId);
    if (rows.some((run) => run.run_id.equals(runId))) continue;
    settleUnknownRun(store, notes, settlement, tail, runId);
  }
  return deleted;
}

/** The samples whose deletion was to ride on an append that did not come; answers how many it deleted. */
function deleteAcknowledged(store: Store, run: Buffer, acked: number): number {
  const oldest = store.oldest.get();
  if (oldest === undefined || !oldest.run_id.equals(run) || oldest.seq > acked) return 0;
  store.raiseRun.run({ run, acked, last: acked });
  const kept = store.database
    .prepare<[Buffer, number], number>('SELECT id FROM samples WHERE run_id <> ? OR seq > ? ORDER BY id LIMIT 1')
    .pluck()
    .get(run, acked);
  return store.deleteUpTo.run((kept ?? Number.MAX_SAFE_INTEGER) - 1).changes;
}

function settleUnknownRun(
  store: Store,
  notes: Notes,
  { hostname, at, log }: Settlement,
  tail: RunTail,
  runId: Buffer,
): void {
  const samples = tail.seq - tail.acked;
  const exact = (!tail.begun || samples === 0) && tail.thisBoot && tail.whole;
  const reason = tail.begun ? 'spool_corrupt' : 'crash';
  if (samples > 0) notes.lost({ runId, first: tail.acked + 1, last: tail.seq, reason, exact }, at);
  if (tail.begun) {
    log.error(
      { event: 'spool_gone', run_id: tail.runId, samples },
      samples > 0
        ? 'the spool file of the last run is gone; what it may have held is noted as lost'
        : 'the spool file of the last run is gone; no sample was waiting in it',
    );
  }
  notes.runEnded(runId, tail.seq, false, exact, at);
  insertRun(store, {
    run_id: runId,
    hostname,
    boot_id: '',
    started_at: runId.readUIntBE(0, 6),
    interval_ms: 0,
    last_seq: tail.seq,
    acked_seq: tail.acked,
    ended: 'unclean',
  });
}

/**
 * Begins the run, or lets it go on in a file that was recovered under it. `last_seq`: what of it is over already.
 * Inside a transaction.
 */
export function beginRun(store: Store, run: RunRow): void {
  insertRun(store, run);
  store.database.prepare("DELETE FROM notes WHERE kind = 'run_ended' AND run_id = ?").run(run.run_id);
}

/** Marks the run as stopped in order. Inside a transaction. `at`: wall clock, ms. */
export function endRun(store: Store, notes: Notes, runId: Buffer, lastSeq: number, at: number): void {
  store.database.prepare("UPDATE runs SET ended = 'clean', last_seq = ? WHERE run_id = ?").run(lastSeq, runId);
  if (lastSeq > 0) notes.runEnded(runId, lastSeq, true, true, at);
}

/**
 * Drops the oldest of the ended runs that the spool has done with: no sample of theirs is in it, and no note. The newest
 * stay, since a recovery meets samples of theirs in old pages, and knows by the rows that they were delivered. None is
 * dropped where a look would not tell: among very many samples, and where one is damaged, whose run may be any. `keep`
 * hears first which stay, and which are done with.
 */
export function forgetRuns(
  store: Store,
  keep: (lasting: ReadonlySet<string>, done: ReadonlySet<string>) => void,
): void {
  const runs = store.runs();
  if (runs.every(({ ended }) => ended === null)) return;
  const inUse = new Set(store.database.prepare<[], string>('SELECT lower(hex(run_id)) FROM notes').pluck().all());
  let samples = 0;
  for (const row of store.after.iterate(0)) {
    if (++samples > MOST_LOOKED_AT || !isIntact(row)) return;
    inUse.add(row.run_id.toString('hex'));
  }
  const done = runs.filter(({ run_id, ended }) => ended !== null && !inUse.has(run_id.toString('hex')));
  const dropped = new Set(done.slice(0, -DONE_KEPT));
  keep(idsOf(runs.filter((run) => !dropped.has(run))), idsOf(done));
  if (dropped.size === 0) return;
  const forget = store.database.prepare<[Buffer]>('DELETE FROM runs WHERE run_id = ?');
  store.transact(() => {
    for (const { run_id } of dropped) forget.run(run_id);
  });
}

function idsOf(runs: readonly RunRow[]): ReadonlySet<string> {
  return new Set(runs.map(({ run_id }) => uuidFromBytes(run_id)));
}

function insertRun(store: Store, run: RunRow): void {
  store.database
    .prepare(
      `INSERT INTO runs (run_id, hostname, boot_id, started_at, interval_ms, last_seq, acked_seq, ended)
       VALUES ($run_id, $hostname, $boot_id, $started_at, $interval_ms, $last_seq, $acked_seq, $ended)
       ON CONFLICT (run_id) DO UPDATE
       SET last_seq = MAX(last_seq, excluded.last_seq), ended = excluded.ended, boot_id = excluded.boot_id`,
    )
    .run(run);
}

/**
 * The greatest sequence number of the run's rows; 0 without one. Of a damaged row it is not known, but that each has one
 * of its own. Rows of a run lie together, the newest run's last.
 */
function greatestSeq(store: Store, { run_id, acked_seq }: RunRow): number {
  let damaged = 0;
  for (const row of store.newestOf.iterate(run_id)) {
    if (isIntact(row)) return row.seq + damaged;
    damaged++;
  }
  return damaged === 0 ? 0 : acked_seq + damaged;
}
