/**
 * The tail file, and what can befall it. It is a second witness: without it sampling goes on, and a death is then
 * noted as not exact. So a failure is logged once and nothing else; the next upkeep tries to open it again.
 */
import { asError } from '../lib/errors.ts';
import { FileIdentity } from '../lib/file-identity.ts';
import type { Log } from '../lib/log.ts';
import { faultOf } from './faults.ts';
import { type RunTail, Tail } from './tail.ts';

export interface GuardedTailOptions {
  readonly path: string;
  readonly bootId: string;
  readonly mode: number;
  readonly log: Log;
}

export class GuardedTail {
  readonly #options: GuardedTailOptions;
  #tail: Tail | undefined;
  #identity: FileIdentity | undefined;
  #earlier: readonly RunTail[] = [];
  #kept: readonly RunTail[] = [];
  #failing = false;

  constructor(options: GuardedTailOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#tail !== undefined;
  }

  /** The tails that the file held when it was opened, until they are settled. */
  get earlier(): readonly RunTail[] {
    return this.#earlier;
  }

  /** The tails of earlier runs that are settled and still in the file. */
  get kept(): readonly RunTail[] {
    return this.#kept;
  }

  /** Opens the file and leaves this process's id in it; answers whether that worked. */
  open(): boolean {
    const { path, bootId, mode } = this.#options;
    this.#attempt(() => {
      this.#tail = Tail.open(path, bootId, mode);
      this.#identity = FileIdentity.of(path);
      this.#earlier = this.#tail.runs();
      this.#tail.hold(process.pid);
    });
    return this.#tail !== undefined;
  }

  /** The run is about to begin: what the file holds stays until `settle`. */
  begin(runId: string): void {
    this.#attempt(() => this.#tail?.begin(runId));
  }

  /** What the file held is in the spool now. `kept`: the earlier runs that the spool has not done with. */
  settle(seq: number, kept: ReadonlySet<string>): void {
    this.#attempt(() => this.#tail?.settle(seq, kept));
    this.#settled(kept);
  }

  /** The spool is about to forget every run but these; of the `told` nothing is left to be said. */
  keep(runs: ReadonlySet<string>, told: ReadonlySet<string>): void {
    const isKnown = (tail: RunTail) => runs.has(tail.runId) && (tail.told || !told.has(tail.runId));
    if (this.#kept.every(isKnown)) return;
    this.#attempt(() => this.#tail?.keep(runs, told));
    this.#settled(runs);
    this.#kept = this.#kept.map((tail) => (told.has(tail.runId) ? { ...tail, told: true } : tail));
  }

  #settled(kept: ReadonlySet<string>): void {
    this.#kept = [...this.#kept, ...this.#earlier].filter(({ runId }) => kept.has(runId));
    this.#earlier = [];
  }

  write(seq: number): void {
    this.#attempt(() => this.#tail?.write(seq));
  }

  /** The samples up to this number are acknowledged, though the spool may have the last of them still. */
  acknowledged(seq: number): void {
    this.#attempt(() => this.#tail?.acknowledged(seq));
  }

  /** Lets a file go that is no longer at its path: at the next start nothing of it would be found. */
  watch(): void {
    const { path, log } = this.#options;
    if (this.#tail === undefined || (this.#identity?.isAt(path) ?? true)) return;
    log.warn({ event: 'spool_tail_displaced', path }, 'the tail file was moved, deleted or replaced; it is made again');
    this.#attempt(() => this.close());
  }

  close(): void {
    const tail = this.#tail;
    this.#tail = undefined;
    tail?.close();
  }

  #attempt(action: () => void): void {
    try {
      action();
      if (this.#tail !== undefined) this.#failing = false;
    } catch (error) {
      if (faultOf(error) === undefined) throw error;
      const { log, path } = this.#options;
      if (!this.#failing) {
        log.error(
          { event: 'spool_tail_unwritable', path, err: asError(error) },
          'the tail file can’t be written; if this process dies now, its loss is noted as not exact',
        );
      }
      this.#failing = true;
    }
  }
}
