/**
 * The agent: sampling and shipping over one spool, side by side.
 *
 * They meet only in the spool, so a broker that is away costs no sample and a slow disk no shipment. Stopping goes in
 * the order of the data: no new tick, the running sample finished, one last attempt to ship within the bound, then the
 * connection, the collectors and the spool are closed. What was not shipped lies in the spool for the next start. An
 * agent that can't go on sampling (another process got its spool) ends in the same order, without the last attempt.
 */
import type { ResolvedSettings } from '../config/load.ts';
import { KafkaAccess } from '../kafka/access.ts';
import { KafkaProducer } from '../kafka/producer.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import type { Condition } from '../ops/condition.ts';
import { labelled, type Readings } from '../ops/metrics-catalog.ts';
import type { Service, Standing } from '../ops/service.ts';
import { StatsLine, type StatsReading } from '../ops/stats.ts';
import type { SpoolSnapshot } from '../spool/snapshot.ts';
import type { Spool } from '../spool/spool.ts';
import { openShipper } from './open-shipper.ts';
import { openSpool } from './open-spool.ts';
import { Pace } from './pace.ts';
import { Sampling } from './sampling.ts';
import { samplingCondition } from './sampling-condition.ts';
import { acknowledgedAt, samplingMetrics } from './sampling-metrics.ts';
import type { Shipper } from './shipper.ts';
import { statusLine } from './status-line.ts';

/** A send may ask for the leaders, connect and log in anew, and write to several of them; and then some. */
const SEVERAL = 3;
const UNANSWERED_MS = 60_000;

export class Agent implements Service {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #spool: Spool;
  readonly #sampling: Sampling;
  readonly #access: KafkaAccess;
  readonly #producer: KafkaProducer;
  readonly #pace: Pace;
  readonly #shipper: Shipper;
  readonly #stats: StatsLine;
  #settings: ResolvedSettings;
  #isSampling = false;

  private constructor(
    settings: ResolvedSettings,
    { access, producer }: { readonly access: KafkaAccess; readonly producer: KafkaProducer },
    spool: Spool,
    clock: Clock,
    log: Log,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#spool = spool;
    this.#access = access;
    this.#producer = producer;
    this.#pace = new Pace(settings.ship.max_rate, clock);
    this.#shipper = openShipper(settings, { spool, producer, pace: this.#pace, clock, log });
    this.#sampling = Sampling.open({ settings, spool, clock, log, appended: () => this.#shipper.wake() });
    this.#stats = new StatsLine(() => this.#counters(), clock, log);
  }

  /** Opens the spool and all around it; throws what stands in the way. Kafka is not asked: it may be away. */
  static open(settings: ResolvedSettings, clock: Clock, log: Log): Agent {
    // A certificate that can't be read shows before a spool is made for it.
    const access = new KafkaAccess(settings.kafka, log);
    const producer = KafkaProducer.create(settings.kafka, log, clock, access);
    const spool = openSpool(settings, 'agent', clock, log);
    try {
      return new Agent(settings, { access, producer }, spool, clock, log);
    } catch (error) {
      spool.close(true);
      throw error;
    }
  }

  async run(stop: AbortSignal): Promise<void> {
    const { collect, kafka, log, shutdown } = this.#settings;
    this.#log.info({
      event: 'agent_started',
      version,
      pid: process.pid,
      hostname: collect.hostname,
      interval_ms: collect.interval,
      spool: this.#settings.spool.path,
      spool_depth: this.#spool.depth,
      run_id: this.#spool.runId,
      brokers: kafka.brokers,
      topic: kafka.topic,
    });
    this.#stats.every(log.stats_interval);
    const giveUp = new AbortController();
    const shipping = this.#shipper.run(giveUp.signal);
    this.#isSampling = true;
    const failure = await this.#sampling.run(stop).then(() => undefined, asError);

    this.#log.info({ event: 'agent_stopping', spool_depth: this.#spool.depth });
    if (failure === undefined) this.#shipper.finish();
    else giveUp.abort();
    const deadline = new AbortController();
    const timeLimit = this.#clock.sleep(shutdown.timeout, deadline.signal).then(() => giveUp.abort());
    await shipping;
    deadline.abort();
    await timeLimit;
    await this.#producer.close();
    this.#sampling.close();
    this.#stats.write();
    this.#stats.close();
    const left = this.#spool.depth;
    this.#spool.close(failure === undefined);
    this.#log.info({ event: 'agent_stopped', spool_depth: left });
    if (failure !== undefined) throw failure;
  }

  apply(settings: ResolvedSettings): void {
    this.#sampling.apply(settings);
    this.#pace.setRate(settings.ship.max_rate);
    if (settings.ship.linger !== this.#settings.ship.linger) this.#shipper.setLinger(settings.ship.linger);
    this.#access.renew(settings.kafka);
    this.#stats.every(settings.log.stats_interval);
    // What waits for a restart stays what it is, or health and metrics would go by bounds that are not in force.
    const { spool, kafka } = this.#settings;
    this.#settings = { ...settings, spool, kafka };
  }

  condition(): Condition {
    const { max_bytes, max_age } = this.#settings.spool;
    const sampling = samplingCondition({
      sampling: this.#sampling,
      spool: this.#spool,
      target: 'Kafka',
      shipping: this.#shipper.state,
      maxBytes: max_bytes,
      maxAge: max_age,
      clock: this.#clock,
    });
    const { problem } = this.#access;
    const older = problem === undefined ? [] : [`older certificates are in use: ${problem}`];
    return {
      ...sampling,
      stuck: [...sampling.stuck, ...this.#unanswered()],
      degraded: [...sampling.degraded, ...older],
    };
  }

  standing(): Standing {
    const { failed } = this.condition();
    return {
      ready: this.#isSampling,
      status: statusLine({
        spool: this.#spool,
        shipping: this.#shipper.state,
        target: 'Kafka',
        done: 'shipped',
        failed,
      }),
    };
  }

  metrics(): Readings {
    const { state, shipped, failures, refused, latency, batches } = this.#shipper;
    const errors = [...this.#sampling.errorsByKind, ['kafka', failures], ['refused', refused]] as const;
    return {
      ...samplingMetrics(this.#sampling, this.#spool, this.#settings),
      hostspool_errors_total: labelled('kind', errors),
      hostspool_backoff_failures: labelled('target', [['kafka', state.failures]]),
      hostspool_last_acknowledgement_timestamp_seconds: acknowledgedAt(state),
      hostspool_messages_sent_total: shipped,
      hostspool_ship_latency_seconds: latency,
      hostspool_batch_messages: batches,
    };
  }

  certificates(): readonly CertificateFile[] {
    return this.#access.certificates;
  }

  /** What `hostspool status` would see; undefined while the spool can't be read. */
  look(): SpoolSnapshot | undefined {
    return this.#spool.look();
  }

  /** A request has time limits of its own; one that outlived them all will never be answered. */
  #unanswered(): string[] {
    const { connect_timeout, request_timeout } = this.#settings.kafka;
    const waited = this.#shipper.waitsFor;
    if (waited <= UNANSWERED_MS + SEVERAL * (connect_timeout + request_timeout)) return [];
    return [`the shipment begun ${Math.round(waited / 1000)} s ago is not answered`];
  }

  #counters(): StatsReading {
    return {
      totals: { taken: this.#sampling.taken, shipped: this.#shipper.shipped },
      counts: {
        errors: this.#sampling.errors + this.#shipper.failures + this.#shipper.refused,
        missed_ticks: this.#sampling.missedTicks,
      },
      means: { mean_ship_latency_ms: [this.#shipper.latency.sum * 1000, this.#shipper.shipped] },
      gauges: { spool_depth: this.#spool.depth, spool_bytes: this.#spool.bytes },
    };
  }
}
