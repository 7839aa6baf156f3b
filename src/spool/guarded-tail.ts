/**
 * The tail file, and what can befall it. It is a second witness: without it sampling goes on, and a death is then
 * noted as not exact. So a failure is logged once and nothing else; the next upkeep tries to open it again.
 */
import { asError } from '../lib/errors.ts';
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
  #earlier: readonly RunTail[] = [];
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

  /** Opens the file and leaves this process's id in it; answers whether that worked. */
  open(): boolean {
    const { path, bootId, mode } = this.#options;
    this.#attempt(() => {
      this.#tail = Tail.open(path, bootId, mode);
      this.#earlier = this.#tail.runs();
      this.#tail.hold(process.pid);
    });
    return this.#tail !== undefined;
  }

  begin(runId: string, committed: boolean): void {
    this.#attempt(() => this.#tail?.begin(runId, committed));
    if (committed) this.#earlier = [];
  }

  /** What the file held is in the spool now. */
  settle(seq: number): void {
    this.#attempt(() => this.#tail?.settle(seq));
    this.#earlier = [];
  }

  write(seq: number): void {
    this.#attempt(() => this.#tail?.write(seq));
  }

  /** The samples up to this number are acknowledged, though the spool may have the last of them still. */
  acknowledged(seq: number): void {
    this.#attempt(() => this.#tail?.acknowledged(seq));
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
