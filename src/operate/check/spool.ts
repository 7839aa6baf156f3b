/**
 * Where the spool lies or will lie: whether this user may make and write it, whether there is room, and whether its
 * filesystem is one that SQLite can trust. An agent that has it open already is no fault.
 */
import { statfs } from 'node:fs/promises';
import type { ResolvedSettings } from '../../config/load.ts';
import { HostspoolError } from '../../lib/errors.ts';
import { openSqlite } from '../../lib/sqlite.ts';
import { formatSize } from '../../lib/units.ts';
import { spoolFiles } from '../../spool/files.ts';
import { findHolder } from '../../spool/holder.ts';
import { Permissions } from '../../spool/permissions.ts';
import { refuseForeign } from '../../spool/refusal.ts';
import { ROOM_FOR_RESERVE } from '../../spool/reserve.ts';
import { readSnapshot } from '../../spool/snapshot.ts';
import { type Check, failed, type Outcome, ok, warning } from './check.ts';
import { type CheckContext, FILE_LIMIT_MS, SILENT } from './context.ts';
import { filesystemKind } from './filesystem-kinds.ts';
import { found, nearestDirectory } from './nearest-directory.ts';

type SpoolSettings = ResolvedSettings['spool'];

export function spoolChecks({ settings: { spool }, clock }: CheckContext): Check[] {
  const common = { limit: FILE_LIMIT_MS, waitsFor: `the filesystem of ${spool.path}`, ifSilent: SILENT.disk };
  return [
    { ...common, name: 'spool', run: () => checkSpool(spool, clock) },
    { ...common, name: 'spool.filesystem', needs: ['spool'], run: () => checkFilesystem(spool) },
    { ...common, name: 'spool.space', needs: ['spool.filesystem'], run: () => checkSpace(spool) },
  ];
}

async function checkSpool({ path, group }: SpoolSettings, clock: CheckContext['clock']): Promise<Outcome> {
  const files = spoolFiles(path);
  await nearestDirectory(path);
  new Permissions(files, group).inspect();
  refuseForeign(files);
  requireSqlite();
  const isThere = (await found(path)) !== undefined;
  const holder = isThere ? findHolder(files, undefined) : undefined;
  const detail = { path, exists: isThere, held_by_pid: holder?.held === true ? holder.pid : null };
  if (holder?.held === true) {
    const who = holder.pid === null ? 'a process' : `process ${holder.pid}`;
    return ok(`${path}, which ${who} has open: an agent runs on it`, detail);
  }
  if (!isThere) return ok(`${path} is not there yet and can be made`, detail);
  return { ...contentOf(path, clock), detail };
}

/** A damaged spool is set aside by the agent, which starts all the same. */
function contentOf(path: string, clock: CheckContext['clock']): Outcome {
  try {
    const { queue, damage } = readSnapshot(path, clock);
    if (damage.length === 0) return ok(`${path}, with ${queue?.depth ?? 0} samples waiting`);
    return damaged(`${path}: a part can't be read: ${damage.join('; ')}`);
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    if (error.code !== 'SPOOL_UNREADABLE') throw error;
    return damaged(error.message);
  }
}

function damaged(finding: string): Outcome {
  const hint =
    'nothing: an agent sets a damaged spool aside when it starts, carries over what can be read, and notes the rest';
  return warning('SPOOL_UNREADABLE', finding, hint);
}

/** Throws NATIVE_ADDON where nothing may be executed that is written. */
function requireSqlite(): void {
  openSqlite(':memory:').close();
}

async function checkSpace({ path, min_free, max_bytes }: SpoolSettings): Promise<Outcome> {
  const { bavail, blocks, bsize } = await statfs(await nearestDirectory(path));
  const free = bavail * bsize;
  const size = blocks * bsize;
  const least = 'percent' in min_free ? (size * min_free.percent) / 100 : min_free.bytes;
  const taken = ((await found(path))?.blocks ?? 0) * 512;
  return judgeSpace({ free, size, least, taken, most: max_bytes });
}

export interface Space {
  /** Bytes free for this user, and in all. */
  readonly free: number;
  readonly size: number;
  /** spool.min_free in bytes. */
  readonly least: number;
  /** What the spool takes already, and spool.max_bytes. */
  readonly taken: number;
  readonly most: number;
}

export function judgeSpace({ free, size, least, taken, most }: Space): Outcome {
  const detail = { free_bytes: free, size_bytes: size, min_free_bytes: Math.round(least), max_bytes: most };
  const room = `${formatSize(free)} of ${formatSize(size)} are free`;
  if (free < ROOM_FOR_RESERVE) {
    const finding = `${room}, and the spool needs ${formatSize(ROOM_FOR_RESERVE)} to begin with`;
    return failed('SPOOL_DISK_FULL', finding, 'free space on the filesystem, or set spool.path to another', detail);
  }
  if (free < least) {
    const finding = `${room}, less than spool.min_free, ${formatSize(least)}: the spool would not grow`;
    return warning('SPOOL_LOW_SPACE', finding, 'free space, or lower spool.min_free', detail);
  }
  if (free - least < most - taken) {
    const finding = `${room}: the spool would reach spool.min_free, ${formatSize(least)}, before spool.max_bytes, ${formatSize(most)}`;
    return warning('SPOOL_LOW_SPACE', finding, 'free space, or lower spool.max_bytes or spool.min_free', detail);
  }
  return ok(`${room}; the spool takes ${formatSize(most)} at most`, detail);
}

async function checkFilesystem({ path }: SpoolSettings): Promise<Outcome> {
  const { type } = await statfs(await nearestDirectory(path));
  const { name, trouble } = filesystemKind(type);
  const detail = { filesystem: name };
  if (trouble === 'kernel') {
    const finding = `${path} is on ${name}, where no file can be made`;
    return failed('SPOOL_FILESYSTEM', finding, 'set spool.path to a place on a disk', detail);
  }
  if (trouble === 'memory') {
    const finding = `${path} is on ${name}, in memory: a restart of the machine empties the spool`;
    return warning('SPOOL_FILESYSTEM', finding, 'set spool.path to a place on a disk', detail);
  }
  if (trouble === 'network') {
    const finding = `${path} is on ${name}, over the network: SQLite’s locks and its log are not safe there`;
    return warning('SPOOL_FILESYSTEM', finding, 'set spool.path to a place on a disk of this machine', detail);
  }
  return ok(name, detail);
}
