/**
 * One member of a consumer group, as the group's coordinator knows it: joining, being assigned, heartbeats, commits,
 * leaving. Each call is one attempt, bounded in time; waiting and trying again is its caller's.
 *
 *   coordinator? ─▶ join ─▶ (as leader: assign) ─▶ sync ─▶ heartbeat … ─▶ join again, or leave
 *
 * The member keeps its id from one generation to the next, so that a rebalance does not wait for a ghost of itself.
 */
import type { ClusterBroker, JoinedGroup } from 'kafkajs/src/cluster/index.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { requests } from 'kafkajs/src/protocol/requests/index.js';
import {
  ASSIGNMENT_PROTOCOL,
  assign,
  type Claim,
  decodeAssignment,
  decodeClaim,
  encodeAssignment,
  encodeMetadata,
  NO_CLAIM,
} from './assignment.ts';
import type { Brokers } from './brokers.ts';
import { answeredError } from './errors.ts';

export interface MembershipOptions {
  readonly brokers: Brokers;
  readonly group: string;
  readonly sessionTimeout: number;
  /** How long the group waits for its members to join again, ms. */
  readonly rebalanceTimeout: number;
  readonly requestTimeout: number;
}

export interface Generation {
  readonly id: number;
  /** In order. */
  readonly partitions: readonly number[];
  /** For the leader: the partitions that it assigned, all that the topic had. */
  readonly assigned: readonly number[] | undefined;
}

/** Answers after which this member is none any more. */
const EXPELLED = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID']);
const COORDINATOR_MOVED = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);

const SHORTEST_HEARTBEAT_LIMIT_MS = 1000;

export function isExpelled(thrown: unknown): boolean {
  return EXPELLED.has(answeredError(thrown) ?? '');
}

export class Membership {
  readonly #options: MembershipOptions;
  #coordinator: number | undefined;
  #memberId = '';
  #generation = -1;
  #claim: Claim = NO_CLAIM;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  get memberId(): string {
    return this.#memberId;
  }

  /** Joins and learns which partitions it reads. Blocks while the group waits for its other members. */
  async join(): Promise<Generation> {
    const { brokers, group } = this.#options;
    await brokers.refresh();
    const limit = this.#options.rebalanceTimeout + this.#options.requestTimeout;
    const joined = await this.#ask((broker) => this.#join(broker), limit);
    this.#memberId = joined.memberId;
    this.#generation = joined.generationId;
    const assigned = joined.leaderId === joined.memberId ? await this.#allPartitions() : undefined;
    const { memberAssignment } = await this.#ask(
      (broker) =>
        broker.syncGroup({
          groupId: group,
          generationId: joined.generationId,
          memberId: joined.memberId,
          groupAssignment: assigned === undefined ? [] : this.#assign(joined, assigned),
        }),
      limit,
    );
    const partitions = decodeAssignment(brokers.topic, memberAssignment);
    this.#claim = { generation: joined.generationId, partitions };
    return { id: joined.generationId, partitions, assigned };
  }

  /** Its limit leaves time for others before the session is over. */
  async heartbeat(): Promise<void> {
    const { group, sessionTimeout, requestTimeout } = this.#options;
    await this.#ask(
      (broker) => broker.heartbeat({ groupId: group, groupGenerationId: this.#generation, memberId: this.#memberId }),
      Math.min(requestTimeout, Math.max(SHORTEST_HEARTBEAT_LIMIT_MS, sessionTimeout / 3)),
    );
  }

  async commit(generation: number, offsets: ReadonlyMap<number, number>): Promise<void> {
    const { brokers, group } = this.#options;
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
    await this.#ask((broker) =>
      broker.offsetCommit({
        groupId: group,
        groupGenerationId: generation,
        memberId: this.#memberId,
        topics: [{ topic: brokers.topic, partitions }],
      }),
    );
  }

  /** The next join is a new member's. */
  forget(): void {
    this.#memberId = '';
    this.#claim = NO_CLAIM;
  }

  /** Gives the partitions to the others at once; does nothing for one that is no member. */
  async leave(brokers: Brokers): Promise<void> {
    const memberId = this.#memberId;
    if (memberId === '') return;
    const { group } = this.#options;
    this.forget();
    const node = await this.#findCoordinator(brokers);
    await brokers.ask(node, (broker) => broker.leaveGroup({ groupId: group, memberId }));
  }

  /** Not by kafkajs' own method: it keeps the id to itself that a new member is given before it joins. */
  async #join(broker: ClusterBroker): Promise<JoinedGroup> {
    const { brokers, group, sessionTimeout, rebalanceTimeout } = this.#options;
    const protocol = { name: ASSIGNMENT_PROTOCOL, metadata: encodeMetadata(brokers.topic, this.#claim) };
    const send = (): Promise<JoinedGroup> => {
      const make = broker.lookupRequest(apiKeys.JoinGroup, requests.JoinGroup);
      const request = make({
        groupId: group,
        sessionTimeout,
        rebalanceTimeout,
        memberId: this.#memberId,
        protocolType: 'consumer',
        groupProtocols: [protocol],
      });
      return broker.connectionPool.send<JoinedGroup>(request);
    };
    try {
      return await send();
    } catch (thrown) {
      const { name, memberId } = thrown as { name?: unknown; memberId?: unknown };
      if (name !== 'KafkaJSMemberIdRequired' || typeof memberId !== 'string') throw thrown;
      this.#memberId = memberId;
      return await send();
    }
  }

  async #allPartitions(): Promise<readonly number[]> {
    const { brokers } = this.#options;
    await brokers.refresh();
    return brokers.partitions;
  }

  #assign(joined: JoinedGroup, partitions: readonly number[]): { memberId: string; memberAssignment: Buffer }[] {
    const { topic } = this.#options.brokers;
    const claims = new Map(joined.members.map((member) => [member.memberId, decodeClaim(member.memberMetadata)]));
    return [...assign(claims, partitions)].map(([memberId, given]) => ({
      memberId,
      memberAssignment: encodeAssignment(topic, given),
    }));
  }

  async #ask<Answer>(request: (broker: ClusterBroker) => Promise<Answer>, limit?: number): Promise<Answer> {
    const { brokers } = this.#options;
    try {
      this.#coordinator ??= await this.#findCoordinator(brokers);
      return await brokers.ask(this.#coordinator, request, limit);
    } catch (thrown) {
      const answered = answeredError(thrown);
      if (answered === undefined || COORDINATOR_MOVED.has(answered)) this.#coordinator = undefined;
      throw thrown;
    }
  }

  async #findCoordinator(brokers: Brokers): Promise<number> {
    const { group } = this.#options;
    const { coordinator } = await brokers.askAny((broker) => broker.findGroupCoordinator({ groupId: group }));
    return coordinator.nodeId;
  }
}
