/**
 * Keeps a member in its group for as long as one generation lasts, and notices when that is over.
 *
 * Heartbeats have their own timer and wait for nobody. The generation is over for this member when the coordinator
 * says so (the group rebalances, this member is no member any more), or when none was answered for the session
 * timeout: then the coordinator may have given its partitions to others. A lost connection or a coordinator that
 * moved is neither; the next heartbeat finds it again. After the end of a generation heartbeats go on until `stop`,
 * so that whoever still finishes his work is not expelled meanwhile.
 */
import type { Clock } from '../lib/clock.ts';
import type { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { answeredError } from './errors.ts';
import { isExpelled, type Membership } from './membership.ts';

export type EndReason = 'rebalance' | 'expelled' | 'coordinator_lost' | 'partitions_changed' | 'given_back' | 'stop';

export interface HeartbeatOptions {
  readonly membership: Pick<Membership, 'heartbeat' | 'forget'>;
  readonly sessionTimeout: number;
  readonly toError: (thrown: unknown) => HostspoolError;
  readonly over: (reason: EndReason) => void;
  readonly log: Log;
  readonly clock: Clock;
}

const LONGEST_INTERVAL_MS = 3000;

export class Heartbeats {
  readonly #options: HeartbeatOptions;
  readonly #stop = new AbortController();
  /** When the last answered heartbeat (or the join) was sent, by the monotonic clock. */
  #answered: number;
  #failing = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#answered = options.clock.monotonic();
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Whether the session timeout has passed without an answer: the process itself may have been stopped. */
  get expired(): boolean {
    return this.#options.clock.monotonic() - this.#answered > this.#options.sessionTimeout;
  }

  /** Resolves when no heartbeat is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { sessionTimeout, clock, over } = this.#options;
    const interval = Math.min(sessionTimeout / 10, LONGEST_INTERVAL_MS);
    for (;;) {
      await clock.sleep(interval, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      if (this.expired) over('coordinator_lost');
      const goesOn = await this.#beat();
      if (!goesOn) return;
    }
  }

  /** Whether there is a membership left to be kept. */
  async #beat(): Promise<boolean> {
    const { membership, clock, log, over, toError } = this.#options;
    const sent = clock.monotonic();
    try {
      await membership.heartbeat();
      this.#answered = sent;
      this.#failing = false;
      return true;
    } catch (thrown) {
      if (isExpelled(thrown)) {
        membership.forget();
        over('expelled');
        return false;
      }
      if (answeredError(thrown) === 'REBALANCE_IN_PROGRESS') {
        this.#answered = sent;
        over('rebalance');
        return true;
      }
      const error = toError(thrown);
      // The fetches tell each attempt; here the first is enough.
      if (this.#failing || this.#stop.signal.aborted) log.debug({ event: 'heartbeat_failed', err: error });
      else log.warn({ event: 'heartbeat_failed', err: error }, error.message);
      this.#failing = true;
      if (this.expired) over('coordinator_lost');
      return true;
    }
  }
}
