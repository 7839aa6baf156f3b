/**
 * The accounts of the runs that are being loaded, so that a load need not read them first.
 *
 * Whoever loads a run may keep its account, because the load's version check catches the rare other writer. What makes
 * the cache right is when it forgets: after every load that is not known to be committed, and whenever somebody else
 * may have loaded meanwhile.
 *
 * It holds two generations: what was used lately, and what the last generation left behind. A run that is used moves
 * to the young one; when that is full it becomes the old one, and the runs that nobody asked for are gone.
 */
import { type Account, written } from '../accounts/account.ts';
import type { AccountChange } from '../accounts/advance-all.ts';
import type { Sink } from './sink.ts';

/** Runs in one generation: more than a large fleet has at a time. */
const GENERATION = 20_000;

export class AccountCache {
  readonly #sink: Pick<Sink, 'readAccounts'>;
  readonly #generation: number;
  #young = new Map<string, Account>();
  #old = new Map<string, Account>();

  constructor(sink: Pick<Sink, 'readAccounts'>, generation = GENERATION) {
    this.#sink = sink;
    this.#generation = generation;
  }

  /** The accounts of these runs; runs never heard of do not appear. Rejects with the sink's HostspoolError. */
  async read(runs: Iterable<string>): Promise<Map<string, Account>> {
    const accounts = new Map<string, Account>();
    const unknown: string[] = [];
    for (const run of runs) {
      const known = this.#young.get(run) ?? this.#old.get(run);
      if (known === undefined) unknown.push(run);
      else accounts.set(run, known);
    }
    if (unknown.length > 0) {
      for (const [run, account] of await this.#sink.readAccounts(unknown)) accounts.set(run, account);
    }
    for (const account of accounts.values()) this.#keep(account);
    return accounts;
  }

  /** A load that wrote these is known to be committed. */
  committed(changes: readonly AccountChange[]): void {
    for (const { after } of changes) this.#keep(written(after));
  }

  /** Everything is read again. */
  forget(): void {
    this.#young.clear();
    this.#old.clear();
  }

  #keep(account: Account): void {
    if (this.#young.size >= this.#generation && !this.#young.has(account.run_id)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(account.run_id, account);
  }
}
