/**
 * One process at a time on a spool. Node has no flock, so the lock is SQLite's: an exclusive transaction, held open on
 * an empty side database. The kernel takes it back when the process dies, however it dies; nothing is written to the
 * file, so no death can damage it and a full disk can't refuse it.
 *
 * A lock file that is deleted under its holder would let a second process in. So (1) whoever got the lock also looks
 * whether the process that the tail file names has the spool open; (2) the holder looks now and then whether its lock
 * is still the one at the path, and takes it anew. Where it can't, since another process has it (one that did not see
 * this one: of another pid namespace), it has lost the spool, and ends.
 *
 * A lock file that is no database any more (overwritten, damaged with its disk) is emptied: it holds nothing, and the
 * same file goes on being the lock, so that two processes that start at once still meet at it. SQLite reads it only
 * after it got its lock, so it is not another's that is found so.
 */
import { readdirSync, readlinkSync, realpathSync, truncateSync } from 'node:fs';
import { errorCode, HostspoolError } from '../lib/errors.ts';
import { FileIdentity } from '../lib/file-identity.ts';
import type { Log } from '../lib/log.ts';
import type { SqliteDatabase } from '../lib/sqlite.ts';
import { faultOf } from './faults.ts';
import type { SpoolFiles } from './files.ts';
import type { SpoolPorts } from './ports.ts';
import { Tail } from './tail.ts';

/** How long to wait for a holder that is about to go, ms. */
const PATIENCE_MS = 250;

interface HeldFile {
  readonly database: SqliteDatabase;
  readonly identity: FileIdentity | undefined;
}

export class SpoolLock {
  readonly #files: SpoolFiles;
  readonly #ports: SpoolPorts;
  #held: HeldFile;

  private constructor(files: SpoolFiles, ports: SpoolPorts, held: HeldFile) {
    this.#files = files;
    this.#ports = ports;
    this.#held = held;
  }

  /** Takes the lock; throws SPOOL_LOCKED, with the holder's process id where it is known. */
  static take(files: SpoolFiles, ports: SpoolPorts, log: Log): SpoolLock {
    const held = mendedLockFile(files, ports, log);
    const pid = Tail.holder(files.tail);
    if (pid !== undefined && pid !== process.pid && hasOpen(pid, files.database)) {
      held.database.close();
      throw refusal(files);
    }
    return new SpoolLock(files, ports, held);
  }

  /** Makes sure that the lock still keeps others out. Throws SPOOL_LOCKED once another process has the spool. */
  keep(log: Log): void {
    if (this.#held.identity?.isAt(this.#files.lock) ?? true) return;
    let anew: HeldFile;
    try {
      anew = lockFile(this.#files, this.#ports, 0);
    } catch (error) {
      // One that can't be made now is tried again the next time; nor can anybody else make it.
      if (error instanceof HostspoolError || faultOf(error) === undefined) throw error;
      return;
    }
    this.#held.database.close();
    this.#held = anew;
    log.warn({ event: 'spool_lock_restored', path: this.#files.lock }, 'the lock file was gone; it is made again');
  }

  release(): void {
    this.#held.database.close();
  }
}

function mendedLockFile(files: SpoolFiles, ports: SpoolPorts, log: Log): HeldFile {
  try {
    return lockFile(files, ports, PATIENCE_MS);
  } catch (error) {
    if (faultOf(error) !== 'damaged') throw error;
    truncateSync(files.lock, 0);
    log.warn({ event: 'spool_lock_restored', path: files.lock }, 'the lock file was damaged; it is empty again');
    return lockFile(files, ports, PATIENCE_MS);
  }
}

function lockFile(files: SpoolFiles, ports: SpoolPorts, patience: number): HeldFile {
  const database = ports.openDatabase(files.lock, { busyTimeout: patience });
  try {
    // The journal of a transaction that never writes: kept off the disk, which may be full.
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
    return { database, identity: FileIdentity.of(files.lock) };
  } catch (error) {
    database.close();
    if (errorCode(error)?.startsWith('SQLITE_BUSY')) throw refusal(files, error);
    throw error;
  }
}

/** Whether a process has the file open, as far as this one may see: by name, for a stat may hang on a dead mount. */
function hasOpen(pid: number, path: string): boolean {
  try {
    const real = realpathSync(path);
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).some((file) => nameOf(`${directory}/${file}`) === real);
  } catch {
    return false;
  }
}

function nameOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function refusal(files: SpoolFiles, cause?: unknown): HostspoolError {
  const pid = Tail.holder(files.tail);
  const holder = pid === undefined ? 'another process' : `process ${pid}`;
  return new HostspoolError('SPOOL_LOCKED', `the spool ${files.database} is in use by ${holder}`, {
    hint: 'one process at a time: stop that one first, or give this one its own spool.path',
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
