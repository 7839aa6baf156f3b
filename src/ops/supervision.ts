/**
 * What a service manager hears of a service over its life:
 *
 *   READY=1 once it has begun ─▶ STATUS, WATCHDOG=1 again and again ─▶ STOPPING=1
 *                                       │        ▲
 *                            SIGHUP: RELOADING=1, READY=1
 *
 * The watchdog is fed by the work, not by this timer: each time the service is asked whether anything of it is stuck,
 * and while something is, the manager hears nothing and ends the process, which starts anew from what is on disk. A
 * process that stands still altogether feeds nothing either. Trouble outside (a broker, a database away) is no reason.
 *
 * A message that could not be sent is sent again at the next turn; READY until it went out.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { NotifyChannel } from './notify.ts';
import type { Service } from './service.ts';

export interface SupervisionOptions {
  readonly channel: NotifyChannel;
  readonly service: Pick<Service, 'standing' | 'condition'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it is looked until the service has begun, and from then on, ms. */
const LOOK_EVERY = { starting: 100, running: 10_000 };
/** The watchdog hears at least this often within its time. */
const BEATS_PER_WATCHDOG = 3;

export class Supervision implements Disposable {
  readonly #options: SupervisionOptions;
  readonly #every: number;
  #takeBack: () => void = () => undefined;
  #isReady = false;
  #isStopping = false;
  #stuck: string | undefined;
  #wasStuck = false;

  /** Begins to look and to tell. */
  constructor(options: SupervisionOptions) {
    this.#options = options;
    const { watchdogMs = Number.POSITIVE_INFINITY } = options.channel;
    this.#every = Math.min(LOOK_EVERY.running, watchdogMs / BEATS_PER_WATCHDOG);
    this.#look();
  }

  /** New settings are about to be read: `reloaded` must follow. */
  reloading(): void {
    // The same clock as CLOCK_MONOTONIC, which the manager compares with its own.
    const now = String(process.hrtime.bigint() / 1000n);
    this.#options.channel.send({ RELOADING: '1', MONOTONIC_USEC: now });
    this.#isReady = false;
  }

  reloaded(): void {
    this.#takeBack();
    this.#look();
  }

  stopping(): void {
    this.#isStopping = true;
    this.#options.channel.send({ STOPPING: '1', STATUS: 'stopping' });
  }

  #look(): void {
    const { channel, service, clock } = this.#options;
    const standing = service.standing();
    const stuck = this.#settled(service.condition().stuck[0]);
    this.#tellStuck(stuck);
    if (!this.#isStopping) {
      const ready = standing.ready && !this.#isReady;
      const beats = channel.watchdogMs !== undefined && stuck === undefined;
      const sent = channel.send({
        ...(ready ? { READY: '1' } : {}),
        STATUS: stuck ?? standing.status,
        ...(beats ? { WATCHDOG: '1' } : {}),
      });
      if (ready && sent) this.#isReady = true;
    } else if (channel.watchdogMs !== undefined) channel.send({ WATCHDOG: '1' });
    const next = this.#isReady || this.#isStopping ? this.#every : Math.min(this.#every, LOOK_EVERY.starting);
    this.#takeBack = clock.after(next, () => this.#look());
  }

  /** Once is no proof: after a long stop of the whole process everything is late, and moves in this very turn. */
  #settled(stuck: string | undefined): string | undefined {
    const wasStuck = this.#wasStuck;
    this.#wasStuck = stuck !== undefined;
    return wasStuck ? stuck : undefined;
  }

  #tellStuck(stuck: string | undefined): void {
    const { log } = this.#options;
    if (stuck !== undefined && this.#stuck === undefined) {
      log.error({ event: 'stuck', what: stuck }, 'the service manager will end this process and start a new one');
    } else if (stuck === undefined && this.#stuck !== undefined) log.info({ event: 'moves_again' });
    this.#stuck = stuck;
  }

  [Symbol.dispose](): void {
    this.#takeBack();
  }
}
