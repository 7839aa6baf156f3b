/**
 * One produce request: messages to their partitions, a record batch for each, acknowledged by all in-sync replicas.
 *
 * kafkajs' own producer does the same, but copies the list of messages once for each message, hashes the key of each,
 * and passes a lone sample through a dozen promises: half of what a send costs. Encoding, compression, connections and
 * metadata are kafkajs' here too. It sends what kafkajs' producer sends, byte for byte; nothing is tried again.
 */
import { Partitioners } from 'kafkajs';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { PartitionMetadata, PartitionRecords, ProduceAnswer, ProducedMessage } from 'kafkajs/src/cluster/index.js';
import { HostspoolError } from '../lib/errors.ts';

export interface ProduceRequest {
  readonly topic: string;
  readonly messages: readonly ProducedMessage[];
  /** How long the brokers may take to replicate, ms. */
  readonly timeout: number;
  /** kafkajs' number of the codec. */
  readonly compression: number;
}

const ALL_REPLICAS = -1;

/** Murmur2 of the key, as the Java client; without a key the partitions take turns. */
const partitionOf = Partitioners.DefaultPartitioner() as unknown as (given: {
  readonly topic: string;
  readonly partitionMetadata: readonly PartitionMetadata[];
  readonly message: ProducedMessage;
}) => number;

/** Resolves when all are acknowledged; rejects with kafkajs' error, and has then asked for the metadata anew if it may be old. */
export async function produce(cluster: Cluster, request: ProduceRequest): Promise<void> {
  const { topic, messages, timeout, compression } = request;
  await cluster.addTargetTopic(topic);
  await cluster.refreshMetadataIfNecessary();
  try {
    await Promise.all(
      byLeader(topic, cluster.findTopicPartitionMetadata(topic), messages).map(async ([leader, partitions]) => {
        const broker = await cluster.findBroker({ nodeId: String(leader) });
        const topicData = [{ topic, partitions }];
        const answer = await broker.produce({ acks: ALL_REPLICAS, timeout, compression, topicData });
        assertAcknowledged(answer, topic, partitions);
      }),
    );
  } catch (error) {
    if (mayBeStale(error)) await cluster.refreshMetadata();
    throw error;
  }
}

/** An answer that says nothing of a partition is no acknowledgement: kafkajs looks only for what was refused. */
function assertAcknowledged({ topics }: ProduceAnswer, topic: string, partitions: readonly PartitionRecords[]): void {
  const named = topics.filter(({ topicName }) => topicName === topic).flatMap((each) => each.partitions);
  const acknowledged = new Set(named.filter(({ errorCode }) => errorCode === 0).map(({ partition }) => partition));
  const silent = partitions.find(({ partition }) => !acknowledged.has(partition));
  if (silent === undefined) return;
  const message = `a broker answered and said nothing of partition ${silent.partition} of topic ${topic}`;
  throw new HostspoolError('KAFKA_OTHER', message, { retryable: true });
}

/** The messages of each partition, in their order, under the broker that leads it. */
function byLeader(
  topic: string,
  partitionMetadata: readonly PartitionMetadata[],
  messages: readonly ProducedMessage[],
): [leader: number, PartitionRecords[]][] {
  const partitions = new Map<ProducedMessage['key'], number>();
  const records = new Map<number, ProducedMessage[]>();
  for (const message of messages) {
    let partition = partitions.get(message.key);
    if (partition === undefined) {
      partition = partitionOf({ topic, partitionMetadata, message });
      partitions.set(message.key, partition);
    }
    const others = records.get(partition);
    if (others === undefined) records.set(partition, [message]);
    else others.push(message);
  }
  const leaders = new Map<number, PartitionRecords[]>();
  for (const [partition, own] of records) {
    const leader = partitionMetadata.find(({ partitionId }) => partitionId === partition)?.leader;
    if (leader === undefined) {
      throw new HostspoolError('KAFKA_NO_LEADER', `nothing is known of partition ${partition} of topic ${topic}`, {
        retryable: true,
      });
    }
    leaders.set(leader, [...(leaders.get(leader) ?? []), { partition, messages: own }]);
  }
  return [...leaders];
}

/** Whether the brokers answered with something that newer metadata may mend: another leader, another broker. */
function mayBeStale(error: unknown): boolean {
  const { name, retriable } = error as { name?: unknown; retriable?: unknown };
  return name === 'KafkaJSProtocolError' && retriable === true;
}
