/**
 * What a writer does with one session of its group: from the offsets of the database to the end of the session.
 *
 *   offsets read ─▶ fetch ═▶ intervals ─▶ batch due? ─▶ load ─┬─ committed ─▶ next batch
 *                                            ▲               ├─ fenced ─▶ offsets read again, what lies below dropped
 *                                            └───────────────┘
 *
 * A batch is due by its size, or by the age of its oldest message less the time that a load takes, so that a row can
 * be queried within the timeout. One load runs at a time; meanwhile the next batch is gathered, so under backlog
 * batches grow by themselves. Nothing is fetched before the database has said where to begin, and nothing that was
 * gathered outlives the session. A load that the database can't do in its time is cut in half, and those after it grow
 * again. Three fences in a row mean that somebody else believes to own these partitions: the
 * session is left and the group joined anew.
 */
import type { GroupSession } from '../kafka/log-session.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { LogReader, Sink, StoredOffset } from '../sink/sink.ts';
import type { Amount } from './buffer-gate.ts';
import { GonePartitions } from './gone-partitions.ts';
import type { Health } from './health.ts';
import { type Batch, Intervals } from './intervals.ts';
import { KafkaCommits } from './kafka-commits.ts';
import type { LoadEnd, Loader } from './loader.ts';
import type { Patience } from './patience.ts';

export interface SessionRunOptions {
  readonly reader: LogReader;
  readonly sink: Pick<Sink, 'readOffsets'>;
  readonly loader: Loader;
  readonly patience: Patience;
  readonly health: Health;
  /** Messages that make a batch due. */
  readonly batchSize: number;
  /** How long a row may take from its message's coming until it can be queried, ms. */
  readonly batchTimeout: number;
  /** Bounds of one load. */
  readonly load: Amount;
  /** A partition that is neither answered nor fails for so long is not fetched any more, whoever is to blame, ms. */
  readonly silenceLimit: number;
  readonly clock: Clock;
  readonly log: Log;
}

const FENCED_IN_A_ROW = 3;
const LISTEN_EVERY_MS = 10_000;
/**
 * How often the offsets are compared with the database's. One that failed over with a loss, or was restored, has older
 * ones, and where nothing comes to a partition no load would meet the fence.
 */
const COMPARE_EVERY_MS = 60_000;

export class SessionRun {
  readonly #session: GroupSession;
  readonly #options: SessionRunOptions;
  readonly #commits: KafkaCommits;
  readonly #gone: GonePartitions;
  /** The session is done with, or nothing more can come of it. */
  readonly #giveUp = new AbortController();
  #intervals: Intervals | undefined;
  #finishing = false;
  #wake = new AbortController();
  #waitsFor: 'nothing' | 'any' | 'size' = 'nothing';
  /** Most messages of a load; less than is allowed after one that was too large. */
  #most: number;
  /** By the monotonic clock. */
  #compareAt = Number.POSITIVE_INFINITY;

  constructor(session: GroupSession, options: SessionRunOptions) {
    this.#session = session;
    this.#options = options;
    this.#commits = new KafkaCommits(session, options.log);
    this.#most = options.load.messages;
    const { reader, sink, clock, log } = options;
    this.#gone = new GonePartitions({ session, reader, sink, clock, log, found: () => this.#wake.abort() });
  }

  /** Messages taken in this session. */
  get received(): number {
    return this.#intervals?.received ?? 0;
  }

  /** What waits for a load. */
  get waiting(): Amount {
    return this.#intervals?.waiting ?? { messages: 0, bytes: 0 };
  }

  /** Messages not yet loaded, by partition. */
  get lag(): ReadonlyMap<number, number> {
    return this.#intervals?.lag ?? new Map();
  }

  /**
   * For how long a partition that may be fetched has been silent, ms. `before`: the silence that earlier sessions were
   * left for; it counts on until anything is answered.
   */
  silentFor(before: number): number {
    if (this.#intervals === undefined) return before;
    return (this.#intervals.isAnswered ? 0 : before) + this.#intervals.silentFor;
  }

  /** Nothing more is fetched; `run` ends when what was gathered is loaded. */
  finish(): void {
    this.#finishing = true;
    this.#intervals?.close();
    this.#wake.abort();
  }

  /** Resolves when the session has ended or is to be left, once no load of it runs any more. `giveUp` ends the waiting. */
  async run(giveUp: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([this.#session.ended, giveUp, this.#giveUp.signal]);
    const wake = () => this.#wake.abort();
    ended.addEventListener('abort', wake, { once: true });
    try {
      await this.#read(ended);
    } finally {
      ended.removeEventListener('abort', wake);
      this.#intervals?.close();
    }
  }

  async #read(ended: AbortSignal): Promise<void> {
    const { patience, loader } = this.#options;
    const stored = await patience.until(
      'offsets_not_read',
      async () => {
        const offsets = await this.#readOffsets();
        // Only then the holes: whoever moved an offset over one has committed both at once, so none below is unknown.
        await loader.beginSession();
        return offsets;
      },
      ended,
    );
    if (stored === undefined || this.#finishing) return;
    const intervals = this.#begin(stored);
    this.#intervals = intervals;
    this.#compareLater();
    this.#session.fetch(intervals).catch((error: unknown) => {
      this.#options.log.error({ event: 'fetching_ended', err: asError(error) }, 'joining the group anew');
      this.#giveUp.abort();
    });
    const beside = [this.#listen(intervals, ended), this.#gone.watch(ended)];
    let fenced = 0;
    while (!ended.aborted) {
      const batch = await this.#due(intervals, ended);
      if (batch === undefined) break;
      if (batch === 'gone partitions') {
        await this.#gone.record(this.#options.loader, ended);
        continue;
      }
      if (batch === 'offsets') {
        await this.#compare(intervals, ended);
        continue;
      }
      const end = await this.#load(intervals, batch, ended);
      if (end === 'fenced' && ++fenced === FENCED_IN_A_ROW) {
        this.#options.log.warn({ event: 'fenced_out' }, 'somebody else loads these partitions; joining the group anew');
        break;
      }
      if (end === 'committed') fenced = 0;
      else if (end === 'fenced') await this.#readAgain(intervals, batch === 'explanations' ? [] : batch.parts, ended);
    }
    if (!this.#session.ended.aborted) await this.#commits.flush();
    this.#giveUp.abort();
    await Promise.all(beside);
  }

  /** Fetching that stopped without a word is found out here, and the group joined anew. */
  async #listen(intervals: Intervals, ended: AbortSignal): Promise<void> {
    const { clock, silenceLimit, log } = this.#options;
    while (!ended.aborted) {
      await clock.sleep(LISTEN_EVERY_MS, ended);
      const partitions = ended.aborted || this.#finishing ? [] : intervals.silent(silenceLimit);
      if (partitions.length === 0) continue;
      log.error({ event: 'fetching_stalled', partitions, limit_ms: silenceLimit }, 'joining the group anew');
      this.#giveUp.abort();
    }
  }

  #readOffsets(): Promise<ReadonlyMap<number, StoredOffset>> {
    return this.#options.sink.readOffsets(this.#options.reader, this.#session.partitions);
  }

  #begin(stored: ReadonlyMap<number, StoredOffset>): Intervals {
    const { load, clock, log } = this.#options;
    const { partitions, generation } = this.#session;
    log.info({ event: 'partitions_assigned', generation, partitions });
    return new Intervals({
      partitions,
      stored,
      load,
      clock,
      log,
      came: () => this.#came(),
      wake: () => this.#session.wake(),
    });
  }

  /** Waits until a load is due; undefined: the session has ended, or all is loaded and it is to finish. */
  async #due(
    intervals: Intervals,
    ended: AbortSignal,
  ): Promise<Batch | 'explanations' | 'gone partitions' | 'offsets' | undefined> {
    const { batchSize, batchTimeout, load, loader, clock } = this.#options;
    while (!ended.aborted) {
      if (this.#gone.due && !this.#finishing) return 'gone partitions';
      const compareIn = this.#compareAt - clock.monotonic();
      if (compareIn <= 0 && !this.#finishing) return 'offsets';
      const { oldestAt } = intervals;
      const { messages, bytes } = intervals.waiting;
      if (oldestAt === undefined) {
        if (this.#finishing) return undefined;
        if (loader.explanationsDue && intervals.standStill() !== undefined) return 'explanations';
        await this.#sleep('any', compareIn);
        continue;
      }
      const wait = Math.ceil(oldestAt + Math.max(0, batchTimeout - loader.meanMs) - clock.monotonic());
      const isFull = messages >= batchSize || bytes >= load.bytes;
      if (isFull || wait <= 0 || this.#finishing) return intervals.cut(this.#most);
      await this.#sleep('size', wait);
    }
    return undefined;
  }

  async #load(intervals: Intervals, batch: Batch | 'explanations', ended: AbortSignal): Promise<LoadEnd> {
    const { loader, health, load } = this.#options;
    if (batch === 'explanations') {
      const move = intervals.standStill();
      return move === undefined ? 'abandoned' : loader.settle([move], [], ended);
    }
    const end = await loader.load(batch, ended);
    if (end === 'too_large') this.#tryLess(intervals, batch);
    if (end !== 'committed') return end;
    this.#most = Math.min(load.messages, 2 * this.#most);
    intervals.committed(batch);
    for (const { partition, next } of batch.parts) this.#commits.put(partition, next);
    void this.#commits.flush();
    // What a load leaves that outlived its session is dropped with it.
    health.progress(!ended.aborted && intervals.oldestAt !== undefined);
    return end;
  }

  #tryLess(intervals: Intervals, batch: Batch): void {
    intervals.putBack(batch);
    this.#most = Math.ceil(batch.messages / 2);
    this.#options.log.warn(
      { event: 'load_too_large', messages: batch.messages, next: this.#most },
      'the database does not manage so much at once; trying with less',
    );
  }

  /** Where the offsets are others than what was loaded, so are the accounts and holes. */
  async #compare(intervals: Intervals, ended: AbortSignal): Promise<void> {
    const { loader, patience } = this.#options;
    if (!(await this.#readAgain(intervals, [], ended))) return;
    await patience.until('offsets_not_read', () => loader.beginSession(), ended);
  }

  /** `parts`: those of a load that met the fence. Answers whether the database has other offsets than were expected. */
  async #readAgain(intervals: Intervals, parts: Batch['parts'], ended: AbortSignal): Promise<boolean> {
    const read = () => this.#readOffsets();
    const stored = await this.#options.patience.until('offsets_not_read', read, ended);
    if (stored === undefined) return false;
    this.#compareLater();
    const isAnyMoved = intervals.reconcile(parts, stored);
    this.#session.wake();
    if (intervals.oldestAt === undefined) this.#options.health.progress(false);
    return isAnyMoved;
  }

  #compareLater(): void {
    this.#compareAt = this.#options.clock.monotonic() + COMPARE_EVERY_MS;
  }

  /** More waits than before. */
  #came(): void {
    const { health, batchSize, load } = this.#options;
    health.behind();
    if (this.#waitsFor === 'nothing') return;
    const { messages, bytes } = this.#intervals?.waiting ?? { messages: 0, bytes: 0 };
    if (this.#waitsFor === 'any' || messages >= batchSize || bytes >= load.bytes) this.#wake.abort();
  }

  async #sleep(waitsFor: 'any' | 'size', ms: number): Promise<void> {
    this.#waitsFor = waitsFor;
    await this.#options.clock.sleep(ms, this.#wake.signal);
    this.#waitsFor = 'nothing';
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }
}
