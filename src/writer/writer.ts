/**
 * The writer: a member of the consumer group that loads its partitions into the database, exactly once.
 *
 *   GroupConsumer ─▶ session ─▶ SessionRun ─▶ Loader ─▶ Sink
 *                                              └─▶ DeadLetters ─▶ <topic>.dlq
 *
 * Sessions come one after the other, and so do loads: one that is still running when its session ends, ends before the
 * next session reads the offsets. Stopping goes in the order of the data: nothing more is fetched, what was gathered is
 * loaded within the bound, the offsets are committed, the group is left, the connections are closed. What was not
 * loaded lies in Kafka for whoever reads on.
 */
import type { ResolvedSettings } from '../config/load.ts';
import type { GroupConsumer, GroupSession } from '../kafka/log-session.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import type { Condition } from '../ops/condition.ts';
import { LoopDelay } from '../ops/loop-delay.ts';
import type { Readings } from '../ops/metrics-catalog.ts';
import type { Service, Standing } from '../ops/service.ts';
import { StatsLine } from '../ops/stats.ts';
import type { SampleDatabase } from '../sink/sample-database.ts';
import type { LogReader, Sink } from '../sink/sink.ts';
import type { DeadLetters } from './dead-letters.ts';
import { Fleet } from './fleet.ts';
import { Health, type HealthReport, type Organ } from './health.ts';
import { LagWarning, sum } from './lag-warning.ts';
import { Loader } from './loader.ts';
import { Patience } from './patience.ts';
import type { Renewing } from './renewing.ts';
import { letOldRowsGo } from './retention.ts';
import { SessionRun } from './session-run.ts';
import { standingOf, stuckReasons, type WriterMotion } from './standing.ts';
import { type CountedWriter, writerMetrics, writerStats } from './writer-metrics.ts';

/** What the writer works with; tests bring their own. */
export interface WriterPorts {
  readonly consumer: GroupConsumer;
  readonly sink: Sink & Pick<SampleDatabase, 'expire' | 'listHosts'>;
  /** Brings the database to its schema; rejects with a HostspoolError. */
  readonly prepare: () => Promise<void>;
  readonly deadLetters: DeadLetters;
  readonly renewing?: Renewing;
  /** Closes what the ports hold beside the sink. */
  readonly close: () => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Beyond the longest request and the longest wait between two. */
const SILENCE_MS = 30_000;
const NOT_JOINED = new Error('this writer is not in the consumer group');

export class Writer implements Service {
  readonly #ports: WriterPorts;
  readonly #reader: LogReader;
  readonly #health: Health;
  readonly #patience: Patience;
  readonly #letterPatience: Patience;
  readonly #loader: Loader;
  readonly #stats: StatsLine;
  readonly #lagWarning: LagWarning;
  readonly #fleet: Fleet;
  readonly #delays: LoopDelay;
  readonly #leave = new AbortController();
  readonly #giveUp = new AbortController();
  #settings: ResolvedSettings;
  #session: SessionRun | undefined;
  /** The work on the last session; a load of it may still run when the session is over. */
  #work: Promise<void> = Promise.resolve();
  #receivedBefore = 0;
  /** How long sessions before this one were silent, with no answer since, ms. */
  #silentBefore = 0;
  #stopping = false;
  readonly #startedAt: number;
  /** When it last tried to get a session, or lost one; undefined while it is not to have one. */
  #triedAt: number | undefined;

  constructor(settings: ResolvedSettings, ports: WriterPorts) {
    const { sink, deadLetters, clock, log } = ports;
    const { kafka, writer, lag } = settings;
    this.#settings = settings;
    this.#ports = ports;
    this.#reader = { group: kafka.group, topic: kafka.topic };
    this.#health = new Health(clock);
    this.#startedAt = clock.monotonic();
    this.#patience = this.#patienceWith('database', false);
    this.#letterPatience = this.#patienceWith('dead letters', true);
    this.#loader = new Loader({
      reader: this.#reader,
      sink,
      deadLetters,
      retention: writer.retention,
      patience: this.#patience,
      letterPatience: this.#letterPatience,
      clock,
      log,
    });
    this.#stats = new StatsLine(() => writerStats(this.#counted), clock, log);
    this.#fleet = new Fleet(() => sink.listHosts(), clock);
    this.#delays = new LoopDelay(clock);
    this.#lagWarning = new LagWarning(() => this.#session?.lag ?? new Map(), lag.warn, clock, log);
  }

  /** Rejects where the database cannot be used as it is, and a person has to act. */
  async run(stop: AbortSignal): Promise<void> {
    const { kafka, writer, log } = this.#settings;
    this.#ports.log.info({
      event: 'writer_started',
      version,
      pid: process.pid,
      brokers: kafka.brokers,
      topic: kafka.topic,
      group: kafka.group,
      sink: writer.sink,
    });
    this.#stats.every(log.stats_interval);
    this.#health.failed('kafka', NOT_JOINED);
    const deadline = new AbortController();
    const onStop = () => this.#stop(deadline.signal);
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    const beside = [this.#lagWarning.run(this.#leave.signal), this.#letOldRowsGo()];
    try {
      if (await this.#prepare(stop)) {
        const tries = () => {
          this.#triedAt = this.#ports.clock.monotonic();
        };
        await this.#ports.consumer.consume((session) => this.#use(session), this.#leave.signal, tries);
      }
    } finally {
      this.#triedAt = undefined;
      stop.removeEventListener('abort', onStop);
      this.#leave.abort();
      await Promise.all(beside);
      await this.#lastLoad(stop);
      deadline.abort();
      await this.#close();
    }
  }

  apply(settings: ResolvedSettings): void {
    this.#stats.every(settings.log.stats_interval);
    this.#lagWarning.setThreshold(settings.lag.warn);
    this.#ports.renewing?.renew(settings);
    this.#settings = settings;
  }

  /** Whether the writer does its work, and if not, why. */
  health(): HealthReport {
    return this.#health.report();
  }

  condition(): Condition {
    const { reasons } = this.#health.report();
    const isIn = this.#session !== undefined;
    return {
      stuck: this.#stopping ? [] : stuckReasons(this.#motion(), this.#settings),
      failed: reasons,
      degraded: [...(reasons.length > 0 ? [] : this.#health.concerns()), ...(this.#ports.renewing?.problems ?? [])],
      unready: this.#stopping ? ['it is stopping'] : isIn ? [] : [NOT_JOINED.message],
    };
  }

  standing(): Standing {
    return standingOf(this.#motion(), this.#health.report().reasons);
  }

  async metrics(): Promise<Readings> {
    return {
      hostspool_event_loop_delay_seconds: this.#delays.read(),
      ...writerMetrics(this.#counted),
      ...(await this.#fleet.read(this.#settings.http)),
    };
  }

  certificates(): readonly CertificateFile[] {
    return this.#ports.renewing?.certificates ?? [];
  }

  get #counted(): CountedWriter {
    const session = this.#session;
    return {
      received: this.#receivedBefore + (session?.received ?? 0),
      loader: this.#loader,
      patience: this.#patience,
      letterPatience: this.#letterPatience,
      deadLetters: this.#ports.deadLetters,
      session,
    };
  }

  #motion(): WriterMotion {
    const session = this.#session;
    const now = this.#ports.clock.monotonic();
    return {
      runningFor: now - this.#startedAt,
      partitions: session?.lag.size,
      unjoinedFor: now - (this.#triedAt ?? now),
      silentFor: session?.silentFor(this.#silentBefore) ?? 0,
      stalledFor: this.#health.stalledFor,
      lag: sum(session?.lag.values() ?? []),
      loaded: this.#loader.counts.loaded,
    };
  }

  /** Answers false when it is to stop first. What only waits for a connection is waited for. */
  async #prepare(stop: AbortSignal): Promise<boolean> {
    const failed = await this.#patience.until(
      'database_not_ready',
      async () => {
        try {
          await this.#ports.prepare();
          return null;
        } catch (error) {
          if (error instanceof HostspoolError && error.retryable) throw error;
          return asError(error);
        }
      },
      stop,
    );
    if (failed instanceof Error) throw failed;
    return failed === null;
  }

  #stop(deadline: AbortSignal): void {
    this.#stopping = true;
    this.#ports.log.info({ event: 'writer_stopping', waiting: this.#session?.waiting.messages ?? 0 });
    void this.#ports.clock.sleep(this.#settings.shutdown.timeout, deadline).then(() => this.#giveUp.abort());
    if (this.#session === undefined) this.#leave.abort();
    else this.#session.finish();
  }

  async #letOldRowsGo(): Promise<void> {
    const { sink, clock, log } = this.#ports;
    const expire = (before: number) => sink.expire(before);
    await letOldRowsGo({ expire, keep: this.#settings.writer.retention, clock, log }, this.#leave.signal);
  }

  async #use(session: GroupSession): Promise<void> {
    if (this.#stopping) return this.#leave.abort();
    const { writer, kafka, backoff } = this.#settings;
    const { sink, clock, log } = this.#ports;
    const run = new SessionRun(session, {
      reader: this.#reader,
      sink,
      loader: this.#loader,
      patience: this.#patience,
      health: this.#health,
      batchSize: writer.batch_size,
      batchTimeout: writer.batch_timeout,
      load: { messages: writer.batch_max, bytes: writer.buffer_bytes / 2 },
      silenceLimit: kafka.request_timeout + backoff.cap + SILENCE_MS,
      clock,
      log,
    });
    this.#session = run;
    this.#health.well('kafka');
    const work = this.#work.then(() => run.run(this.#giveUp.signal));
    this.#work = work.catch((error: unknown) => log.error({ event: 'session_failed', err: asError(error) }));
    try {
      // A load that the database does not answer outlives the session, and the bound of a stop as well.
      await Promise.race([work, aborted(session.ended), aborted(this.#giveUp.signal)]);
    } finally {
      this.#receivedBefore += run.received;
      this.#silentBefore = run.silentFor(this.#silentBefore);
      this.#session = undefined;
      this.#triedAt = clock.monotonic();
      this.#health.failed('kafka', NOT_JOINED);
      this.#health.dropped();
      if (this.#stopping) this.#leave.abort();
      log.info({ event: 'partitions_left', generation: session.generation, dropped: run.waiting.messages });
    }
  }

  /** Waits for a load that outlived its session; when the process stops, no longer than the bound. */
  async #lastLoad(stop: AbortSignal): Promise<void> {
    if (!stop.aborted) return this.#work;
    await Promise.race([this.#work, aborted(this.#giveUp.signal)]);
  }

  async #close(): Promise<void> {
    await this.#ports.close();
    await this.#ports.sink.close();
    this.#stats.write();
    this.#stats.close();
    this.#delays.close();
    this.#ports.log.info({ event: 'writer_stopped' });
  }

  #patienceWith(organ: Organ, illAtOnce: boolean): Patience {
    const { clock, random, log } = this.#ports;
    const { backoff } = this.#settings;
    return new Patience({ organ, illAtOnce, backoff, random, health: this.#health, clock, log });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
