/**
 * The sampling half of an agent, the same whether its samples go to Kafka or straight into a database: the grid, the
 * collectors, the append, and the spool's own upkeep between two samples. One timer in all.
 */
import { HostCollector } from '../collect/host.ts';
import { requireHostRoot } from '../collect/host-root.ts';
import type { ResolvedSettings } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import type { Histogram } from '../lib/histogram.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import type { Spool } from '../spool/spool.ts';
import { Sampler } from './sampler.ts';
import { Ticker } from './ticker.ts';

/** How often the spool evicts what is too old, gives space back and remakes its reserve, at most. */
const MAINTAIN_EVERY_MS = 10_000;

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
  readonly #startedAt: number;
  #interval: number;
  #sampledAt: number;
  #maintainedAt: number;
  #ended = false;
  /** When the interval became another: until then nothing was due by it. */
  #changedAt = Number.NEGATIVE_INFINITY;

  private constructor(options: SamplingOptions, collector: HostCollector) {
    const { settings, spool, clock, log, appended } = options;
    const hostname = settings.collect.hostname;
    this.#collector = collector;
    this.#sampler = new Sampler({ collector, spool, hostname, version, log, appended });
    this.#ticker = new Ticker(settings.collect.interval, hostname, clock);
    this.#spool = spool;
    this.#clock = clock;
    this.#interval = settings.collect.interval;
    this.#startedAt = clock.monotonic();
    this.#sampledAt = this.#startedAt;
    this.#maintainedAt = this.#startedAt;
  }

  /** Throws COLLECT_HOST_ROOT. */
  static open(options: SamplingOptions): Sampling {
    const { details, host_root: root, timeout } = options.settings.collect;
    requireHostRoot(root);
    const collector = HostCollector.open({ root, details, timeout, clock: options.clock, log: options.log });
    return new Sampling(options, collector);
  }

  get taken(): number {
    return this.#sampler.taken;
  }

  get missedTicks(): number {
    return this.#ticker.missed;
  }

  get clockSteps(): number {
    return this.#ticker.steps;
  }

  /** Ticks without a sample, and samples that could not be stored. */
  get errors(): number {
    return this.#sampler.unread + this.#sampler.unstored;
  }

  /** Time between two samples, ms. */
  get interval(): number {
    return this.#interval;
  }

  /** When the last tick came, sampling was opened, or the interval became another, by the monotonic clock. */
  get tickedAt(): number {
    return Math.max(this.#ticker.tickedAt ?? this.#startedAt, this.#changedAt);
  }

  /** The tick of the last sample, or when sampling was opened or the interval became another, by the monotonic clock. */
  get sampledAt(): number {
    return Math.max(this.#sampledAt, this.#changedAt);
  }

  /** The time of the last sample, by the wall clock; undefined before the first. */
  get takenAt(): number | undefined {
    return this.#sampler.takenAt;
  }

  /** Why the last tick gave no sample; undefined if it did. */
  get failing(): string | undefined {
    return this.#sampler.failing;
  }

  /** Whether the spool took the last sample. */
  get storing(): boolean {
    return this.#sampler.storing;
  }

  /** No more samples are taken: it was told to stop. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Failures by kind, for /metrics. */
  get errorsByKind(): readonly (readonly [kind: string, count: number])[] {
    return [
      ['sample', this.#sampler.unread],
      ['store', this.#sampler.unstored],
    ];
  }

  get tickDelays(): Histogram {
    return this.#ticker.delays;
  }

  get collectorDurations(): ReadonlyMap<string, Histogram> {
    return this.#collector.durations;
  }

  get collectorErrors(): ReadonlyMap<string, number> {
    return this.#collector.errors;
  }

  /** Takes over interval and time limit of new settings. */
  apply({ collect }: ResolvedSettings): void {
    if (collect.interval !== this.#interval) this.#changedAt = this.#clock.monotonic();
    this.#collector.setTimeout(collect.timeout);
    this.#spool.setInterval(collect.interval);
    this.#ticker.setInterval(collect.interval);
    this.#interval = collect.interval;
  }

  /** Samples until the signal aborts; the sample that has begun is finished. */
  async run(stop: AbortSignal): Promise<void> {
    try {
      await this.#ticker.run(async (tick) => {
        await this.#sampler.sample(tick);
        if (this.#sampler.failing === undefined) this.#sampledAt = this.tickedAt;
        this.#maintain();
      }, stop);
    } finally {
      this.#ended = true;
    }
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
