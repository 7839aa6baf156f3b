/**
 * What memory owes the file: things that happened while it could not be written, or that ride on the next write.
 *
 * Holes (samples taken and not stored), acknowledgements, refusals, and the shipping state for `--status`. All of it is
 * applied at the start of the next transaction, whatever that is for, and forgotten once that is committed. A process
 * that dies before owes nothing: the holes show in the tail file, and what was acknowledged is sent again and known by
 * its event_id.
 */
import { uuidToBytes } from '../sample/identity.ts';
import type { LossReason } from '../sample/note.ts';
import type { Notes } from './notes.ts';
import type { Store } from './store.ts';

interface Hole {
  readonly first: number;
  last: number;
  readonly reason: LossReason;
}

interface Refusal {
  readonly runId: Buffer;
  readonly seq: number;
  readonly reason: LossReason;
}

/** How far a run has come: its samples up to this number. */
export interface Reached {
  readonly run_id: string;
  readonly seq: number;
}

/** Samples that were all there was in the spool, by their ids. */
export interface Whole {
  readonly firstId: number;
  readonly lastId: number;
}

export class Owed {
  readonly #holes: Hole[] = [];
  readonly #refusals = new Map<number, Refusal>();
  readonly #notes = new Set<number>();
  #upTo = 0;
  /** How far each run is acknowledged: by what was sent, since a row may have been damaged in the file meanwhile. */
  readonly #reached = new Map<string, number>();
  #whole: Whole | undefined;
  #shipping: string | undefined;

  get isEmpty(): boolean {
    const nothingToDelete = this.#upTo === 0 && this.#refusals.size === 0 && this.#notes.size === 0;
    return nothingToDelete && this.#holes.length === 0 && this.#shipping === undefined;
  }

  /** Id up to which samples are acknowledged and still in the file. */
  get upTo(): number {
    return this.#upTo;
  }

  /** Samples that could not be stored and are not noted yet. */
  get missing(): number {
    return this.#holes.reduce((sum, hole) => sum + hole.last - hole.first + 1, 0);
  }

  /** Samples refused and still in the file. */
  get refused(): number {
    return this.#refusals.size;
  }

  /** Notes delivered and still in the file. */
  get delivered(): number {
    return this.#notes.size;
  }

  isRefused(id: number): boolean {
    return this.#refusals.has(id);
  }

  isDelivered(noteId: number): boolean {
    return this.#notes.has(noteId);
  }

  /** Samples of the current run that were not stored. In order of their numbers. */
  hole(first: number, last: number, reason: LossReason): void {
    const previous = this.#holes.at(-1);
    if (previous?.reason === reason && previous.last === first - 1) previous.last = last;
    else this.#holes.push({ first, last, reason });
  }

  acknowledge(upTo: number, reached: readonly Reached[], noteIds: Iterable<number>): void {
    this.#upTo = Math.max(this.#upTo, upTo);
    for (const { run_id, seq } of reached) this.#reached.set(run_id, Math.max(seq, this.#reached.get(run_id) ?? 0));
    for (const id of noteIds) this.#notes.add(id);
  }

  /** The same for all that is in the spool. */
  acknowledgeAll(samples: Whole, reached: Reached): void {
    this.acknowledge(samples.lastId, [reached], []);
    this.#whole = samples;
  }

  refuse(id: number, refusal: Refusal): void {
    this.#refusals.set(id, refusal);
  }

  shipping(state: string): void {
    this.#shipping = state;
  }

  /** The file is another one now: note ids of the old one mean nothing in it. */
  forgetNotes(): void {
    this.#notes.clear();
  }

  /** Writes all of it. Inside a transaction; answers how many samples it deleted. `at`: wall clock, ms. */
  apply(store: Store, notes: Notes, currentRun: Buffer, at: number): number {
    let deleted = 0;
    notes.delete(this.#notes);
    for (const [run, seq] of this.#reached) store.raiseRun.run({ run: uuidToBytes(run), acked: seq, last: seq });
    // First of all, since what is acknowledged goes up to an id, and these lie below it and were not delivered.
    for (const [id, { runId, seq, reason }] of this.#refusals) {
      const { changes } = store.deleteBetween.run(id, id);
      if (changes === 0) continue;
      deleted += changes;
      store.raiseRun.run({ run: runId, acked: 0, last: seq });
      notes.lost({ runId, first: seq, last: seq, reason, exact: true }, at);
    }
    if (this.#whole !== undefined && this.#whole.lastId === this.#upTo) {
      const { firstId, lastId } = this.#whole;
      // None but these: whatever else might lie there has not been sent.
      deleted += store.deleteBetween.run(firstId, lastId).changes;
    } else if (this.#upTo > 0) deleted += store.deleteUpTo.run(this.#upTo).changes;
    for (const { first, last, reason } of this.#holes) {
      notes.lost({ runId: currentRun, first, last, reason, exact: true }, at);
      store.raiseRun.run({ run: currentRun, acked: 0, last });
    }
    if (this.#shipping !== undefined) store.setState.run('shipping', this.#shipping);
    return deleted;
  }

  /** It is committed. */
  paid(): void {
    this.#holes.length = 0;
    this.#refusals.clear();
    this.#notes.clear();
    this.#upTo = 0;
    this.#reached.clear();
    this.#whole = undefined;
    this.#shipping = undefined;
  }
}
