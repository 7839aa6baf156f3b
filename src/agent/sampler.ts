/**
 * From a tick to a sample in the spool: read the host, give the reading its identity, append it.
 *
 * The identity is given after the reading and before the append, so a reading that failed uses no sequence number and
 * an append that failed leaves a hole that the spool accounts for.
 */
import type { HostCollector } from '../collect/host.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { encodeSample } from '../sample/encode.ts';
import type { Spool } from '../spool/spool.ts';
import type { Tick } from './ticker.ts';

export interface SamplerOptions {
  readonly collector: Pick<HostCollector, 'read'>;
  readonly spool: Pick<Spool, 'identify' | 'append' | 'depth' | 'bytes' | 'oldestAgeSeconds'>;
  readonly hostname: string;
  readonly version: string;
  readonly log: Log;
  /** Called after each append, so that the sample leaves at once. */
  readonly appended: () => void;
}

export class Sampler {
  readonly #options: SamplerOptions;
  #taken = 0;
  #unread = 0;
  #unstored = 0;
  #failing: string | undefined;
  #storing = true;
  #takenAt: number | undefined;
  #steppedMs = 0;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Samples that got an identity. */
  get taken(): number {
    return this.#taken;
  }

  /** Ticks without a sample: a required field could not be read. */
  get unread(): number {
    return this.#unread;
  }

  /** Samples taken that the spool could not store; it accounts for them. */
  get unstored(): number {
    return this.#unstored;
  }

  /** Why the last reading failed; undefined if it did not. */
  get failing(): string | undefined {
    return this.#failing;
  }

  /** Whether the spool took the last sample. */
  get storing(): boolean {
    return this.#storing;
  }

  /** When the last sample was taken, by the wall clock; undefined before the first. */
  get takenAt(): number | undefined {
    return this.#takenAt;
  }

  async sample(tick: Tick): Promise<void> {
    const { collector, spool, hostname, version, log } = this.#options;
    this.#steppedMs += tick.steppedMs;
    if (tick.steppedMs !== 0) {
      log.warn({ event: 'clock_stepped', stepped_ms: tick.steppedMs }, 'the wall clock was stepped');
    }
    let reading: Awaited<ReturnType<HostCollector['read']>>;
    try {
      reading = await collector.read();
    } catch (error) {
      this.#unread++;
      if (this.#failing === undefined)
        log.error({ event: 'sample_failed', err: asError(error) }, 'no sample could be taken');
      this.#failing = asError(error).message;
      return;
    }
    if (this.#failing !== undefined)
      log.info({ event: 'sample_recovered', missed: this.#unread }, 'samples are taken again');
    this.#failing = undefined;

    const identity = spool.identify();
    this.#taken++;
    this.#takenAt = tick.at;
    const payload = encodeSample({
      hostname,
      timestamp: new Date(tick.at).toISOString(),
      ...reading,
      ...identity,
      agent_version: version,
      spool_depth: spool.depth,
      spool_bytes: spool.bytes,
      spool_oldest_age_seconds: spool.oldestAgeSeconds(),
      ...(this.#steppedMs === 0 ? {} : { clock_stepped_ms: this.#steppedMs }),
    });
    this.#steppedMs = 0;
    log.debug({ event: 'sample_taken', event_id: identity.event_id, run_id: identity.run_id, seq: identity.seq });
    this.#storing = spool.append(identity, tick.at, payload);
    if (this.#storing) this.#options.appended();
    else this.#unstored++;
  }
}
