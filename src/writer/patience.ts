/**
 * The waits between attempts at the database or the dead-letter topic, and what is said about them. Each counts its own
 * failures; whoever asks repeats, with what it has, until it succeeds or its session ends.
 */
import { Backoff, type BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Health, Organ } from './health.ts';
import { type FailureKind, failureKind } from './load-failure.ts';

export interface PatienceOptions {
  readonly organ: Organ;
  /** Any failure is unhealthy, not only one that needs a person. */
  readonly illAtOnce?: boolean;
  readonly backoff: BackoffSettings;
  readonly random: () => number;
  readonly health: Health;
  readonly clock: Clock;
  readonly log: Log;
}

/** Wait before a load that met another writer is repeated, ms: from the first to the sum of both. */
const SOON_MS = { least: 5, spread: 95 };
/** So many meetings in a row are a failure like any other. */
const SOON_IN_A_ROW = 10;

export class Patience {
  readonly #options: PatienceOptions;
  readonly #backoff: Backoff;
  #soon = 0;
  #errors = 0;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
  }

  /** Failed attempts since the start. */
  get errors(): number {
    return this.#errors;
  }

  /** Failed attempts since the last success. */
  get failures(): number {
    return this.#backoff.failures;
  }

  /** The result of `action`, repeated until it has one; undefined when the signal aborts first. */
  async until<Result>(event: string, action: () => Promise<Result>, signal: AbortSignal): Promise<Result | undefined> {
    while (!signal.aborted) {
      try {
        const result = await action();
        this.succeeded();
        return result;
      } catch (error) {
        if (!signal.aborted) await this.failed(event, asError(error), signal);
      }
    }
    return undefined;
  }

  succeeded(): void {
    const { organ, health, log } = this.#options;
    if (this.#backoff.failures > 0) log.info({ event: 'recovered', organ, failures: this.#backoff.failures });
    this.#backoff.succeeded();
    this.#soon = 0;
    health.well(organ);
  }

  /** Says what happened and waits before the next attempt; returns early when the signal aborts. */
  async failed(event: string, error: Error, signal: AbortSignal, given?: FailureKind): Promise<void> {
    const { organ, illAtOnce = false, health, clock, log, random } = this.#options;
    const kind = given ?? failureKind(error);
    this.#errors++;
    health.failed(organ, error);
    if (kind === 'soon' && ++this.#soon <= SOON_IN_A_ROW) {
      log.debug({ event, organ, code: (error as HostspoolError).code }, 'met another writer; again');
      return clock.sleep(SOON_MS.least + random() * SOON_MS.spread, signal);
    }
    const needsPerson = kind === 'person' || kind === 'data';
    const wait = Math.round(needsPerson ? this.#seldom() : this.#backoff.failed());
    if (needsPerson || illAtOnce) health.ill(organ, messageOf(error));
    log[needsPerson ? 'error' : 'warn']({
      event,
      organ,
      err: error,
      failures: this.#backoff.failures,
      next_attempt_in_ms: wait,
    });
    await clock.sleep(wait, signal);
  }

  /** The longest waits there are: what only a person can mend must not be hammered. */
  #seldom(): number {
    this.#backoff.failed();
    const { cap } = this.#options.backoff;
    return cap / 2 + (this.#options.random() * cap) / 2;
  }
}

function messageOf(error: Error): string {
  return error instanceof HostspoolError ? `${error.code}: ${error.message}` : error.message;
}
