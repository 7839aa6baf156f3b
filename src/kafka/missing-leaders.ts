/**
 * One partition without a leader is no reason to hear nothing of the others. kafkajs makes an error of the whole
 * answer about a topic; here only that partition's leader is -1, and whoever wants to fetch from it waits.
 */

import type Cluster from 'kafkajs/src/cluster/index.js';
import type { ClusterBroker } from 'kafkajs/src/cluster/index.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolRequest, requests } from 'kafkajs/src/protocol/requests/index.js';

interface Answer {
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly partitionMetadata: { partitionErrorCode: number; readonly leader: number }[];
  }[];
}

/** Applies to all brokers that this cluster will know; before it connects. */
export function tolerateMissingLeaders(cluster: Cluster): void {
  const pool = cluster.brokerPool;
  const create = pool.createBroker;
  pool.createBroker = (options) => {
    const broker = create(options);
    broker.metadata = (topics) => askMetadata(broker, topics);
    return broker;
  };
}

async function askMetadata(broker: ClusterBroker, topics: readonly string[]): Promise<unknown> {
  const make = broker.lookupRequest(apiKeys.Metadata, requests.Metadata);
  const request: ProtocolRequest<unknown> = make({ topics, allowAutoTopicCreation: false });
  const { decode, parse } = request.response;
  return broker.connectionPool.send({
    ...request,
    response: {
      decode: async (payload) => withoutMissingLeaders((await decode(payload)) as Answer),
      parse,
    },
  });
}

/** Which error a partition without a leader has differs (no leader, no listener); that it has none does not. */
export function withoutMissingLeaders<Given extends Answer>(answer: Given): Given {
  for (const { partitionMetadata } of answer.topicMetadata) {
    for (const partition of partitionMetadata) partition.partitionErrorCode = 0;
  }
  return answer;
}
