/**
 * The files of a recovery, and how a finished one takes the damaged spool's place.
 *
 *   P.recovering      being built; worthless until it is whole
 *   P.recovered-T     whole and on disk: from here on it is the spool, whatever P is
 *   P.corrupt-T       the damaged file, set aside; P.corrupt-T-wal its log
 *
 * A database and its log can't be moved in one step, and either without the other is worthless or worse: an old log
 * beside a new file would be applied to it. So the decision is one rename, and all that follows can be done again:
 *
 *   (1) P.recovering ─▶ P.recovered-T      decided. Killed before: P and its log are untouched, and recovered anew.
 *   (2) P-wal ─▶ P.corrupt-T-wal           Killed from here on: `placeRecovered`, with which every opening of
 *   (3) P ─▶ P.corrupt-T, P-shm removed    the spool begins, does the rest.
 *   (4) P.recovered-T ─▶ P
 *
 * **Files set aside** are evidence for a person, and the only copy of what could not be carried over on a full disk.
 * The newest always stays; older ones only while there are at most three in all, of at most 512 MiB together, so that
 * a disk that damages files again and again does not fill itself with them. All that is to be told of their runs the new
 * spool tells: who drains one wants its samples, and nothing else.
 */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../lib/errors.ts';
import { spoolFiles } from './files.ts';

const MOST_KEPT = 3;
const MOST_KEPT_BYTES = 512 * 1024 * 1024;

/** The path's suffixes of what a time makes: year to millisecond in UTC, and a number if that is taken. */
const TIME = String.raw`\d{8}T\d{9}Z(?:-\d+)?`;
const SET_ASIDE = new RegExp(`\\.corrupt-${TIME}$`);

/** Whether it is the path of a damaged spool that was set aside. */
export function isSetAside(path: string): boolean {
  return SET_ASIDE.test(path);
}

/** Where the new file is built. */
export function buildingPath(path: string): string {
  return `${path}.recovering`;
}

/** Removes what is left of a recovery that was killed while building. */
export function removeBuilding(path: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(buildingPath(path) + suffix, { force: true });
}

/** Step (1): decides for the file that was built. `now`: wall clock, ms. */
export function decide(path: string, now: number): void {
  fsyncFile(buildingPath(path));
  const stamp = new Date(now).toISOString().replaceAll(/[-:.]/g, '');
  renameSync(buildingPath(path), `${path}.recovered-${stamp}`);
  fsyncFile(dirname(path));
}

/**
 * Steps (2) to (4), if a recovery was decided and not finished: to be called before the spool at `path` is opened, by
 * whoever holds its lock, with no connection open. Answers where the damaged file is now, or undefined if there was
 * nothing to do. Throws what the system says; it may then simply be called again. `reached` tells a test where it
 * could have been killed.
 */
export function placeRecovered(
  path: string,
  reached: (step: 'log-moved' | 'database-moved') => void = () => {},
): string | undefined {
  const recovered = listed(path, 'recovered').at(-1);
  if (recovered === undefined) return undefined;
  const { wal, shm } = spoolFiles(path);
  const setAside = freeName(`${path}.corrupt-${recovered.slice(`${path}.recovered-`.length)}`, existsSync(wal));
  if (existsSync(wal)) renameSync(wal, `${setAside}-wal`);
  reached('log-moved');
  rmSync(shm, { force: true });
  if (existsSync(path)) renameSync(path, setAside);
  reached('database-moved');
  renameSync(recovered, path);
  fsyncFile(dirname(path));
  return setAside;
}

/** Removes the oldest of the files that were set aside; answers their paths. */
export function pruneSetAside(path: string): readonly string[] {
  const removed: string[] = [];
  let kept = 0;
  let bytes = 0;
  for (const file of listed(path, 'corrupt').reverse()) {
    bytes += sizeOf(file) + sizeOf(`${file}-wal`);
    kept++;
    if (kept === 1 || (kept <= MOST_KEPT && bytes <= MOST_KEPT_BYTES)) continue;
    rmSync(`${file}-wal`, { force: true });
    rmSync(file, { force: true });
    removed.push(file);
  }
  return removed;
}

/** A log set aside under the name without its database is the first half of this very step: they belong together. */
function freeName(wanted: string, withLog: boolean): string {
  for (let count = 0; ; count++) {
    const name = count === 0 ? wanted : `${wanted}-${count}`;
    if (!existsSync(name) && !(withLog && existsSync(`${name}-wal`))) return name;
  }
}

/** Oldest first. */
function listed(path: string, kind: 'recovered' | 'corrupt'): string[] {
  const prefix = `${basename(path)}.${kind}-`;
  const time = new RegExp(`^${TIME}$`);
  const ours = namesIn(dirname(path)).filter((name) => name.startsWith(prefix) && time.test(name.slice(prefix.length)));
  return ours.sort().map((name) => join(dirname(path), name));
}

/** Of a directory that is not there, or not ours to read, nothing: opening the spool says so better. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errorCode(error) ?? '')) return [];
    throw error;
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function fsyncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
