/** How far a command is: a bar on a terminal, a line for every tenth of the way otherwise. */
import { Presets, SingleBar } from 'cli-progress';
import { printable } from '../lib/printable.ts';

export interface Progress {
  readonly total: number;
  readonly done: number;
  /** Why it stands still. */
  readonly error?: string | undefined;
}

export interface ProgressWords {
  /** What is being done: `draining`. */
  readonly doing: string;
  /** To what: `samples`. */
  readonly things: string;
  /** What they are then: `shipped`. */
  readonly done: string;
}

export interface ProgressView {
  show(progress: Progress): void;
  close(): void;
}

export function progressView(words: ProgressWords): ProgressView {
  return process.stdout.isTTY === true ? new ProgressBar(words) : new ProgressLines(words);
}

class ProgressBar implements ProgressView {
  readonly #bar: SingleBar;
  readonly #startedAt = performance.now();
  #started = false;

  constructor({ doing, things }: ProgressWords) {
    const format = `${doing} [{bar}] {value}/{total} ${things}, {rate}/s, {eta_formatted} left {error}`;
    this.#bar = new SingleBar({ format, hideCursor: true }, Presets.legacy);
  }

  show({ total, done, error }: Progress): void {
    const seconds = Math.max(0.001, (performance.now() - this.#startedAt) / 1000);
    const payload = { rate: Math.round(done / seconds), error: printable(error ?? '') };
    if (this.#started) this.#bar.update(done, payload);
    else this.#bar.start(total, done, payload);
    this.#started = true;
  }

  close(): void {
    this.#bar.stop();
  }
}

/** A line for every tenth of the way, and for each new error. */
class ProgressLines implements ProgressView {
  readonly #words: ProgressWords;
  #tenth = -1;
  #error: string | undefined;

  constructor(words: ProgressWords) {
    this.#words = words;
  }

  show({ total, done, error }: Progress): void {
    const tenth = total === 0 ? 10 : Math.floor((done / total) * 10);
    const { things, done: participle } = this.#words;
    if (tenth !== this.#tenth) process.stdout.write(`${done} of ${total} ${things} ${participle}\n`);
    if (error !== undefined && error !== this.#error) process.stdout.write(`waiting: ${error}\n`);
    this.#tenth = tenth;
    this.#error = error;
  }

  close(): void {}
}
