/**
 * Who has a spool open, seen from outside: by the lock, not by a process id that somebody else may have got since.
 *
 * 1. The kernel's list of locks says it without touching anything, and whose it is. It hides processes of other pid
 *    namespaces (containers), and on some filesystems (overlay) an inode looks different there.
 * 2. So what it does not list is tried: a shared lock on the side database is refused while the spool is held. It is
 *    let go at once; whoever takes the spool in that moment waits a few milliseconds.
 * 3. Where the side database can't be opened either: the process that was named in the spool, if it is alive and not
 *    younger than its run, so that a reused id does not count.
 */
import { readFileSync, statSync } from 'node:fs';
import { errorCode } from '../lib/errors.ts';
import { openSqlite } from '../lib/sqlite.ts';
import type { SpoolFiles } from './files.ts';
import { Tail } from './tail.ts';

export interface Holder {
  readonly held: boolean;
  /** How that is known: `lock`, or `process` where the lock can't be tested. */
  readonly knownBy: 'lock' | 'process';
  /**
   * Process id of the holder: the kernel's where it lists the lock, else the one that the holder gave itself, which
   * in a container is not the one that is seen from outside. Null where nobody holds the spool, or it gave none.
   */
  readonly pid: number | null;
  /** Process id that the holder gave itself; null where nobody holds the spool, or it gave none. */
  readonly ownPid: number | null;
}

/** The process that the spool itself names as its agent. */
export interface NamedProcess {
  readonly pid: number;
  /** Start of its run by the wall clock, ms; only of this boot. */
  readonly startedAt: number;
}

/** A process is started before its run, but the clock of the kernel ticks, and may be stepped; ms. */
const START_SLACK_MS = 10_000;

/** Clock ticks per second in /proc, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Finds out who holds the spool. `named` is asked for only where the lock can't be tested. Never throws. */
export function findHolder(files: SpoolFiles, named: NamedProcess | undefined, locks = '/proc/locks'): Holder {
  const ownPid = Tail.holder(files.tail) ?? null;
  const listed = listedHolder(files.lock, locks);
  if (listed !== undefined) return { held: true, knownBy: 'lock', pid: listed, ownPid };
  const refused = isRefused(files.lock);
  const held = refused ?? (named !== undefined && isAlive(named));
  const pid = held ? ownPid : null;
  return { held, knownBy: refused === undefined ? 'process' : 'lock', pid, ownPid: pid };
}

/** The process that the kernel lists with a write lock on the file; undefined if it lists none. */
function listedHolder(path: string, locks: string): number | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
    const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
    for (const line of readFileSync(locks, 'latin1').split('\n')) {
      const match = /POSIX\s+\S+\s+WRITE\s+(\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s/.exec(line);
      if (match === null || BigInt(match[4] ?? '') !== ino) continue;
      if (BigInt(`0x${match[2]}`) === major && BigInt(`0x${match[3]}`) === minor) return Number(match[1]);
    }
  } catch {
    // No list, or no such file: the next way decides.
  }
  return undefined;
}

/** Whether a shared lock is refused; undefined if the file can't be asked. */
function isRefused(path: string): boolean | undefined {
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
    const database = openSqlite(path, { readonly: true, busyTimeout: 0 });
    try {
      database.prepare('SELECT COUNT(*) FROM sqlite_schema').get();
      return false;
    } finally {
      database.close();
    }
  } catch (error) {
    return errorCode(error)?.startsWith('SQLITE_BUSY') ? true : undefined;
  }
}

/** Whether the process lives and is at least as old as its run. */
export function isAlive({ pid, startedAt }: NamedProcess): boolean {
  try {
    // The name of the program, in parentheses, may hold anything; what counts comes after it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const started = Number(
      stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .at(19),
    );
    const booted = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]);
    return booted * 1000 + (started * 1000) / TICKS_PER_SECOND <= startedAt + START_SLACK_MS;
  } catch {
    return false;
  }
}
