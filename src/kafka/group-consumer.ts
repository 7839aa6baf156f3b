/**
 * A member of a consumer group, made of kafkajs' protocol without its consumer, whose habits the writer can't use: it
 * takes the default offset in silence where a log no longer has the one it wanted, tells nobody before a partition
 * goes, and can stop fetching without a word.
 *
 *   join (waited out with backoff) ─▶ session ─▶ use(session) ─▶ close ─┐
 *     ▲                                                                 │
 *     └─────────────────────────────────────────────────────────────────┘   signal aborted, or `use` rejected: leave
 *
 * What keeps it from joining never ends it: brokers may come back, a right may be granted, a topic be made. Until
 * then every attempt that failed is told, at `error` where a person must act.
 */

import type { Settings } from '../config/schema.ts';
import { Backoff, type BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { KafkaAccess } from './access.ts';
import { Brokers } from './brokers.ts';
import { answeredError } from './errors.ts';
import { Session } from './group-session.ts';
import type { GroupConsumer, GroupSession } from './log-session.ts';
import { type Generation, isExpelled, Membership } from './membership.ts';
import { within } from './time-limit.ts';

export interface GroupConsumerOptions {
  readonly settings: Settings['kafka'];
  readonly access?: KafkaAccess;
  readonly backoff: BackoffSettings;
  readonly log: Log;
  readonly clock: Clock;
  readonly random?: () => number;
  /** How often new partitions are looked for, ms. */
  readonly metadataMaxAge?: number;
}

const METADATA_MAX_AGE_MS = 30_000;
/** How long leaving may take in all, ms. */
const LEAVE_LIMIT_MS = 5000;
/** So often in a row a join that the group itself upset is repeated without a wait. */
const JOINS_WITHOUT_WAIT = 3;

export class KafkaGroupConsumer implements GroupConsumer {
  readonly #options: GroupConsumerOptions;

  private constructor(options: GroupConsumerOptions) {
    this.#options = options;
  }

  /** Connects when it is told to consume. */
  static create(options: GroupConsumerOptions): KafkaGroupConsumer {
    return new KafkaGroupConsumer(options);
  }

  async consume(
    use: (session: GroupSession) => Promise<void>,
    signal: AbortSignal,
    tries: () => void = () => undefined,
  ): Promise<void> {
    const brokers = this.#brokers();
    const { group, session_timeout, request_timeout } = this.#options.settings;
    const membership = new Membership({
      brokers,
      group,
      sessionTimeout: session_timeout,
      rebalanceTimeout: session_timeout,
      requestTimeout: request_timeout,
    });
    const returned = new Backoff(this.#options.backoff, this.#options.random);
    try {
      for (;;) {
        const generation = await this.#join(membership, brokers, signal, tries);
        if (generation === undefined) return;
        const session = this.#open(membership, brokers, generation);
        await this.#use(session, use, signal, brokers);
        if (signal.aborted) return;
        // Whoever gives a session back before its end upsets the group each time: not without a rest.
        if (session.reason === 'given_back') await this.#options.clock.sleep(returned.failed(), signal);
        else returned.succeeded();
      }
    } finally {
      brokers.close();
      await this.#leave(membership);
    }
  }

  #brokers(): Brokers {
    const { settings, access, log, clock } = this.#options;
    return Brokers.create({ settings, topic: settings.topic, log, clock, ...(access && { access }) });
  }

  #open(membership: Membership, brokers: Brokers, generation: Generation): Session {
    const { settings, backoff, random = Math.random, log, clock, metadataMaxAge = METADATA_MAX_AGE_MS } = this.#options;
    const { group, session_timeout: sessionTimeout, request_timeout: requestTimeout } = settings;
    log.info({
      event: 'group_joined',
      group,
      generation: generation.id,
      partitions: generation.partitions,
      leader: generation.assigned !== undefined,
    });
    return Session.open(
      { brokers, membership, group, sessionTimeout, requestTimeout, metadataMaxAge, backoff, random, log, clock },
      generation,
    );
  }

  async #use(
    session: Session,
    use: (session: GroupSession) => Promise<void>,
    signal: AbortSignal,
    brokers: Brokers,
  ): Promise<void> {
    const stop = () => session.end('stop');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await use(session);
    } finally {
      signal.removeEventListener('abort', stop);
      // A heartbeat that waits for its answer must not hold up the end.
      if (signal.aborted) brokers.close();
      await session.close();
    }
  }

  /** The next generation; undefined when the signal aborts first. */
  async #join(
    membership: Membership,
    brokers: Brokers,
    signal: AbortSignal,
    tries: () => void,
  ): Promise<Generation | undefined> {
    const { backoff: settings, random, clock, log } = this.#options;
    const backoff = new Backoff(settings, random);
    const stop = () => brokers.close();
    signal.addEventListener('abort', stop, { once: true });
    let told: string | undefined;
    try {
      for (let upset = 0; !signal.aborted; ) {
        try {
          tries();
          return await membership.join();
        } catch (thrown) {
          if (signal.aborted) break;
          const expelled = isExpelled(thrown);
          if (expelled) membership.forget();
          if ((expelled || answeredError(thrown) === 'REBALANCE_IN_PROGRESS') && upset++ < JOINS_WITHOUT_WAIT) continue;
          const error = brokers.error(thrown, { group: this.#options.settings.group });
          const wait = backoff.failed();
          tell(log, error, wait, told === error.code);
          told = error.code;
          await clock.sleep(wait, signal);
        }
      }
      return undefined;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** On connections of its own: those of a join that was broken off would answer after it. */
  async #leave(membership: Membership): Promise<void> {
    const { clock, log } = this.#options;
    const brokers = this.#brokers();
    try {
      await within(clock, LEAVE_LIMIT_MS, membership.leave(brokers), () => new Error('the time for leaving is over'));
    } catch (thrown) {
      // The coordinator will miss its heartbeats.
      log.debug({ event: 'group_leave_failed', err: brokers.error(thrown) });
    } finally {
      brokers.close();
    }
  }
}

/** A topic that is missing is told once; a broker that is away, with each attempt. */
function tell(log: Log, error: HostspoolError, wait: number, again: boolean): void {
  const fields = { event: 'group_join_failed', err: error, next_attempt_in_ms: Math.round(wait) };
  const passes = error.retryable || error.code === 'KAFKA_UNKNOWN_TOPIC';
  if (again && error.code === 'KAFKA_UNKNOWN_TOPIC') log.debug(fields, error.message);
  else if (passes) log.warn(fields, error.message);
  else log.error(fields, error.message);
}
