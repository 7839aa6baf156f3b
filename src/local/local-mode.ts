/**
 * Local mode: the agent and the loader in one process over the same spool, no server needed.
 *
 * It is the whole product with Kafka taken out of the middle: the same samples, the same spool, and the port, tables
 * and accounts of the writer. So what it shows on one host is what a fleet does.
 */
import { openSpool } from '../agent/open-spool.ts';
import { Sampling } from '../agent/sampling.ts';
import { samplingCondition } from '../agent/sampling-condition.ts';
import { acknowledgedAt, samplingMetrics } from '../agent/sampling-metrics.ts';
import { statusLine } from '../agent/status-line.ts';
import type { ResolvedSettings } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import type { Condition } from '../ops/condition.ts';
import { labelled, type Readings } from '../ops/metrics-catalog.ts';
import type { Service, Standing } from '../ops/service.ts';
import { StatsLine, type StatsReading } from '../ops/stats.ts';
import { SqliteSink } from '../sink/sqlite/sqlite-sink.ts';
import type { SpoolSnapshot } from '../spool/snapshot.ts';
import type { Spool } from '../spool/spool.ts';
import { LocalLoader } from './local-loader.ts';

export class LocalMode implements Service {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #spool: Spool;
  readonly #sink: SqliteSink;
  readonly #loader: LocalLoader;
  readonly #sampling: Sampling;
  readonly #stats: StatsLine;
  #settings: ResolvedSettings;
  #isSampling = false;

  private constructor(settings: ResolvedSettings, spool: Spool, sink: SqliteSink, clock: Clock, log: Log) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#spool = spool;
    this.#sink = sink;
    const { backoff, ship } = settings;
    this.#loader = new LocalLoader({ spool, sink, backoff, batchSamples: ship.batch_samples, clock, log });
    this.#sampling = Sampling.open({ settings, spool, clock, log, appended: () => this.#loader.wake() });
    this.#stats = new StatsLine(() => this.#reading(), clock, log);
  }

  static open(settings: ResolvedSettings, clock: Clock, log: Log): LocalMode {
    const spool = openSpool(settings, 'agent', clock, log);
    let sink: SqliteSink | undefined;
    try {
      sink = SqliteSink.open({ path: settings.sqlite.path, log });
      return new LocalMode(settings, spool, sink, clock, log);
    } catch (error) {
      void sink?.close();
      spool.close(true);
      throw error;
    }
  }

  async run(stop: AbortSignal): Promise<void> {
    const { collect, log, spool, sqlite, shutdown } = this.#settings;
    this.#log.info({
      event: 'local_started',
      version,
      pid: process.pid,
      hostname: collect.hostname,
      interval_ms: collect.interval,
      spool: spool.path,
      database: sqlite.path,
      run_id: this.#spool.runId,
    });
    this.#stats.every(log.stats_interval);
    const giveUp = new AbortController();
    const loading = this.#loader.run(giveUp.signal);
    this.#isSampling = true;
    const failure = await this.#sampling.run(stop).then(() => undefined, asError);

    this.#log.info({ event: 'local_stopping', spool_depth: this.#spool.depth });
    if (failure === undefined) await this.#loader.drain(shutdown.timeout);
    giveUp.abort();
    await loading;
    await this.#sink.close();
    this.#sampling.close();
    this.#stats.write();
    this.#stats.close();
    const left = this.#spool.depth;
    this.#spool.close(failure === undefined);
    this.#log.info({ event: 'local_stopped', spool_depth: left });
    if (failure !== undefined) throw failure;
  }

  apply(settings: ResolvedSettings): void {
    this.#sampling.apply(settings);
    this.#stats.every(settings.log.stats_interval);
    this.#settings = { ...settings, spool: this.#settings.spool };
  }

  condition(): Condition {
    const { max_bytes, max_age } = this.#settings.spool;
    return samplingCondition({
      sampling: this.#sampling,
      spool: this.#spool,
      target: 'the database',
      shipping: this.#loader.state,
      maxBytes: max_bytes,
      maxAge: max_age,
      clock: this.#clock,
    });
  }

  standing(): Standing {
    const { failed } = this.condition();
    const target = 'the database';
    return {
      ready: this.#isSampling,
      status: statusLine({ spool: this.#spool, shipping: this.#loader.state, target, done: 'loaded', failed }),
    };
  }

  metrics(): Readings {
    const { state, loaded, duplicates, failures, durations, batches } = this.#loader;
    return {
      ...samplingMetrics(this.#sampling, this.#spool, this.#settings),
      hostspool_errors_total: labelled('kind', [...this.#sampling.errorsByKind, ['database', failures]]),
      hostspool_backoff_failures: labelled('target', [['database', state.failures]]),
      hostspool_last_acknowledgement_timestamp_seconds: acknowledgedAt(state),
      hostspool_rows_inserted_total: loaded,
      hostspool_duplicates_dropped_total: duplicates,
      hostspool_load_duration_seconds: durations,
      hostspool_batch_messages: batches,
    };
  }

  certificates(): readonly [] {
    return [];
  }

  /** What `hostspool status` would see; undefined while the spool can't be read. */
  look(): SpoolSnapshot | undefined {
    return this.#spool.look();
  }

  #reading(): StatsReading {
    return {
      totals: { taken: this.#sampling.taken, loaded: this.#loader.loaded },
      counts: {
        duplicates: this.#loader.duplicates,
        loads: this.#loader.loads,
        errors: this.#sampling.errors + this.#loader.failures,
        missed_ticks: this.#sampling.missedTicks,
      },
      means: {},
      gauges: { spool_depth: this.#spool.depth, spool_bytes: this.#spool.bytes },
    };
  }
}
