/** The files of one spool: the database, SQLite's companions and ours. */
export interface SpoolFiles {
  readonly database: string;
  readonly wal: string;
  readonly shm: string;
  /** Side database whose exclusive lock is held while the spool is open. */
  readonly lock: string;
  /** The last sequence number taken, written before each append. */
  readonly tail: string;
  /** Space kept for the moment when the disk is full. */
  readonly reserve: string;
}

export function spoolFiles(path: string): SpoolFiles {
  const stem = path.endsWith('.db') ? path.slice(0, -'.db'.length) : path;
  return {
    database: path,
    wal: `${path}-wal`,
    shm: `${path}-shm`,
    lock: `${stem}.lock`,
    tail: `${stem}.seq`,
    reserve: `${stem}.reserve`,
  };
}
