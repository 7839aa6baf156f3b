/**
 * What the brokers say of themselves and of topics. kafkajs makes an error of the whole answer when one partition has
 * no leader, or when a topic is missing; here a partition without a leader has the leader −1, and stops nobody but who
 * writes to it. Whoever reads hears of a topic that failed beside the others; whoever writes gets an error of it.
 */
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { ClusterBroker, ClusterMetadata, TopicMetadata } from 'kafkajs/src/cluster/index.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolRequest, requests } from 'kafkajs/src/protocol/requests/index.js';

interface Answer extends Omit<ClusterMetadata, 'failedTopics'> {
  readonly topicMetadata: readonly (TopicMetadata & { readonly topicErrorCode: number })[];
}

/** Applies to all brokers that this cluster will know; before it connects. A writer's topic may be made by the broker. */
export function askMetadataTolerantly(cluster: Cluster, purpose: 'reading' | 'writing'): void {
  const pool = cluster.brokerPool;
  const create = pool.createBroker;
  pool.createBroker = (options) => {
    const broker = create(options);
    broker.metadata = (topics) => askMetadata(broker, topics, purpose);
    return broker;
  };
}

async function askMetadata(
  broker: ClusterBroker,
  topics: readonly string[],
  purpose: 'reading' | 'writing',
): Promise<ClusterMetadata> {
  const make = broker.lookupRequest(apiKeys.Metadata, requests.Metadata);
  const request: ProtocolRequest<unknown> = make({ topics, allowAutoTopicCreation: purpose === 'writing' });
  const { decode } = request.response;
  const parse = async (answer: Answer) => {
    const metadata = apartFromFailures(answer);
    const [failed] = metadata.failedTopics.values();
    if (purpose === 'writing' && failed !== undefined) throw createErrorFromCode(failed);
    return metadata;
  };
  return broker.connectionPool.send<ClusterMetadata>({ ...request, response: { decode, parse } });
}

export function apartFromFailures(answer: Answer): ClusterMetadata {
  const [failed, sound] = [true, false].map((isFailed) =>
    answer.topicMetadata.filter(({ topicErrorCode }) => (topicErrorCode !== 0) === isFailed),
  );
  return {
    ...answer,
    topicMetadata: sound ?? [],
    failedTopics: new Map(failed?.map(({ topic, topicErrorCode }) => [topic, topicErrorCode])),
  };
}
