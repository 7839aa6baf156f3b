/** A clock that a test owns: time passes when the test says so, and sleepers wake in the order of their times. */
import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #wall: number;
  #monotonic: number;
  #boot: string;
  #sleepers: Sleeper[] = [];

  constructor(wall = Date.UTC(2026, 0, 1), monotonic = 1_000_000, boot = 'boot-1') {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#boot = boot;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  bootId(): string {
    return this.#boot;
  }

  /** How many are asleep. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#monotonic + ms,
        wake: () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Lets time pass, waking each sleeper at its time and letting it work before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers.reduce<Sleeper | undefined>(
        (first, sleeper) => (sleeper.at <= end && (first === undefined || sleeper.at < first.at) ? sleeper : first),
        undefined,
      );
      if (next === undefined) break;
      // A sleeper that is late, for work took its time, wakes now.
      this.pass(Math.max(0, next.at - this.#monotonic));
      next.wake();
      await settle();
    }
    this.pass(Math.max(0, end - this.#monotonic));
    await settle();
  }

  /** Time passes without waking anybody: work that takes its time. */
  pass(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }

  /** The wall clock is set forward or backward; the monotonic one goes on. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }

  /** The machine starts anew: another boot, the monotonic clock from zero. */
  reboot(boot: string, offMs = 60_000): void {
    this.#boot = boot;
    this.#wall += offMs;
    this.#monotonic = 1000;
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
