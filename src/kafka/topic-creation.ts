/** Makes a topic where it is missing. */
import type { ClusterBroker } from 'kafkajs/src/cluster/index.js';
import type { Clock } from '../lib/clock.ts';
import type { Brokers } from './brokers.ts';
import { answeredError } from './errors.ts';

export interface TopicSpecification {
  readonly partitions: number;
  /** For instance `'retention.ms': '-1'`; for a topic that is made, one that is there keeps what it has. */
  readonly config: Readonly<Record<string, string>>;
  /** Without it as many as there are brokers, three at most. */
  readonly replicas?: number;
}

/** How long the brokers may take to make it, ms: part of the time that is waited for their answer. */
const CREATION_MS = 5000;
const MOST_REPLICAS = 3;
const POLL_MS = 100;

/** Whether the brokers have it now; what they answer otherwise is thrown. */
export async function topicExists(brokers: Brokers): Promise<boolean> {
  try {
    await brokers.refresh();
    return true;
  } catch (thrown) {
    const answer = answeredError(thrown);
    if (answer === 'UNKNOWN_TOPIC_OR_PARTITION') return false;
    // It is being made at this moment.
    if (answer === 'LEADER_NOT_AVAILABLE') return true;
    throw thrown;
  }
}

/** Resolves when its leaders are known, or `limit` ms have passed: then it may take a moment more. */
export async function createTopic(
  brokers: Brokers,
  wanted: TopicSpecification,
  limit: number,
  clock: Clock,
): Promise<void> {
  const { metadata } = brokers;
  if (metadata === undefined) throw new TypeError('the brokers were not asked for metadata yet');
  const replicationFactor = wanted.replicas ?? Math.min(MOST_REPLICAS, metadata.brokers.length);
  const configEntries = Object.entries(wanted.config).map(([name, value]) => ({ name, value }));
  const topic = { topic: brokers.topic, numPartitions: wanted.partitions, replicationFactor, configEntries };
  try {
    await brokers.ask(metadata.controllerId, (broker) => ask(broker, topic));
  } catch (thrown) {
    // Somebody else has made it meanwhile.
    if (answeredError(thrown) !== 'TOPIC_ALREADY_EXISTS') throw thrown;
  }
  const until = clock.monotonic() + limit;
  while (!(await hasLeaders(brokers, wanted.partitions)) && clock.monotonic() < until) await clock.sleep(POLL_MS);
}

async function ask(broker: ClusterBroker, topic: Parameters<ClusterBroker['createTopics']>[0]['topics'][0]) {
  try {
    await broker.createTopics({ topics: [topic], timeout: CREATION_MS });
  } catch (thrown) {
    // kafkajs gathers the answers by topic; there is one.
    throw (thrown as { errors?: unknown[] }).errors?.[0] ?? thrown;
  }
}

async function hasLeaders(brokers: Brokers, partitions: number): Promise<boolean> {
  if (!(await topicExists(brokers))) return false;
  const { leaders } = brokers;
  return leaders.size >= partitions && [...leaders.values()].every((leader) => leader >= 0);
}
