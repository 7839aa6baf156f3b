/**
 * One produce request: messages to their partitions, a record batch for each, acknowledged by all in-sync replicas.
 *
 * kafkajs' own producer does the same, but copies the list of messages once for each message, hashes the key of each,
 * passes a lone sample through a dozen promises, and makes a growing buffer of each record: most of what a send costs.
 * Connections, metadata and the reading of the answer are kafkajs' here too. Before compression the request is what
 * kafkajs' producer sends, byte for byte; nothing is tried again.
 */
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { ClusterBroker, PartitionMetadata, ProduceAnswer } from 'kafkajs/src/cluster/index.js';
import DefaultPartitioner from 'kafkajs/src/producer/partitioners/default/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolRequest, requests } from 'kafkajs/src/protocol/requests/index.js';
import { HostspoolError } from '../lib/errors.ts';
import { encodeBatch, type OutgoingMessage } from './record-encoding.ts';

export interface ProduceRequest {
  readonly topic: string;
  readonly messages: readonly OutgoingMessage[];
  /** Kafka's timestamp of all of them, ms since the epoch. */
  readonly timestamp: number;
  /** How long the brokers may take to replicate, ms. */
  readonly timeout: number;
  /** kafkajs' number of the codec. */
  readonly compression: number;
}

const ALL_REPLICAS = -1;
/** Kafka's number of the error. */
const LEADER_NOT_AVAILABLE = 5;
/** The first version of the request that carries record batches: Kafka 0.11. */
const FIRST_WITH_BATCHES = 3;

interface PartitionMessages {
  readonly partition: number;
  readonly messages: readonly OutgoingMessage[];
}

/** Murmur2 of the key, as the Java client; without a key the partitions take turns. */
const partitionOf = DefaultPartitioner() as unknown as (given: {
  readonly topic: string;
  readonly partitionMetadata: readonly PartitionMetadata[];
  readonly message: OutgoingMessage;
}) => number;

/** Resolves when all are acknowledged; rejects with kafkajs' error, and has then asked for the metadata anew if it may be old. */
export async function produce(cluster: Cluster, request: ProduceRequest): Promise<void> {
  const { topic, messages } = request;
  await cluster.addTargetTopic(topic);
  await cluster.refreshMetadataIfNecessary();
  try {
    // All of them: when this is over nothing of it is under way any more, and one time limit holds for the whole.
    const sent = await Promise.allSettled(
      byLeader(topic, cluster.findTopicPartitionMetadata(topic), messages).map(async ([leader, partitions]) => {
        const broker = await cluster.findBroker({ nodeId: String(leader) });
        assertAcknowledged(await produceTo(broker, request, partitions), topic, partitions);
      }),
    );
    const failed = sent.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } catch (error) {
    if (mayBeStale(error)) await cluster.refreshMetadata();
    throw error;
  }
}

async function produceTo(
  broker: ClusterBroker,
  { topic, timeout, timestamp, compression }: ProduceRequest,
  partitions: readonly PartitionMessages[],
): Promise<ProduceAnswer> {
  const given: ProtocolRequest<never> = broker.lookupRequest(
    apiKeys.Produce,
    requests.Produce,
  )({ acks: ALL_REPLICAS, timeout, topicData: [] });
  if (given.request.apiVersion < FIRST_WITH_BATCHES) {
    // No broker's answer: what it offers is asked anew, on another connection.
    throw new HostspoolError('KAFKA_OTHER', 'a broker offers no produce request that carries record batches', {
      hint: 'Kafka 0.11 or newer is needed',
    });
  }
  const encode = async () => {
    const encoder = new Encoder()
      .writeString(null) // no transaction
      .writeInt16(ALL_REPLICAS)
      .writeInt32(timeout)
      .writeInt32(1)
      .writeString(topic)
      .writeInt32(partitions.length);
    for (const { partition, messages } of partitions) {
      encoder.writeInt32(partition).writeBytes(await encodeBatch(messages, timestamp, compression));
    }
    return encoder;
  };
  return broker.connectionPool.send<ProduceAnswer>({ ...given, request: { ...given.request, encode } });
}

/** An answer that says nothing of a partition is no acknowledgement: kafkajs looks only for what was refused. */
function assertAcknowledged({ topics }: ProduceAnswer, topic: string, partitions: readonly PartitionMessages[]): void {
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
  messages: readonly OutgoingMessage[],
): [leader: number, PartitionMessages[]][] {
  const partitions = new Map<OutgoingMessage['key'], number>();
  const records = new Map<number, OutgoingMessage[]>();
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
  const leaders = new Map<number, PartitionMessages[]>();
  for (const [partition, own] of records) {
    const leader = partitionMetadata.find(({ partitionId }) => partitionId === partition)?.leader;
    if (leader === undefined) {
      throw new HostspoolError('KAFKA_NO_LEADER', `nothing is known of partition ${partition} of topic ${topic}`, {
        retryable: true,
      });
    }
    // As the broker says it of itself that is asked in vain: the metadata is then asked for anew.
    if (leader < 0) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
    leaders.set(leader, [...(leaders.get(leader) ?? []), { partition, messages: own }]);
  }
  return [...leaders];
}

/** Whether the brokers answered with something that newer metadata may mend: another leader, another broker. */
function mayBeStale(error: unknown): boolean {
  const { name, retriable } = error as { name?: unknown; retriable?: unknown };
  return name === 'KafkaJSProtocolError' && retriable === true;
}
