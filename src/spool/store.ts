/**
 * The open spool file: its connection, settings and prepared statements. What they are for is decided elsewhere.
 *
 * WAL with a log of at most a few megabytes; the page cache is small, since rows are written once and read once.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { errorCode } from '../lib/errors.ts';
import { FileIdentity } from '../lib/file-identity.ts';
import type { SqliteDatabase, SqliteStatement } from '../lib/sqlite.ts';
import type { SpoolFiles } from './files.ts';
import type { SpoolPorts } from './ports.ts';
import { migrate, PAGE_SIZE, prepareEmpty } from './schema.ts';

export interface SampleRow {
  readonly id: number;
  readonly run_id: Buffer;
  readonly seq: number;
  readonly event_id: Buffer;
  readonly taken_at: number;
  readonly monotonic_at: number;
  readonly crc: number;
  readonly payload: string;
}

/** A sample on its way out. Two blobs a row would cost as much as all the rest of reading it: their hex is one text. */
export interface OutgoingRow extends Omit<SampleRow, 'run_id' | 'event_id'> {
  /** run_id and event_id, 16 bytes each; null where one is something else. */
  readonly ids: string | null;
}

/** The numbers of a sample: id, seq, taken_at, monotonic_at, crc, and bytes of the payload; see intact-batch.ts. */
export type PackedHead = readonly [
  id: number,
  seq: number,
  taken_at: number,
  monotonic_at: number,
  crc: number,
  size: number | null,
];

/** A sample without its payload. */
export interface SampleHead {
  readonly id: number;
  readonly run_id: Buffer;
  readonly seq: number;
  readonly taken_at: number;
  readonly monotonic_at: number;
  /** Bytes of the payload. */
  readonly size: number;
}

export interface RunRow {
  readonly run_id: Buffer;
  readonly hostname: string;
  readonly boot_id: string;
  readonly started_at: number;
  readonly interval_ms: number;
  readonly last_seq: number;
  readonly acked_seq: number;
  readonly ended: 'clean' | 'unclean' | null;
}

/** So many of them are read at once. */
export const PACKED_HEADS = 128;

export interface StoreOptions {
  readonly files: SpoolFiles;
  readonly synchronous: 'full' | 'normal';
  readonly ports: SpoolPorts;
}

/** How long a statement waits for another process that writes to the file, ms. Only a person with a shell does. */
const BUSY_TIMEOUT_MS = 1000;

/** Pages in the log at which SQLite checkpoints by itself. */
const CHECKPOINT_PAGES = 1000;

/**
 * Size of the log when it starts anew: what SQLite lets it grow to, with frame headers, and the transaction that passed
 * that. One that grew beyond is cut to it; less would be cut and extended again each time, which costs a journal write
 * of the filesystem.
 */
export const WAL_BYTES = CHECKPOINT_PAGES * PAGE_SIZE + 384 * 1024;

/** Largest file whose structure is checked whole at open, in bytes. */
const CHECKED_BYTES = 64 * 1024 * 1024;

/** A damaged row may hold anything; this is bytes in any case, so that it can be compared. */
const RUN_ID = "coalesce(CAST(run_id AS BLOB), x'') AS run_id";
const HEAD = `id, ${RUN_ID}, seq, taken_at, monotonic_at, octet_length(payload) AS size`;
const SAMPLE = `id, ${RUN_ID}, seq, event_id, taken_at, monotonic_at, crc, payload`;

export class Store {
  readonly database: SqliteDatabase;
  readonly #files: SpoolFiles;
  readonly #synchronous: 'full' | 'normal';
  readonly #identity: FileIdentity | undefined;
  #logIdentity: FileIdentity | undefined;

  readonly insert: SqliteStatement<[Buffer, number, Buffer, number, number, number, string]>;
  readonly after: SqliteStatement<[number], SampleRow>;
  readonly headsAfter: SqliteStatement<[number, number], SampleHead>;
  readonly outgoing: SqliteStatement<[number], OutgoingRow>;
  readonly packedHeads: SqliteStatement<[number], PackedHead>;
  readonly packed: SqliteStatement<[after: number, upTo: number], [Buffer | null]>;
  readonly before: SqliteStatement<[number], SampleRow>;
  readonly newestOf: SqliteStatement<[Buffer], SampleRow>;
  readonly oldest: SqliteStatement<[], SampleHead>;
  readonly newest: SqliteStatement<[], SampleHead>;
  readonly deleteUpTo: SqliteStatement<[number]>;
  readonly deleteBetween: SqliteStatement<[number, number]>;
  readonly raiseRun: SqliteStatement<[{ run: Buffer; acked: number; last: number }]>;
  readonly setState: SqliteStatement<[string, string]>;
  readonly #immediate: (action: () => void) => void;
  readonly #pages: SqliteStatement<[], number>;
  readonly #freePages: SqliteStatement<[], number>;
  readonly #changes: SqliteStatement<[], number>;
  readonly #getState: SqliteStatement<[string], string>;
  #walBytes = 0;

  private constructor(database: SqliteDatabase, files: SpoolFiles, synchronous: 'full' | 'normal') {
    this.database = database;
    this.#files = files;
    this.#synchronous = synchronous;
    this.#identity = FileIdentity.of(files.database);
    this.insert = database.prepare(
      'INSERT INTO samples (run_id, seq, event_id, taken_at, monotonic_at, crc, payload) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    // Without a limit: a bound one makes SQLite compile the statement anew at each use. Whoever iterates stops.
    this.after = database.prepare(`SELECT ${SAMPLE} FROM samples WHERE id > ? ORDER BY id`);
    this.outgoing = database.prepare(
      `SELECT id, iif(typeof(run_id) = 'blob' AND length(run_id) = 16 AND typeof(event_id) = 'blob' AND
         length(event_id) = 16, hex(run_id) || hex(event_id), NULL) AS ids,
         seq, taken_at, monotonic_at, crc, payload
       FROM samples WHERE id > ? ORDER BY id`,
    );
    this.packedHeads = database
      .prepare<[number], PackedHead>(
        `SELECT id, seq, taken_at, monotonic_at, crc, octet_length(payload)
         FROM samples WHERE id > ? ORDER BY id LIMIT ${PACKED_HEADS}`,
      )
      .raw();
    this.packed = database
      .prepare<[number, number], [Buffer | null]>(
        `SELECT CAST(group_concat(run_id || x'${'00'.repeat(24)}' || event_id || payload, '') AS BLOB)
         FROM (SELECT run_id, event_id, payload FROM samples WHERE id > ? AND id <= ? ORDER BY id)`,
      )
      .raw();
    this.headsAfter = database.prepare(`SELECT ${HEAD} FROM samples WHERE id > ? ORDER BY id LIMIT ?`);
    this.before = database.prepare(`SELECT ${SAMPLE} FROM samples WHERE id < ? ORDER BY id DESC LIMIT 1`);
    this.newestOf = database.prepare(`SELECT ${SAMPLE} FROM samples WHERE run_id = ? ORDER BY id DESC`);
    this.oldest = database.prepare(`SELECT ${HEAD} FROM samples ORDER BY id LIMIT 1`);
    this.newest = database.prepare(`SELECT ${HEAD} FROM samples ORDER BY id DESC LIMIT 1`);
    this.deleteUpTo = database.prepare('DELETE FROM samples WHERE id <= ?');
    this.deleteBetween = database.prepare('DELETE FROM samples WHERE id BETWEEN ? AND ?');
    this.raiseRun = database.prepare(
      `UPDATE runs SET acked_seq = MAX(acked_seq, $acked), last_seq = MAX(last_seq, $acked, $last)
       WHERE run_id = $run AND (acked_seq < $acked OR last_seq < MAX($acked, $last))`,
    );
    this.setState = database.prepare(
      `INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
       WHERE value <> excluded.value`,
    );
    this.#immediate = database.transaction((action: () => void) => action()).immediate;
    this.#pages = database.prepare<[], number>('PRAGMA page_count').pluck();
    this.#freePages = database.prepare<[], number>('PRAGMA freelist_count').pluck();
    this.#changes = database.prepare<[], number>('SELECT total_changes()').pluck();
    this.#getState = database.prepare<[string], string>('SELECT value FROM state WHERE key = ?').pluck();
  }

  /**
   * Opens the file, making or migrating its tables, and checks it. Throws SPOOL_NEWER_SCHEMA, or SQLite's error.
   *
   * A check of the whole structure reads every page: half a second for 512 MiB in memory, but ten from a slow disk,
   * which a service should not need for starting. So only a file of at most 64 MiB is checked whole. Damage in a
   * larger one shows when a statement meets it, and is then recovered from in the same way, without a restart.
   */
  static open({ files, synchronous, ports }: StoreOptions): Store {
    const size = statSync(files.database, { throwIfNoEntry: false })?.size ?? 0;
    const database = ports.openDatabase(files.database, { busyTimeout: BUSY_TIMEOUT_MS });
    try {
      prepareEmpty(database);
      migrate(database);
      database.pragma('journal_mode = WAL');
      database.pragma(`synchronous = ${synchronous}`);
      database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      database.pragma(`journal_size_limit = ${WAL_BYTES}`);
      if (size > 0 && size <= CHECKED_BYTES) check(database);
      return new Store(database, files, synchronous);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Samples in the file. Walks the whole tree: once at open. */
  count(): number {
    return this.database.prepare<[], number>('SELECT COUNT(*) FROM samples').pluck().get() ?? 0;
  }

  /** Those whose id is one: a damaged file may hold anything. */
  runs(): readonly RunRow[] {
    const runs = "SELECT * FROM runs WHERE typeof(run_id) = 'blob' AND length(run_id) = 16 ORDER BY rowid";
    return this.database.prepare<[], RunRow>(runs).all();
  }

  /** Samples lost so far, by reason. */
  losses(): Map<string, number> {
    const rows = this.database.prepare<[], { reason: string; samples: number }>('SELECT reason, samples FROM losses');
    return new Map(rows.all().map(({ reason, samples }) => [reason, samples]));
  }

  /** The last number known of a run; 0 for one that is not known. */
  lastSeq(run: Buffer): number {
    const last = this.database.prepare<[Buffer], number>('SELECT last_seq FROM runs WHERE run_id = ?').pluck();
    return last.get(run) ?? 0;
  }

  state(key: string): string | undefined {
    return this.#getState.get(key);
  }

  /** Keeps ids up to this one from being given again: what was handed out under them is still on its way. */
  reserveIds(upTo: number): void {
    if (upTo === 0) return;
    const given = this.database.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'samples'").pluck();
    const last = given.get();
    if (last === undefined) {
      this.database.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('samples', ?)").run(upTo);
    } else if (last < upTo) {
      this.database.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'samples'").run(upTo);
    }
  }

  /** Pages in use and free pages inside the file, in bytes. */
  usage(): { readonly used: number; readonly free: number } {
    const pages = this.#pages.get() ?? 0;
    const free = this.#freePages.get() ?? 0;
    return { used: (pages - free) * PAGE_SIZE, free: free * PAGE_SIZE };
  }

  /** Rows changed through this connection so far. */
  changes(): number {
    return this.#changes.get() ?? 0;
  }

  /** One transaction, which holds the lock from its start on. */
  transact(action: () => void): void {
    this.#immediate(action);
  }

  /**
   * Does what a power cut may undo: its commit does not wait for the disk. The next durable one takes it along, since
   * both are written to one log in order.
   */
  undoably(action: () => void): void {
    this.database.exec('PRAGMA synchronous = normal');
    try {
      action();
    } finally {
      this.database.exec(`PRAGMA synchronous = ${this.#synchronous}`);
    }
  }

  /** Size of the write-ahead log, in bytes; the last known where the system does not say: nothing is lost by that. */
  walBytes(): number {
    try {
      this.#walBytes = statSync(this.#files.wal, { throwIfNoEntry: false })?.size ?? 0;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
    }
    return this.#walBytes;
  }

  /** Whether the file at the spool's path is still the one that is open: somebody may have moved or deleted it. */
  isInPlace(): boolean {
    return this.#identity?.isAt(this.#files.database) ?? false;
  }

  /** Takes the log at its path for the one that is open. After the first use, with which SQLite makes it. */
  knowLog(): void {
    this.#logIdentity = FileIdentity.of(this.#files.wal);
  }

  /** Whether the log at its path is still that one; SQLite keeps it while the file is open. */
  isLogInPlace(): boolean {
    return this.#logIdentity?.isAt(this.#files.wal) ?? true;
  }

  /** Moves all of the log into the file; answers whether nothing is left in it: someone may be reading. */
  emptyLog(): boolean {
    return this.#checkpoint('TRUNCATE');
  }

  /** The same, but the log keeps its size: the next write begins it anew, with other salts. */
  restartLog(): boolean {
    return this.#checkpoint('RESTART');
  }

  #checkpoint(mode: 'RESTART' | 'TRUNCATE'): boolean {
    const [result] = this.database.pragma(`wal_checkpoint(${mode})`) as { busy: number }[];
    return result?.busy === 0;
  }

  /**
   * Writes everything to a new file beside the path; answers what puts it in its place, to be called once this store
   * is closed: its log would be taken for the new file's.
   */
  writeOut(): () => void {
    const { database, wal, shm } = this.#files;
    const copy = `${database}.copy`;
    rmSync(copy, { force: true });
    this.database.prepare('VACUUM INTO ?').run(copy);
    const file = openSync(copy, 'r+');
    fsyncSync(file);
    closeSync(file);
    return () => {
      rmSync(wal, { force: true });
      rmSync(shm, { force: true });
      renameSync(copy, database);
    };
  }

  close(): void {
    this.database.close();
  }
}

function check(database: SqliteDatabase): void {
  const [first] = database.pragma('quick_check(1)') as { quick_check: string }[];
  if (first?.quick_check !== 'ok') {
    throw Object.assign(new Error(first?.quick_check ?? 'the check said nothing'), { code: 'SQLITE_CORRUPT' });
  }
}
