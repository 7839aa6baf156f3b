/**
 * A topic in memory, and a group member that reads it through the port of log-session.ts: for tests of the writer that
 * need every turn of a log (messages expire, the topic is made anew, partitions are added) and of a group (sessions
 * end, two members believe to own one partition) at will, without a broker.
 */
import type {
  FetchedMessage,
  FetchTarget,
  GroupConsumer,
  GroupSession,
  LogBounds,
} from '../../src/kafka/log-session.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { HostspoolError } from '../../src/lib/errors.ts';

export interface Produced {
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly headers?: FetchedMessage['headers'];
}

interface Partition {
  start: number;
  end: number;
  readonly messages: FetchedMessage[];
}

const LONG_POLL_MS = 500;

export class FakeLog {
  #partitions: Partition[];
  readonly #listeners = new Set<() => void>();

  constructor(partitions = 1) {
    this.#partitions = Array.from({ length: partitions }, emptyPartition);
  }

  get partitions(): number[] {
    return [...this.#partitions.keys()];
  }

  bounds(partition: number): LogBounds {
    const { start, end } = this.#at(partition);
    return { start, end };
  }

  /** All that is there now. */
  messages(partition: number): readonly FetchedMessage[] {
    return this.#at(partition).messages;
  }

  /** Answers the offset. */
  produce(partition: number, { key = null, value, timestamp, headers = {} }: Produced): number {
    const log = this.#at(partition);
    const offset = log.end++;
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    log.messages.push({ offset, key: key === null ? null : Buffer.from(key), value: bytes, timestamp, headers });
    this.#changed();
    return offset;
  }

  /** Offsets that hold no message, as control records and compaction leave them. */
  skip(partition: number, offsets = 1): void {
    this.#at(partition).end += offsets;
    this.#changed();
  }

  /** What lies below the offset is gone. */
  expire(partition: number, below: number): void {
    const log = this.#at(partition);
    log.start = Math.max(log.start, Math.min(below, log.end));
    log.messages.splice(0, log.messages.filter(({ offset }) => offset < log.start).length);
  }

  /** The messages go, their offsets stay, as compaction does it. */
  compact(partition: number, keep: (message: FetchedMessage) => boolean): void {
    const log = this.#at(partition);
    log.messages.splice(0, log.messages.length, ...log.messages.filter(keep));
  }

  /** Deleted, and made anew: empty, its offsets from 0. */
  recreate(partitions = this.#partitions.length): void {
    this.#partitions = Array.from({ length: partitions }, emptyPartition);
    this.#changed();
  }

  addPartition(): void {
    this.#partitions.push(emptyPartition());
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #at(partition: number): Partition {
    const found = this.#partitions[partition];
    if (found === undefined) throw new RangeError(`no partition ${partition}`);
    return found;
  }
}

function emptyPartition(): Partition {
  return { start: 0, end: 0, messages: [] };
}

export interface FakeSession extends GroupSession {
  readonly committed: ReadonlyMap<number, number>;
  /** The target of `fetch`, once it was called. */
  readonly target: FetchTarget | undefined;
}

/** A member whose sessions a test begins and ends. */
export class FakeConsumer implements GroupConsumer {
  readonly #log: FakeLog;
  readonly #clock: Clock;
  /** Most messages in one answer. */
  readonly #fetchMessages: number;
  #assigned: readonly number[] | undefined;
  #session: Session | undefined;
  #assignedAnew = new AbortController();
  #frozen = false;
  /** Sessions begun so far. */
  sessions = 0;
  /** Kafka's own offsets of the group. */
  readonly committed = new Map<number, number>();
  /** Thrown by every commit while it is set. */
  commitError: HostspoolError | undefined;
  /** What a broker whose metadata are behind says of the topic's partitions, while it is set. */
  staleMetadata: readonly number[] | undefined;

  constructor(log: FakeLog, clock: Clock, fetchMessages = 4) {
    this.#log = log;
    this.#clock = clock;
    this.#fetchMessages = fetchMessages;
  }

  get session(): FakeSession | undefined {
    return this.#session;
  }

  /** Ends the session, if one runs; the next has these partitions. */
  assign(partitions: readonly number[]): void {
    this.#assigned = partitions;
    this.#session?.end();
    this.#assignedAnew.abort();
  }

  /** Ends the session; there is none until `assign`. */
  revoke(): void {
    this.#assigned = undefined;
    this.#session?.end();
  }

  /** The next fetch of the session fails. */
  failFetch(error: HostspoolError): void {
    this.#session?.failFetch(error);
  }

  /** The session fetches no more, and says nothing. */
  stall(): void {
    this.#session?.stall();
  }

  /** Nor does any session after it. */
  freeze(): void {
    this.#frozen = true;
    this.stall();
  }

  async consume(
    use: (session: GroupSession) => Promise<void>,
    signal: AbortSignal,
    tries: () => void = () => undefined,
  ): Promise<void> {
    while (!signal.aborted) {
      tries();
      if (this.#assigned === undefined) {
        this.#assignedAnew = new AbortController();
        await this.#clock.sleep(Number.POSITIVE_INFINITY, AbortSignal.any([signal, this.#assignedAnew.signal]));
        continue;
      }
      const session = new Session(this, this.#log, this.#clock, ++this.sessions, this.#assigned, this.#fetchMessages);
      this.#session = session;
      if (this.#frozen) session.stall();
      const end = () => session.end();
      signal.addEventListener('abort', end, { once: true });
      await use(session);
      signal.removeEventListener('abort', end);
      session.end();
    }
  }
}

class Session implements FakeSession {
  readonly generation: number;
  readonly partitions: readonly number[];
  readonly committed = new Map<number, number>();
  readonly #consumer: FakeConsumer;
  readonly #log: FakeLog;
  readonly #clock: Clock;
  readonly #fetchMessages: number;
  readonly #ended = new AbortController();
  #wake = new AbortController();
  #failure: HostspoolError | undefined;
  #stalled = false;
  target: FetchTarget | undefined;

  constructor(
    consumer: FakeConsumer,
    log: FakeLog,
    clock: Clock,
    generation: number,
    partitions: readonly number[],
    fetchMessages: number,
  ) {
    this.#consumer = consumer;
    this.#log = log;
    this.#clock = clock;
    this.generation = generation;
    this.partitions = partitions;
    this.#fetchMessages = fetchMessages;
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
    this.#wake.abort();
  }

  stall(): void {
    this.#stalled = true;
  }

  failFetch(error: HostspoolError): void {
    this.#failure = error;
    this.#wake.abort();
  }

  wake(): void {
    this.#wake.abort();
  }

  async fetch(target: FetchTarget): Promise<void> {
    this.target = target;
    const forget = this.#log.onChange(() => this.#wake.abort());
    while (!this.ended.aborted) {
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
      if (this.#stalled) {
        await this.#clock.sleep(Number.POSITIVE_INFINITY, this.ended);
        continue;
      }
      const positions = target.positions(this.partitions);
      let progress = false;
      for (const [partition, position] of positions) progress = this.#answer(target, partition, position) || progress;
      // An answer takes its time; without anything to tell a broker holds the request.
      if (progress) await new Promise((resolve) => setImmediate(resolve));
      else await this.#clock.sleep(positions.size === 0 ? Number.POSITIVE_INFINITY : LONG_POLL_MS, this.#wake.signal);
    }
    forget();
  }

  /** Answers whether it told anything. */
  #answer(target: FetchTarget, partition: number, position: number): boolean {
    if (this.#failure !== undefined) {
      const error = this.#failure;
      this.#failure = undefined;
      target.failed(this.partitions, error);
      return true;
    }
    const { start, end } = this.#log.bounds(partition);
    if (position < start || position > end) {
      target.outOfRange(partition, position, { start, end });
      return true;
    }
    const messages = this.#log
      .messages(partition)
      .filter(({ offset }) => offset >= position)
      .slice(0, this.#fetchMessages);
    const last = messages.at(-1);
    const isAll = last === undefined || last === this.#log.messages(partition).at(-1);
    const next = isAll ? end : last.offset + 1;
    target.took({ partition, position, messages, next, end });
    return next > position;
  }

  async bounds(partitions: readonly number[]): Promise<ReadonlyMap<number, LogBounds>> {
    return new Map(partitions.map((partition) => [partition, this.#log.bounds(partition)]));
  }

  async topicPartitions(): Promise<readonly number[]> {
    return this.#consumer.staleMetadata ?? this.#log.partitions;
  }

  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    if (this.#consumer.commitError !== undefined) throw this.#consumer.commitError;
    for (const [partition, next] of offsets) {
      this.committed.set(partition, next);
      this.#consumer.committed.set(partition, next);
    }
  }
}
