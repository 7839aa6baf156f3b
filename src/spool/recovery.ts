/**
 * The recovery of a damaged spool: what can be read goes into a fresh file, what is known to be gone into notes, and
 * the damaged file aside, unchanged.
 *
 *   read P and its log ─▶ build P.recovering ─▶ decide ─▶ place ─▶ remove the oldest files set aside
 *                                               (one rename, see quarantine.ts)
 *
 * A death before the decision leaves everything as it was, and the next start recovers anew. A death after it is made
 * good by `placeRecovered`, which belongs at the start of every opening of a spool.
 *
 * **No room.** A copy needs as much space as the rows it holds. Where the filesystem has less, or turns out to be full,
 * the samples stay in the file set aside: the fresh spool then holds only the runs and the notes, in which those
 * samples count as lost, and the log says where they are. `hostspool drain --spool` on that file still delivers them
 * later, and a sample that arrives outranks its note. For these few pages the spool's reserve is spent if need be. All
 * or nothing, because filling the disk to the last block would take the space from whatever else runs on the host.
 *
 * The caller holds the spool's lock and has closed its connection to the file.
 */
import { chmodSync, chownSync, closeSync, openSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../lib/errors.ts';
import { openSqlite, type SqliteDatabase } from '../lib/sqlite.ts';
import { FileBytes } from './bytes.ts';
import { faultOf } from './faults.ts';
import { spoolFiles } from './files.ts';
import { PageSource } from './pages.ts';
import type { RecoveryRequest } from './ports.ts';
import { buildingPath, decide, placeRecovered, pruneSetAside, removeBuilding } from './quarantine.ts';
import { Rebuild, type Rebuilt } from './rebuild.ts';
import { salvage } from './salvage.ts';

/** Least bytes that a sample takes in a page. */
const SMALLEST_SAMPLE = 64;

export type RecoveryStep = 'built' | 'decided' | 'log-moved' | 'database-moved' | 'placed';

/** Where the recovery meets the machine. A test brings its own to be full, or dead at any step. */
export interface RecoveryPorts {
  openDatabase(path: string): SqliteDatabase;
  /** Bytes that this process may still take on the filesystem. */
  freeBytes(directory: string): number;
  reached(step: RecoveryStep): void;
}

export interface Recovered {
  /** Samples that were carried over. */
  readonly samples: number;
  /** Notes in the fresh spool, old and new. */
  readonly notes: number;
  /** Samples that are noted as lost. Where a run's own row was destroyed, it may say too much. */
  readonly lost: number;
  /** Where the damaged file is now. */
  readonly setAside: string;
  /** Pages that were not as written, as far as that can be told. */
  readonly damagedPages: number;
  /** `false`: there was no room for the samples, they are in the file set aside. */
  readonly carried: boolean;
}

const systemPorts: RecoveryPorts = {
  openDatabase: (path) => openSqlite(path),
  freeBytes(directory) {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
  reached() {},
};

/** Throws only what the system or SQLite says about the new file; the damaged one is then where it was. */
export function recoverSpool(request: RecoveryRequest, given: Partial<RecoveryPorts> = {}): Recovered {
  const { path, clock, log } = request;
  const ports = { ...systemPorts, ...given };
  const unfinished = placeRecovered(path, ports.reached);
  if (unfinished !== undefined) return counted(path, unfinished, ports);
  removeBuilding(path);
  const built = buildWithinRoom(request, ports);
  ports.reached('built');
  decide(path, clock.now());
  ports.reached('decided');
  const setAside = placeRecovered(path, ports.reached) ?? path;
  ports.reached('placed');
  const recovered = { ...built, setAside };
  const removed = built.carried ? pruneSetAside(path) : [];
  log.error(
    {
      event: 'spool_recovered',
      path,
      set_aside: setAside,
      samples: recovered.samples,
      notes: recovered.notes,
      lost: recovered.lost,
      damaged_pages: recovered.damagedPages,
      new_spool_id: recovered.newSpoolId,
      ...(removed.length === 0 ? {} : { removed }),
    },
    built.carried
      ? 'the spool was damaged; what could be read of it was carried over'
      : `the spool was damaged and there is no room to carry it over; make room, then: hostspool drain --spool ${setAside}`,
  );
  return recovered;
}

type Built = Rebuilt & { readonly damagedPages: number; readonly carried: boolean };

function buildWithinRoom(request: RecoveryRequest, ports: RecoveryPorts): Built {
  const { path, log } = request;
  const pages = new PageSource(FileBytes.open(path), FileBytes.open(spoolFiles(path).wal));
  try {
    if (pages.usedBytes() <= ports.freeBytes(dirname(path))) {
      try {
        return build(request, pages, true, ports);
      } catch (error) {
        if (faultOf(error) !== 'full') throw error;
      }
    }
    try {
      return build(request, pages, false, ports);
    } catch (error) {
      if (faultOf(error) !== 'full') throw error;
      const { reserve } = spoolFiles(path);
      log.warn({ event: 'spool_reserve_spent', path: reserve }, 'the disk is full; its reserve goes to the new spool');
      rmSync(reserve, { force: true });
      return build(request, pages, false, ports);
    }
  } finally {
    pages.close();
  }
}

function build(request: RecoveryRequest, pages: PageSource, carried: boolean, ports: RecoveryPorts): Built {
  const { path, clock, tail, kept = [] } = request;
  const building = buildingPath(path);
  const capacity = Math.floor(pages.usedBytes() / SMALLEST_SAMPLE);
  closeSync(openSync(building, 'wx', 0o600));
  try {
    const database = ports.openDatabase(building);
    let damagedPages = 0;
    let rebuilt: Rebuilt;
    try {
      const rebuild = new Rebuild({
        database,
        carrySamples: carried,
        tails: tail === undefined ? kept : [...kept, tail],
        capacity,
        now: clock.now(),
      });
      for (const row of salvage(pages, { damaged: () => damagedPages++ })) rebuild.take(row);
      rebuilt = rebuild.finish();
    } finally {
      database.close();
    }
    inheritOwner(path, building);
    return { ...rebuilt, damagedPages, carried };
  } catch (error) {
    removeBuilding(path);
    throw error;
  }
}

/**
 * Mode, owner and group of the damaged file: whoever could read the spool, and nobody else, can read the new one. A
 * group that this process is not in can't be given; then no group may read it.
 */
function inheritOwner(from: string, to: string): void {
  const found = statSync(from, { throwIfNoEntry: false });
  if (found === undefined) return;
  const made = statSync(to);
  let mode = found.mode & 0o7777;
  if (made.uid !== found.uid || made.gid !== found.gid) {
    try {
      chownSync(to, found.uid, found.gid);
    } catch (error) {
      if (errorCode(error) !== 'EPERM') throw error;
      mode &= ~0o2070;
    }
  }
  chmodSync(to, mode);
}

/** A recovery that an earlier process had decided and not finished. */
function counted(path: string, setAside: string, ports: RecoveryPorts): Recovered {
  const database = ports.openDatabase(path);
  try {
    const count = (table: string): number =>
      database.prepare<[], number>(`SELECT COUNT(*) FROM ${table}`).pluck().get() ?? 0;
    return { samples: count('samples'), notes: count('notes'), lost: 0, setAside, damagedPages: 0, carried: true };
  } finally {
    database.close();
  }
}
