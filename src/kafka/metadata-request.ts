/**
 * What the brokers say of themselves and of topics. kafkajs makes an error of the whole answer when one partition has
 * no leader, or when a topic is missing; here a partition without a leader has the leader −1, a topic that failed is
 * named beside the others, and the brokers are known in any case.
 */
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { ClusterBroker, ClusterMetadata, TopicMetadata } from 'kafkajs/src/cluster/index.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolRequest, requests } from 'kafkajs/src/protocol/requests/index.js';

interface Answer extends Omit<ClusterMetadata, 'failedTopics'> {
  readonly topicMetadata: readonly (TopicMetadata & { readonly topicErrorCode: number })[];
}

/** Applies to all brokers that this cluster will know; before it connects. */
export function askMetadataTolerantly(cluster: Cluster): void {
  const pool = cluster.brokerPool;
  const create = pool.createBroker;
  pool.createBroker = (options) => {
    const broker = create(options);
    broker.metadata = (topics) => askMetadata(broker, topics);
    return broker;
  };
}

async function askMetadata(broker: ClusterBroker, topics: readonly string[]): Promise<ClusterMetadata> {
  const make = broker.lookupRequest(apiKeys.Metadata, requests.Metadata);
  const request: ProtocolRequest<unknown> = make({ topics, allowAutoTopicCreation: false });
  const { decode } = request.response;
  return broker.connectionPool.send<ClusterMetadata>({
    ...request,
    response: { decode, parse: async (answer: Answer) => apartFromFailures(answer) },
  });
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
