/**
 * The sampling half of an agent, the same whether its samples go to Kafka or straight into a database: the grid, the
 * collectors, the append, and the spool's own upkeep between two samples. One timer in all.
 */
import { HostCollector } from '../collect/host.ts';
import type { ResolvedSettings } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import type { Spool } from '../spool/spool.ts';
import { Sampler } from './sampler.ts';
import { Ticker } from './ticker.ts';

/** How often the spool evicts what is too old, gives space back and remakes its reserve, at most. */
const MAINTAIN_EVERY_MS = 10_000;
/** A tick may take the longest time limit of a collector, and a slow disk's time for the append. */
const STUCK_MS = 120_000;

export interface SamplingOptions {
  readonly settings: ResolvedSettings;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each append. */
  readonly appended: () => void;
}

export class Sampling {
  readonly #collector: HostCollector;
  readonly #sampler: Sampler;
  readonly #ticker: Ticker;
  readonly #spool: Spool;
  readonly #clock: Clock;
  #maintainedAt: number;

  private constructor(options: SamplingOptions, collector: HostCollector) {
    const { settings, spool, clock, log, appended } = options;
    const hostname = settings.collect.hostname;
    this.#collector = collector;
    this.#sampler = new Sampler({ collector, spool, hostname, version, log, appended });
    this.#ticker = new Ticker(settings.collect.interval, hostname, clock);
    this.#spool = spool;
    this.#clock = clock;
    this.#maintainedAt = clock.monotonic();
  }

  static open(options: SamplingOptions): Sampling {
    const { details, timeout } = options.settings.collect;
    const collector = HostCollector.open({ details, timeout, clock: options.clock, log: options.log });
    return new Sampling(options, collector);
  }

  get taken(): number {
    return this.#sampler.taken;
  }

  get missedTicks(): number {
    return this.#ticker.missed;
  }

  /** Ticks without a sample, and samples that could not be stored. */
  get errors(): number {
    return this.#sampler.unread + this.#sampler.unstored;
  }

  /** What of it stands still, undefined when all moves: every collector has a time limit, so no tick takes long. */
  get stuck(): string | undefined {
    const { overdue } = this.#ticker;
    return overdue > STUCK_MS ? `the sample due ${Math.round(overdue / 1000)} s ago is not done` : undefined;
  }

  /** Takes over interval and time limit of new settings. */
  apply({ collect }: ResolvedSettings): void {
    this.#collector.setTimeout(collect.timeout);
    this.#spool.setInterval(collect.interval);
    this.#ticker.setInterval(collect.interval);
  }

  /** Samples until the signal aborts; the sample that has begun is finished. */
  async run(stop: AbortSignal): Promise<void> {
    await this.#ticker.run(async (tick) => {
      await this.#sampler.sample(tick);
      this.#maintain();
    }, stop);
  }

  #maintain(): void {
    const now = this.#clock.monotonic();
    if (now - this.#maintainedAt < MAINTAIN_EVERY_MS) return;
    this.#maintainedAt = now;
    this.#spool.maintain();
  }

  close(): void {
    this.#collector.close();
  }
}
