/** A wait that somebody may end. One at a time. A timer and no signal, since each wait on one makes listeners. */
import type { Clock } from './clock.ts';

export class Wait {
  readonly #clock: Clock;
  #end: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Until `end`. */
  forEver(): Promise<void> {
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Until `end`, or for so many ms. */
  for(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const takeBack = this.#clock.after(ms, resolve);
      this.#end = () => {
        takeBack();
        resolve();
      };
    });
  }

  /** Ends the wait that is under way; nothing where none is. */
  end(): void {
    this.#end();
  }
}
