/**
 * The accounts: a row in `runs`, its gaps in `seq_gaps`. Written over the version they were computed from or not at
 * all; of the gaps only what changed, so that a run with many costs no more than what is new.
 */
import { type Account, type Gap, tally } from '../../accounts/account.ts';
import type { AccountChange } from '../../accounts/advance-all.ts';
import { gapDifference } from '../../accounts/gap-difference.ts';
import type { SqliteDatabase, SqliteStatement } from '../../lib/sqlite.ts';
import { uuidFromBytes, uuidToBytes } from '../../sample/identity.ts';
import { readContacts, writeContacts } from '../contacts.ts';
import { fromTimeText, toTimeText } from './times.ts';

interface RunRow {
  run_id: Buffer;
  hostname: string;
  first_seen: string;
  last_seen: string;
  last_seq: number;
  last_seq_by_partition: string;
  ended: 'clean' | 'unclean' | null;
  uncertain: number;
  version: number;
}

const VALUES = `hostname = @hostname, first_seen = @first_seen, last_seen = @last_seen, last_seq = @last_seq,
  last_seq_by_partition = @last_seq_by_partition, ended = @ended, uncertain = @uncertain,
  received = @received, lost = @lost, missing = @missing, version = @version + 1`;

export class AccountTables {
  readonly #insert: SqliteStatement<[object]>;
  readonly #update: SqliteStatement<[object]>;
  readonly #deleteGap: SqliteStatement<[Buffer, number]>;
  readonly #insertGap: SqliteStatement<[Buffer, number, number, string | null]>;
  readonly #select: SqliteStatement<[Buffer], RunRow>;
  readonly #selectGaps: SqliteStatement<[Buffer], Gap>;
  readonly #selectUnexplained: SqliteStatement<[], Buffer>;

  constructor(database: SqliteDatabase) {
    this.#insert = database.prepare(
      `INSERT INTO runs (run_id, hostname, first_seen, last_seen, last_seq, last_seq_by_partition, ended, uncertain,
         received, lost, missing, version)
       VALUES (@run_id, @hostname, @first_seen, @last_seen, @last_seq, @last_seq_by_partition, @ended, @uncertain,
         @received, @lost, @missing, 1)
       ON CONFLICT (run_id) DO NOTHING`,
    );
    this.#update = database.prepare(`UPDATE runs SET ${VALUES} WHERE run_id = @run_id AND version = @version`);
    this.#deleteGap = database.prepare('DELETE FROM seq_gaps WHERE run_id = ? AND first_seq = ?');
    this.#insertGap = database.prepare(
      'INSERT INTO seq_gaps (run_id, first_seq, last_seq, reason) VALUES (?, ?, ?, ?)',
    );
    this.#select = database.prepare('SELECT * FROM runs WHERE run_id = ?');
    this.#selectGaps = database.prepare(
      'SELECT first_seq, last_seq, reason FROM seq_gaps WHERE run_id = ? ORDER BY first_seq',
    );
    this.#selectUnexplained = database.prepare<[], Buffer>('SELECT run_id FROM runs WHERE missing > 0').pluck();
  }

  /** Answers the runs that another load has written since they were read. */
  write(changes: readonly AccountChange[]): string[] {
    const stale: string[] = [];
    for (const change of changes) {
      if (!this.#write(change)) stale.push(change.after.run_id);
    }
    return stale;
  }

  #write({ before, after }: AccountChange): boolean {
    const run_id = uuidToBytes(after.run_id);
    const row = { ...rowOf(after), run_id };
    const { changes } = after.version === 0 ? this.#insert.run(row) : this.#update.run(row);
    if (changes === 0) return false;
    const { gone, come } = gapDifference(before?.gaps ?? [], after.gaps);
    for (const { first_seq } of gone) this.#deleteGap.run(run_id, first_seq);
    for (const { first_seq, last_seq, reason } of come) this.#insertGap.run(run_id, first_seq, last_seq, reason);
    return true;
  }

  read(runs: Iterable<string>): Map<string, Account> {
    const accounts = new Map<string, Account>();
    for (const run of runs) {
      const account = this.#read(uuidToBytes(run));
      if (account !== undefined) accounts.set(run, account);
    }
    return accounts;
  }

  readUnexplained(): Map<string, Account> {
    return this.read(this.#selectUnexplained.all().map(uuidFromBytes));
  }

  #read(run_id: Buffer): Account | undefined {
    const row = this.#select.get(run_id);
    if (row === undefined) return undefined;
    return {
      run_id: uuidFromBytes(run_id),
      hostname: row.hostname,
      first_seen: fromTimeText(row.first_seen),
      last_seen: fromTimeText(row.last_seen),
      last_seq: row.last_seq,
      last_seq_by_partition: readContacts(row.last_seq_by_partition),
      ended: row.ended === null ? null : { clean: row.ended === 'clean' },
      uncertain: row.uncertain === 1,
      gaps: this.#selectGaps.all(run_id),
      version: row.version,
    };
  }
}

function rowOf(account: Account) {
  const { ended } = account;
  return {
    hostname: account.hostname,
    first_seen: toTimeText(account.first_seen),
    last_seen: toTimeText(account.last_seen),
    last_seq: account.last_seq,
    last_seq_by_partition: writeContacts(account.last_seq_by_partition),
    ended: ended === null ? null : ended.clean ? 'clean' : 'unclean',
    uncertain: account.uncertain ? 1 : 0,
    version: account.version,
    ...tally(account),
  };
}
