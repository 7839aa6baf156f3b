/**
 * The holes of the topic, which explain gaps in the accounts, and when they have to be looked at again.
 *
 * A hole and the gap that it explains may be found by two writers, in either order, and neither's load sees what the
 * other has not committed. So whoever commits second looks once more:
 *
 *   committed a hole               ─▶ go through the runs with unexplained gaps
 *   committed an unexplained gap   ─▶ read the holes; a new one ─▶ go through those runs
 *
 * Whichever commits second sees the first one's, so nothing stays unexplained that could be explained. At the
 * beginning of a session both is done, for what a killed writer left behind. A load that met the fence may have been
 * committed itself, its answer lost, or another writer committed it and died: the holes are read again.
 *
 * A second look goes by the last message of a run in each partition. What its first message, or the note of its end,
 * tells of a hole before it can be told only when that is loaded. So the holes are always read after the offsets from
 * which a session goes on: a hole and the offset behind it are committed together, so each that lies below is known.
 */
import type { Account } from '../accounts/account.ts';
import { advance, type LogHole } from '../accounts/advance.ts';
import { type AccountChange, difference } from '../accounts/advance-all.ts';
import type { LogReader, Sink } from '../sink/sink.ts';

const NONE: ReadonlyMap<string, Account> = new Map();

export class Explanations {
  readonly #sink: Pick<Sink, 'readHoles' | 'readUnexplained'>;
  readonly #reader: LogReader;
  #holes: readonly LogHole[] = [];
  /** There may be holes that are not known here. */
  #inDoubt = false;
  #due = false;

  constructor(sink: Pick<Sink, 'readHoles' | 'readUnexplained'>, reader: LogReader) {
    this.#sink = sink;
    this.#reader = reader;
  }

  /** All holes that the database has, as far as is known. */
  get holes(): readonly LogHole[] {
    return this.#holes;
  }

  /** Runs with unexplained gaps have to be gone through, or it has to be found out whether they have to. */
  get due(): boolean {
    return this.#due || this.#inDoubt;
  }

  /** Holes may have been recorded of which nobody told. */
  doubt(): void {
    this.#inDoubt = true;
  }

  /** Reads the holes; those that are new make the runs due. Rejects with the sink's HostspoolError. */
  async refresh(isSession = false): Promise<void> {
    const known = isSession ? 0 : this.#holes.length;
    this.#holes = await this.#sink.readHoles(this.#reader);
    this.#inDoubt = false;
    if (this.#holes.length > known) this.#due = true;
  }

  /** The runs that a hole may explain, by the holes as they are now; none when nothing is due. */
  async unexplained(): Promise<ReadonlyMap<string, Account>> {
    if (this.#inDoubt) await this.refresh();
    return this.#due ? this.#sink.readUnexplained() : NONE;
  }

  /** Of runs that no message of this load tells about: those whose gaps the holes explain. */
  explain(runs: ReadonlyMap<string, Account>, told: ReadonlyMap<string, Account>, found: readonly LogHole[]) {
    const holes = [...this.#holes, ...found];
    const changes: AccountChange[] = [];
    for (const [run, before] of runs) {
      if (told.has(run)) continue;
      const after = advance(before, [], holes);
      if (after !== before) changes.push({ before, after });
    }
    return changes;
  }

  /** Nothing is left that the known holes explain. */
  done(): void {
    this.#due = false;
  }

  /** A load is committed that found these holes and made these changes. */
  async committed(found: readonly LogHole[], changes: readonly AccountChange[]): Promise<void> {
    this.#holes = [...this.#holes, ...found];
    this.#due = found.length > 0;
    if (changes.some((change) => difference(change).missing > 0)) this.doubt();
    if (this.#inDoubt) await this.refresh();
  }
}
