/**
 * A member of a consumer group as the tests need one: it reads its partitions from where the group has loaded them
 * (`Loaded`, which stands for the database) and takes only what begins there, as the writer's fence does.
 */
import { randomUUID } from 'node:crypto';
import type { Settings } from '../../src/config/schema.ts';
import { type GroupConsumerOptions, KafkaGroupConsumer } from '../../src/kafka/group-consumer.ts';
import type {
  FetchedBatch,
  FetchedMessage,
  FetchTarget,
  GroupSession,
  LogBounds,
} from '../../src/kafka/log-session.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import type { HostspoolError } from '../../src/lib/errors.ts';
import type { Log, LogFields } from '../../src/lib/log.ts';

/** How far a topic was loaded, and what was. */
export class Loaded {
  readonly next = new Map<number, number>();
  readonly messages: (FetchedMessage & { readonly partition: number })[] = [];
  /** Batches that began elsewhere: another member was faster. */
  refused = 0;

  get values(): string[] {
    return this.messages.map(({ value }) => value?.toString() ?? '');
  }

  take(batch: FetchedBatch): void {
    if (batch.position !== (this.next.get(batch.partition) ?? 0)) {
      this.refused++;
      return;
    }
    for (const message of batch.messages) this.messages.push({ partition: batch.partition, ...message });
    this.next.set(batch.partition, batch.next);
  }
}

/** A session as it was seen. */
export interface SeenSession {
  readonly session: GroupSession;
  readonly member: string;
  /** Still open when it is undefined. */
  endedAt: number | undefined;
}

export interface MemberOptions extends Partial<Omit<GroupConsumerOptions, 'settings'>> {
  readonly settings: Settings['kafka'];
  readonly loaded?: Loaded;
  /** In place of fetching until the end. */
  readonly use?: (session: GroupSession, member: GroupMember) => Promise<void>;
}

export class GroupMember implements FetchTarget, AsyncDisposable {
  readonly name = randomUUID().slice(0, 4);
  readonly loaded: Loaded;
  readonly sessions: SeenSession[] = [];
  readonly batches: FetchedBatch[] = [];
  readonly failures: HostspoolError[] = [];
  readonly outOfRanges: { partition: number; position: number; bounds: LogBounds }[] = [];
  readonly logged: (LogFields & { level: string })[] = [];
  readonly paused = new Set<number>();
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();

  private constructor(options: MemberOptions) {
    this.loaded = options.loaded ?? new Loaded();
    const write = (level: string) => (fields: LogFields) => void this.logged.push({ level, ...fields });
    const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
    const consumer = KafkaGroupConsumer.create({
      backoff: { base: 50, cap: 500 },
      log,
      clock: new SystemClock(),
      ...options,
    });
    const use = options.use ?? ((session: GroupSession) => session.fetch(this));
    this.ended = consumer.consume(async (session) => {
      const seen: SeenSession = { session, member: this.name, endedAt: undefined };
      this.sessions.push(seen);
      session.ended.addEventListener('abort', () => {
        seen.endedAt = performance.now();
      });
      await use(session, this);
    }, this.#stop.signal);
    this.ended.catch(() => undefined);
  }

  static start(options: MemberOptions): GroupMember {
    return new GroupMember(options);
  }

  /** The open session; undefined between two. */
  get session(): GroupSession | undefined {
    const last = this.sessions.at(-1);
    return last === undefined || last.endedAt !== undefined ? undefined : last.session;
  }

  /** Of the open session; none between two. */
  get partitions(): readonly number[] {
    return this.session?.partitions ?? [];
  }

  events(name: string): (LogFields & { level: string })[] {
    return this.logged.filter(({ event }) => event === name);
  }

  positions(partitions: readonly number[]): ReadonlyMap<number, number> {
    return new Map(
      partitions.filter((each) => !this.paused.has(each)).map((each) => [each, this.loaded.next.get(each) ?? 0]),
    );
  }

  took(batch: FetchedBatch): void {
    this.batches.push(batch);
    this.loaded.take(batch);
  }

  outOfRange(partition: number, position: number, bounds: LogBounds): void {
    this.outOfRanges.push({ partition, position, bounds });
    this.loaded.next.set(partition, bounds.start);
  }

  failed(_partitions: readonly number[], error: HostspoolError): void {
    this.failures.push(error);
  }

  /** Stops it; resolves when it has left the group. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.ended.catch(() => undefined);
  }
}

/** Whether these members, and no others, share all partitions between them, in one generation. */
export function areSettled(members: readonly GroupMember[], partitions: number): boolean {
  const generations = new Set(members.map(({ session }) => session?.generation));
  const held = members.flatMap((member) => member.partitions).sort((a, b) => a - b);
  return generations.size === 1 && held.length === partitions && held.every((partition, index) => partition === index);
}
