/**
 * All partitions of one session: what its fetches are asked and told, and what the next load is cut from.
 *
 * A load takes from every partition that has something: an equal share each, the rest to those that have more. While
 * one runs the next is gathered.
 */
import type { FetchedBatch, FetchTarget, LogBounds } from '../kafka/log-session.ts';
import type { Clock } from '../lib/clock.ts';
import type { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { OffsetMove, StoredOffset } from '../sink/sink.ts';
import { type Amount, BufferGate } from './buffer-gate.ts';
import { Interval, type Part } from './interval.ts';

/** What one load is made of; at most one part per partition. */
export interface Batch extends Amount {
  readonly parts: readonly Part[];
  /** When its oldest message came, by the monotonic clock. */
  readonly oldestAt: number;
}

export interface IntervalsOptions {
  readonly partitions: readonly number[];
  /** Of these partitions, what the database has. */
  readonly stored: ReadonlyMap<number, StoredOffset>;
  /** Most messages and bytes in one load; twice as much is held. */
  readonly load: Amount;
  readonly clock: Clock;
  readonly log: Log;
  /** More waits than before; called in the turn of a fetch's answer. */
  readonly came: () => void;
  /** Partitions that were paused may be fetched. */
  readonly wake: () => void;
}

export class Intervals implements FetchTarget {
  readonly #options: IntervalsOptions;
  readonly #intervals: readonly Interval[];
  readonly #byPartition: ReadonlyMap<number, Interval>;
  readonly #gate: BufferGate;
  #inLoad: Amount = { messages: 0, bytes: 0 };
  /** When each partition that may be fetched was last heard of, by the monotonic clock. */
  readonly #heardAt = new Map<number, number>();
  /** How many requests there were, and which of them each partition was the first of. */
  #requests = 0;
  readonly #firstOf = new Map<Interval, number>();
  #closed = false;
  #received = 0;
  #isAnswered = false;

  constructor(options: IntervalsOptions) {
    const { partitions, stored, load, clock, log } = options;
    this.#options = options;
    this.#intervals = partitions.map((partition) => new Interval(partition, stored.get(partition), clock, log));
    this.#byPartition = new Map(this.#intervals.map((interval) => [interval.partition, interval]));
    this.#gate = new BufferGate({ messages: 2 * load.messages, bytes: 2 * load.bytes });
    for (const partition of partitions) this.#heard(partition);
  }

  /** Messages taken since the beginning of the session. */
  get received(): number {
    return this.#received;
  }

  /** What waits for a load. */
  get waiting(): Amount {
    let [messages, bytes] = [0, 0];
    for (const interval of this.#intervals) {
      messages += interval.messages;
      bytes += interval.bytes;
    }
    return { messages, bytes };
  }

  /** When the oldest that waits came, by the monotonic clock; undefined where nothing does. */
  get oldestAt(): number | undefined {
    let oldest: number | undefined;
    for (const { oldestAt } of this.#intervals) {
      if (oldestAt !== undefined && (oldest === undefined || oldestAt < oldest)) oldest = oldestAt;
    }
    return oldest;
  }

  /** Messages not yet loaded, by partition, as far as is known. */
  get lag(): ReadonlyMap<number, number> {
    return new Map(this.#intervals.map(({ partition, lag }) => [partition, lag]));
  }

  /** Partitions that may be fetched and were neither answered nor failed for so long, ms. */
  silent(ms: number): number[] {
    const since = this.#options.clock.monotonic() - ms;
    return [...this.#heardAt].filter(([, heardAt]) => heardAt < since).map(([partition]) => partition);
  }

  /** For how long a partition that may be fetched was neither answered nor failed: the longest, ms. */
  get silentFor(): number {
    if (this.#heardAt.size === 0) return 0;
    return this.#options.clock.monotonic() - Math.min(...this.#heardAt.values());
  }

  /** Whether any partition was ever answered or failed. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Nothing is fetched or taken from now on; what waits can still be loaded. */
  close(): void {
    this.#closed = true;
  }

  positions(partitions: readonly number[]): ReadonlyMap<number, number> {
    if (this.#closed) return new Map();
    const open: Interval[] = [];
    const held = this.#held;
    for (const partition of partitions) {
      const interval = this.#byPartition.get(partition);
      if (interval === undefined) continue;
      const wasPaused = this.#gate.isPaused(partition);
      if (!this.#gate.isOpen(partition, interval, held, this.#intervals.length)) {
        this.#heardAt.delete(partition);
        continue;
      }
      if (wasPaused) {
        interval.doubt();
        this.#heard(partition);
      }
      interval.beforeFetch();
      open.push(interval);
    }
    return new Map(this.#withFirst(open).map(({ partition, position }) => [partition, position]));
  }

  /**
   * Only the first of a request is sure to get a batch, however large: one whose log was just proven, since its proof
   * does not last; else the one that has not been first for longest.
   */
  #withFirst(open: readonly Interval[]): readonly Interval[] {
    const firstOf = (interval: Interval) => this.#firstOf.get(interval) ?? 0;
    const [first] = open.toSorted((a, b) => Number(b.isProven) - Number(a.isProven) || firstOf(a) - firstOf(b));
    if (first === undefined) return open;
    this.#firstOf.set(first, ++this.#requests);
    return [first, ...open.filter((interval) => interval !== first)];
  }

  took(batch: FetchedBatch): void {
    const interval = this.#byPartition.get(batch.partition);
    if (interval === undefined || this.#closed) return;
    this.#answered(batch.partition);
    const wasEmpty = interval.isEmpty;
    const taken = interval.took(batch);
    this.#received += taken;
    if (taken > 0 || interval.isEmpty !== wasEmpty) this.#options.came();
  }

  outOfRange(partition: number, position: number, bounds: LogBounds): void {
    if (this.#closed) return;
    this.#answered(partition);
    this.#byPartition.get(partition)?.outOfRange(position, bounds);
    this.#options.came();
  }

  failed(partitions: readonly number[], error: HostspoolError): void {
    for (const partition of partitions) {
      this.#answered(partition);
      this.#byPartition.get(partition)?.doubt();
    }
    this.#options.log.debug({ event: 'fetch_failed', partitions, code: error.code });
  }

  /** What the next load takes, at most so many messages; undefined where nothing waits. */
  cut(most = this.#options.load.messages): Batch | undefined {
    const { oldestAt } = this;
    if (oldestAt === undefined) return undefined;
    const waiting = this.#intervals.filter(({ isEmpty }) => !isEmpty).sort(byAge);
    const shares = sharesOf(waiting, most);
    const parts: Part[] = [];
    let [messages, bytes] = [0, 0];
    for (const [index, interval] of waiting.entries()) {
      const room = Math.ceil((this.#options.load.bytes - bytes) / (waiting.length - index));
      const part = room > 0 ? interval.cut(shares[index] as number, room) : undefined;
      if (part === undefined) continue;
      parts.push(part);
      messages += part.messages;
      bytes += part.bytes;
    }
    if (parts.length === 0) return undefined;
    this.#inLoad = { messages, bytes };
    this.#madeRoom();
    return { parts, messages, bytes, oldestAt };
  }

  committed(batch: Batch): void {
    for (const part of batch.parts) this.#byPartition.get(part.partition)?.committed(part);
    this.#loadEnded();
  }

  /** The batch was not loaded, as far as is known; the next one finds out. */
  putBack(batch: Batch): void {
    for (const part of batch.parts) this.#byPartition.get(part.partition)?.putBack(part);
    this.#loadEnded();
  }

  /** The parts were not loaded. These are the database's offsets; answers whether any is not where it was thought to be. */
  reconcile(parts: readonly Part[], stored: ReadonlyMap<number, StoredOffset>): boolean {
    let isAnyMoved = false;
    for (const part of parts) this.#byPartition.get(part.partition)?.putBack(part);
    for (const interval of this.#intervals) {
      const { partition } = interval;
      const outcome = interval.reconcile(stored.get(partition));
      if (outcome !== 'as expected') {
        isAnyMoved = true;
        this.#options.log.info({ event: 'offset_moved', partition, outcome, stored: stored.get(partition)?.next });
      }
    }
    this.#loadEnded();
    return isAnyMoved;
  }

  /** A move that moves nothing, for a load without messages; undefined where no partition has an offset yet. */
  standStill(): OffsetMove | undefined {
    for (const interval of this.#intervals) {
      const move = interval.standStill();
      if (move !== undefined) return move;
    }
    return undefined;
  }

  #answered(partition: number): void {
    this.#isAnswered = true;
    this.#heard(partition);
  }

  #heard(partition: number): void {
    if (this.#byPartition.has(partition)) this.#heardAt.set(partition, this.#options.clock.monotonic());
  }

  get #held(): Amount {
    const { messages, bytes } = this.waiting;
    return { messages: messages + this.#inLoad.messages, bytes: bytes + this.#inLoad.bytes };
  }

  #loadEnded(): void {
    this.#inLoad = { messages: 0, bytes: 0 };
    this.#madeRoom();
  }

  #madeRoom(): void {
    if (this.#intervals.some(({ partition }) => this.#gate.isPaused(partition))) this.#options.wake();
  }
}

function byAge(a: Interval, b: Interval): number {
  return (a.oldestAt ?? 0) - (b.oldestAt ?? 0);
}

/** How many messages each may give: an equal share, and what some leave of theirs to the others. */
function sharesOf(intervals: readonly Interval[], most: number): number[] {
  const share = Math.max(1, Math.floor(most / intervals.length));
  let left = most;
  const shares = intervals.map(({ messages }) => {
    const own = Math.min(messages, share, left);
    left -= own;
    return own;
  });
  return shares.map((own, index) => {
    const more = Math.min((intervals[index] as Interval).messages - own, left);
    left -= more;
    return own + more;
  });
}
