/**
 * When to sample: on the wall-clock grid of the interval, plus a splay.
 *
 * The grid makes the samples of a fleet comparable; the splay, stable per host, keeps the fleet from firing at once.
 * Each wait is computed anew from the grid, so nothing drifts. A tick that is still being worked on when the next is
 * due does not pile up: the grid points that went by are counted as missed.
 *
 * The wall clock may be stepped by a person or NTP. At each tick its distance from the monotonic clock is compared
 * with the last one: a change beyond what slewing can do is a step. A step ends no wait early or late, since waits
 * run on the monotonic clock; it is told to whoever samples, grid points it jumped over are not missed ones, and the
 * next wait is for the new clock's grid.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { DELAY_BOUNDS, Histogram } from '../lib/histogram.ts';
import { Wait } from '../lib/wait.ts';

export interface Tick {
  /** Wall clock, ms since the epoch. */
  readonly at: number;
  /** By how much the wall clock jumped since the last tick, ms; 0 when it did not. */
  readonly steppedMs: number;
}

/** NTP slews by at most 500 ppm; twice that, and a scheduler's hiccup between two clock readings, is no step. */
const SLEW_LIMIT = 0.001;
const STEP_FLOOR_MS = 100;

export class Ticker {
  readonly #clock: Clock;
  readonly #hostname: string;
  #interval: number;
  #splay: number;
  #offset: number;
  #readAt: number;
  readonly #delays = new Histogram(DELAY_BOUNDS);
  #missed = 0;
  #steps = 0;
  #tickedAt: number | undefined;
  /** The interval is another than the wait was for. */
  #anew = false;
  /** For the next tick. */
  readonly #wait: Wait;

  constructor(interval: number, hostname: string, clock: Clock) {
    this.#interval = interval;
    this.#splay = splayOf(hostname, interval);
    this.#hostname = hostname;
    this.#clock = clock;
    this.#wait = new Wait(clock);
    this.#offset = clock.now() - clock.monotonic();
    this.#readAt = clock.monotonic();
  }

  /** Grid points that went by without a tick. */
  get missed(): number {
    return this.#missed;
  }

  /** Ticks that found the wall clock stepped. */
  get steps(): number {
    return this.#steps;
  }

  /** How late ticks came: what the event loop was held up, in seconds. */
  get delays(): Histogram {
    return this.#delays;
  }

  /** When the last tick came, by the monotonic clock; undefined before the first. */
  get tickedAt(): number | undefined {
    return this.#tickedAt;
  }

  /** Changes the interval, in ms; the wait that is under way is computed anew. */
  setInterval(interval: number): void {
    if (interval === this.#interval) return;
    this.#interval = interval;
    this.#splay = splayOf(this.#hostname, interval);
    this.#anew = true;
    this.#wait.end();
  }

  /** Calls `work` at every tick until the signal aborts; one that has begun is finished. `work` must not throw. */
  async run(work: (tick: Tick) => Promise<void>, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wait.end(), { once: true });
    let due = this.#gridPoint(this.#gridIndex(this.#expectedNow()) + 1);
    while (!signal.aborted) {
      if (!this.#anew) await this.#wait.for(due - this.#expectedNow());
      if (signal.aborted) return;
      if (this.#anew) {
        this.#anew = false;
        due = this.#gridPoint(this.#gridIndex(this.#expectedNow()) + 1);
        continue;
      }
      const late = this.#expectedNow() - due;
      if (late < 0) continue; // a timer may fire a fraction of a millisecond early
      this.#delays.observe(late / 1000);
      const steppedMs = this.#readStep();
      if (steppedMs !== 0) this.#steps++;
      this.#tickedAt = this.#readAt;
      const at = this.#clock.now();
      await work({ at, steppedMs });
      const ticked = this.#gridIndex(steppedMs === 0 ? due : at);
      const reached = Math.max(ticked, this.#gridIndex(this.#expectedNow()));
      this.#missed += reached - ticked;
      due = this.#gridPoint(reached + 1);
    }
  }

  #gridIndex(wall: number): number {
    return Math.floor((wall - this.#splay) / this.#interval);
  }

  #gridPoint(index: number): number {
    return index * this.#interval + this.#splay;
  }

  /** What the wall clock shows if nobody stepped it since the last tick. */
  #expectedNow(): number {
    return this.#clock.monotonic() + this.#offset;
  }

  /** The step since the last tick, 0 when there was none; slewing is followed silently. */
  #readStep(): number {
    const monotonic = this.#clock.monotonic();
    const drift = this.#clock.now() - monotonic - this.#offset;
    const limit = STEP_FLOOR_MS + (monotonic - this.#readAt) * SLEW_LIMIT;
    this.#offset += drift;
    this.#readAt = monotonic;
    return Math.abs(drift) > limit ? Math.round(drift) : 0;
  }
}

/** This host's place within the interval, in whole ms: spread evenly over a fleet, the same at every start. */
export function splayOf(hostname: string, interval: number): number {
  return createHash('sha256').update(hostname).digest().readUInt32BE(0) % Math.max(1, Math.floor(interval));
}
