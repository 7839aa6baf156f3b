/**
 * What lies in the queue, without reading a payload and in bounded time.
 *
 * The rows of a run lie together, in the order in which they were taken, so where one run ends and the next begins is
 * searched: by doubling steps from the start of a run, then by halving, a handful of look-ups each. Only the number of
 * rows needs a walk over them, since ids have holes (a refused or damaged sample leaves one). It is made in stretches
 * until the time is up; what is left then counts by its ids, which is too much by the holes in it and never too little.
 */
import type { Clock } from '../lib/clock.ts';
import { uuidFromBytes } from '../sample/identity.ts';
import type { Queries } from './snapshot-source.ts';

export interface RunInQueue {
  readonly runId: string;
  readonly samples: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** The first or the last sample of the queue. */
export interface QueueEnd {
  readonly runId: string;
  readonly seq: number;
  /** Wall clock, ms. */
  readonly takenAt: number;
  /** Monotonic clock of the run's boot, ms. */
  readonly monotonicAt: number;
}

/** What the newest samples tell about the flow into the queue. */
export interface Inflow {
  readonly runId: string;
  /** Samples per second of monotonic time, between the first and the last of those looked at. */
  readonly perSecond: number;
}

export interface QueueReading {
  readonly depth: number;
  /** False when the time was up: then `depth`, and `samples` of a run, may be too large, never too small. */
  readonly exact: boolean;
  readonly oldest: QueueEnd | null;
  readonly newest: QueueEnd | null;
  readonly runs: readonly RunInQueue[];
  /** False when the time was up before the last run: `runs` then lacks the newest. */
  readonly runsComplete: boolean;
  /** Null when there are too few samples to tell. */
  readonly inflow: Inflow | null;
  /** What a sample takes of the file, in bytes; null when there is none. */
  readonly bytesPerSample: number | null;
}

interface EndRow {
  readonly id: number;
  readonly run_id: Uint8Array;
  readonly seq: number;
  readonly taken_at: number;
  readonly monotonic_at: number;
}

interface RecentRow {
  readonly run_id: Uint8Array;
  readonly seq: number;
  readonly monotonic_at: number;
  readonly size: number;
}

const END = 'SELECT id, run_id, seq, taken_at, monotonic_at FROM samples';
const FIRST = `${END} ORDER BY id LIMIT 1`;
const LAST = `${END} ORDER BY id DESC LIMIT 1`;
const AT_OR_AFTER = `${END} WHERE id >= ? ORDER BY id LIMIT 1`;
const AT_OR_BEFORE = `${END} WHERE id <= ? ORDER BY id DESC LIMIT 1`;
const COUNT = 'SELECT COUNT(*) AS rows FROM samples WHERE id BETWEEN ? AND ?';
const RECENT = `SELECT run_id, seq, monotonic_at, octet_length(payload) AS size FROM samples ORDER BY id DESC LIMIT ?`;

/** Rows counted between two looks at the clock. */
const STRETCH = 5_000;

/** Newest samples that are looked at for the flow, and the least of one run that tell something. */
const RECENT_ROWS = 100;
const LEAST_ROWS = 5;

/** What a row takes beside its payload, at most: header, ids, times, checksum and the cell's pointer. */
const CELL_OVERHEAD = 74;

/** Of a page: what cells can use; what a cell keeps of its row at most, and at least when it spills over. */
const PAGE = 4096;
const USABLE_BYTES = PAGE - 8;
const LARGEST_LOCAL = PAGE - 35;
const SMALLEST_LOCAL = Math.floor(((PAGE - 12) * 32) / 255) - 23;
/** What a page holds of what spilled over. */
const SPILL_PAGE = PAGE - 4;

/** Reads the queue. `deadline`: when to stop counting, by the monotonic clock, ms. */
export function readQueue(queries: Queries, clock: Clock, deadline: number): QueueReading {
  const first = queries.one<EndRow>(FIRST);
  const last = queries.one<EndRow>(LAST);
  if (first === undefined || last === undefined) return EMPTY_QUEUE;
  const inTime = () => clock.monotonic() < deadline;
  const runs: RunInQueue[] = [];
  let depth = 0;
  let exact = true;
  let start: EndRow | undefined = first;
  while (start !== undefined && (runs.length === 0 || inTime())) {
    const { end, next }: Stretch = endOfRun(queries, start, last);
    const counted = count(queries, start.id, end.id, inTime);
    exact &&= counted.exact;
    depth += counted.rows;
    runs.push({
      runId: uuidFromBytes(start.run_id),
      samples: counted.rows,
      firstSeq: start.seq,
      lastSeq: end.seq,
    });
    start = next;
  }
  if (start !== undefined) depth += last.id - start.id + 1;
  return {
    depth,
    exact: exact && start === undefined,
    oldest: endOf(first),
    newest: endOf(last),
    runs: [...merged(runs).values()],
    runsComplete: start === undefined,
    ...readRecent(queries),
  };
}

export const EMPTY_QUEUE: QueueReading = {
  depth: 0,
  exact: true,
  oldest: null,
  newest: null,
  runs: [],
  runsComplete: true,
  inflow: null,
  bytesPerSample: null,
};

interface Stretch {
  /** Last row of the run. */
  readonly end: EndRow;
  /** First row of the next run. */
  readonly next: EndRow | undefined;
}

/** The last row of the run that begins at `start`. */
function endOfRun(queries: Queries, start: EndRow, last: EndRow): Stretch {
  if (sameRun(start, last)) return { end: last, next: undefined };
  let end = start;
  let next = last;
  for (let step = 1; ; step *= 2) {
    const row = queries.one<EndRow>(AT_OR_AFTER, end.id + step) ?? last;
    requireBetween(row, end.id + 1, last.id);
    if (!sameRun(row, start)) {
      next = row;
      break;
    }
    end = row;
  }
  // `end` is of the run and `next` is not; what lies between them gets less with each turn.
  while (next.id - end.id > 1) {
    const middle = end.id + Math.floor((next.id - end.id) / 2);
    const row = queries.one<EndRow>(AT_OR_BEFORE, middle) ?? end;
    requireBetween(row, end.id, middle);
    if (!sameRun(row, start)) {
      next = row;
    } else if (row.id > end.id) {
      end = row;
    } else {
      // Ids without a row up to the middle: whatever comes first after it comes right after `end`.
      const after = queries.one<EndRow>(AT_OR_AFTER, middle + 1) ?? next;
      requireBetween(after, middle + 1, next.id);
      if (!sameRun(after, start)) return { end, next: after };
      end = after;
    }
  }
  return { end, next };
}

/** A damaged tree may answer anything; a search in it must end all the same. */
function requireBetween(row: EndRow, least: number, most: number): void {
  if (row.id >= least && row.id <= most) return;
  throw Object.assign(new Error('the samples are not in order'), { code: 'SQLITE_CORRUPT' });
}

function count(queries: Queries, from: number, to: number, inTime: () => boolean): { rows: number; exact: boolean } {
  let rows = 0;
  for (let id = from; id <= to; id += STRETCH) {
    if (!inTime()) return { rows: rows + to - id + 1, exact: false };
    rows += queries.one<{ rows: number }>(COUNT, id, Math.min(to, id + STRETCH - 1))?.rows ?? 0;
  }
  return { rows, exact: true };
}

/** A run is there once, even in a file in which its rows do not lie together. */
function merged(runs: readonly RunInQueue[]): Map<string, RunInQueue> {
  const byId = new Map<string, RunInQueue>();
  for (const run of runs) {
    const other = byId.get(run.runId);
    byId.set(
      run.runId,
      other === undefined
        ? run
        : {
            runId: run.runId,
            samples: other.samples + run.samples,
            firstSeq: Math.min(other.firstSeq, run.firstSeq),
            lastSeq: Math.max(other.lastSeq, run.lastSeq),
          },
    );
  }
  return byId;
}

function readRecent(queries: Queries): Pick<QueueReading, 'inflow' | 'bytesPerSample'> {
  const rows = queries.all<RecentRow>(RECENT, RECENT_ROWS);
  const newest = rows[0];
  if (newest === undefined) return { inflow: null, bytesPerSample: null };
  const bytes = rows.reduce((sum, row) => sum + bytesInFile(row.size), 0);
  const ofRun = rows.filter((row) => sameRun(row, newest));
  const oldest = ofRun.at(-1) ?? newest;
  const seconds = (newest.monotonic_at - oldest.monotonic_at) / 1000;
  const tells = ofRun.length >= LEAST_ROWS && seconds > 0;
  return {
    inflow: tells ? { runId: uuidFromBytes(newest.run_id), perSecond: (newest.seq - oldest.seq) / seconds } : null,
    bytesPerSample: Math.round(bytes / rows.length),
  };
}

/** As many whole cells as fit share a page; what spills over has pages of its own. The rules of SQLite's file format. */
function bytesInFile(payload: number): number {
  const cell = payload + CELL_OVERHEAD;
  const spilled = cell <= LARGEST_LOCAL ? cell : SMALLEST_LOCAL + ((cell - SMALLEST_LOCAL) % SPILL_PAGE);
  const local = spilled <= LARGEST_LOCAL ? spilled : SMALLEST_LOCAL;
  return PAGE / Math.floor(USABLE_BYTES / local) + PAGE * Math.ceil((cell - local) / SPILL_PAGE);
}

function sameRun(one: { readonly run_id: Uint8Array }, other: { readonly run_id: Uint8Array }): boolean {
  return Buffer.compare(one.run_id, other.run_id) === 0;
}

function endOf(row: EndRow): QueueEnd {
  return {
    runId: uuidFromBytes(row.run_id),
    seq: row.seq,
    takenAt: row.taken_at,
    monotonicAt: row.monotonic_at,
  };
}
