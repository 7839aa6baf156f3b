/**
 * How long a reading waits for those who may never answer.
 *
 * A healthy filesystem answers within one turn of the event loop, so the timer is set only after a turn went by
 * without an answer: setting and cancelling one at every sample would cost as much as reading all of /proc.
 */
import type { Clock } from '../lib/clock.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #at: number;
  #passed: Promise<undefined> | undefined;
  #timer: AbortController | undefined;

  /** `ms` from now. */
  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#at = clock.monotonic() + ms;
  }

  /** What `call` answers or throws; undefined if the time is up first. What comes later is dropped. */
  async answerOf<T>(call: Promise<T>): Promise<T | undefined> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    call.then(settle, settle);
    await new Promise((resolve) => setImmediate(resolve));
    if (isSettled) return call;
    this.#passed ??= this.#startTimer();
    return Promise.race([call, this.#passed]);
  }

  async #startTimer(): Promise<undefined> {
    this.#timer = new AbortController();
    await this.#clock.sleep(this.#at - this.#clock.monotonic(), this.#timer.signal);
    // Where this process was kept waiting itself, the answer lies there by now: timers come before it in the loop.
    await new Promise((resolve) => setImmediate(resolve));
    return undefined;
  }

  /** Nobody waits any more. */
  end(): void {
    this.#timer?.abort();
  }
}
