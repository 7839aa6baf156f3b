/**
 * What the operator's commands ask of Kafka, and the little they change: the dead-letter topic, a group's offsets.
 *
 * Each call asks the brokers anew who leads what, and rejects with a HostspoolError KAFKA_…. What passes by itself in a
 * moment (a leader or a coordinator being chosen, as on a cluster that was never asked for a group) is waited out for
 * `kafka.request_timeout`; every request has the time limits of the settings.
 */
import type { Settings } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { KafkaAccess } from './access.ts';
import { Brokers } from './brokers.ts';
import { answeredError } from './errors.ts';
import { logBounds, offsetsAt } from './list-offsets.ts';
import type { FetchedMessage, LogBounds } from './log-session.ts';
import { readMessage } from './single-message.ts';
import { createTopic, type TopicSpecification, topicExists } from './topic-creation.ts';

export interface GroupMembers {
  /** Kafka's word for it: Stable, Empty, Dead, PreparingRebalance, CompletingRebalance. */
  readonly state: string;
  readonly members: readonly { readonly clientId: string; readonly host: string }[];
}

const PASSES = new Set(['KAFKA_NO_LEADER', 'KAFKA_GROUP_UNSETTLED']);
const PASSES_MS = 200;

export class KafkaAdmin {
  readonly #settings: Settings['kafka'];
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #access: KafkaAccess;
  readonly #brokers = new Map<string, Brokers>();

  private constructor(settings: Settings['kafka'], log: Log, clock: Clock, access: KafkaAccess) {
    this.#settings = settings;
    this.#log = log;
    this.#clock = clock;
    this.#access = access;
  }

  /** Connects at the first call. */
  static create(
    settings: Settings['kafka'],
    log: Log,
    clock: Clock,
    access = new KafkaAccess(settings, log),
  ): KafkaAdmin {
    return new KafkaAdmin(settings, log, clock, access);
  }

  /** The topic's partitions, in order. */
  partitions(topic: string): Promise<readonly number[]> {
    return this.#ask(topic, async (brokers) => brokers.partitions);
  }

  /** First offset and end of each partition's log. */
  bounds(topic: string): Promise<ReadonlyMap<number, LogBounds>> {
    return this.#ask(topic, (brokers) => logBounds(brokers, brokers.partitions));
  }

  /** The first offset at a time (ms since the epoch) or later; partitions without a message from then on are left out. */
  offsetsAt(topic: string, timestamp: number): Promise<ReadonlyMap<number, number>> {
    return this.#ask(topic, (brokers) => offsetsAt(brokers, brokers.partitions, timestamp));
  }

  /** The first message at an offset or after it; undefined when the log has none. */
  messageAt(topic: string, partition: number, offset: number): Promise<FetchedMessage | undefined> {
    return this.#ask(topic, (brokers) => readMessage(brokers, partition, offset));
  }

  /** What a group has committed; partitions without are left out. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#ask(
      topic,
      async (brokers) => {
        const partitions = brokers.partitions.map((partition) => ({ partition }));
        const coordinator = await this.#coordinator(brokers, group);
        const { responses } = await brokers.ask(coordinator, (broker) =>
          broker.offsetFetch({ groupId: group, topics: [{ topic, partitions }] }),
        );
        const found = responses.flatMap((response) => response.partitions);
        return new Map(
          found.filter(({ offset }) => Number(offset) >= 0).map(({ partition, offset }) => [partition, Number(offset)]),
        );
      },
      group,
    );
  }

  /** Sets what a group has committed. Rejects with KAFKA_GROUP_ACTIVE while it has members. */
  commit(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
    const request = { groupId: group, groupGenerationId: -1, memberId: '', topics: [{ topic, partitions }] };
    return this.#ask(
      topic,
      async (brokers) => {
        const coordinator = await this.#coordinator(brokers, group);
        await brokers
          .ask(coordinator, (broker) => broker.offsetCommit(request))
          .catch((thrown) => {
            throw answeredError(thrown) === 'UNKNOWN_MEMBER_ID' ? groupActive(group) : thrown;
          });
      },
      group,
    );
  }

  /** Who is in a group; nobody in one that does not exist. */
  members(group: string): Promise<GroupMembers> {
    return this.#ask(
      undefined,
      async (brokers) => {
        const coordinator = await this.#coordinator(brokers, group);
        const { groups } = await brokers.ask(coordinator, (broker) => broker.describeGroups({ groupIds: [group] }));
        const found = groups[0];
        const members = found?.members.map(({ clientId, clientHost }) => ({ clientId, host: clientHost })) ?? [];
        return { state: found?.state ?? 'Dead', members };
      },
      group,
    );
  }

  /** Makes a topic where it is missing, with as many replicas as `kafka.topic` has; true when it was made. */
  async ensureTopic(topic: string, wanted: TopicSpecification): Promise<boolean> {
    const brokers = this.#of(topic);
    try {
      if (await topicExists(brokers)) return false;
      const replicas = wanted.replicas ?? (await this.#replicasOf(this.#settings.topic));
      const { request_timeout } = this.#settings;
      await createTopic(brokers, { ...wanted, ...(replicas && { replicas }) }, request_timeout, this.#clock);
      return true;
    } catch (thrown) {
      throw brokers.error(thrown);
    }
  }

  /** Ends its connections; calls under way are rejected. */
  close(): void {
    for (const brokers of this.#brokers.values()) brokers.close();
  }

  async #replicasOf(topic: string): Promise<number | undefined> {
    const brokers = this.#of(topic);
    if (!(await topicExists(brokers))) return undefined;
    const found = brokers.metadata?.topicMetadata.find((each) => each.topic === topic);
    return found?.partitionMetadata[0]?.replicas.length;
  }

  async #coordinator(brokers: Brokers, group: string): Promise<number> {
    const { coordinator } = await brokers.askAny((broker) => broker.findGroupCoordinator({ groupId: group }));
    return coordinator.nodeId;
  }

  #of(topic: string): Brokers {
    const known = this.#brokers.get(topic);
    if (known !== undefined) return known;
    const brokers = Brokers.create({
      settings: this.#settings,
      topic,
      log: this.#log,
      clock: this.#clock,
      access: this.#access,
    });
    this.#brokers.set(topic, brokers);
    return brokers;
  }

  /** With a topic its metadata are fresh; without one it is not asked for. */
  async #ask<Answer>(
    topic: string | undefined,
    request: (brokers: Brokers) => Promise<Answer>,
    group?: string,
  ): Promise<Answer> {
    const brokers = this.#of(topic ?? this.#settings.topic);
    const until = this.#clock.monotonic() + this.#settings.request_timeout;
    for (;;) {
      try {
        if (topic !== undefined) await brokers.refresh();
        return await request(brokers);
      } catch (thrown) {
        const error = brokers.error(thrown, group === undefined ? {} : { group });
        if (!PASSES.has(error.code) || this.#clock.monotonic() >= until) throw error;
        await this.#clock.sleep(PASSES_MS);
      }
    }
  }
}

function groupActive(group: string): HostspoolError {
  return new HostspoolError('KAFKA_GROUP_ACTIVE', `group ${group} has members; its offsets are theirs`, {
    hint: 'stop the writers of this group first',
  });
}
