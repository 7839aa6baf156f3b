/** One produce request, against a cluster of the test's own. */
import { Partitioners, type PartitionMetadata } from 'kafkajs';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { PartitionRecords } from 'kafkajs/src/cluster/index.js';
import { describe, expect, it } from 'vitest';
import { produce } from '../../../src/kafka/produce.ts';

interface Request {
  readonly leader: string;
  readonly partitions: readonly PartitionRecords[];
}

interface Sent {
  readonly topic: string;
  readonly partitions: readonly PartitionRecords[];
}

function acknowledged({ topic, partitions }: Sent, answered: (partition: number) => boolean) {
  const named = partitions.map(({ partition }) => ({ partition, errorCode: 0 }));
  return { topicName: topic, partitions: named.filter(({ partition }) => answered(partition)) };
}

/** Partitions 0, 2, 4 … led by broker 1, the others by broker 2. */
function clusterOf(partitions: number, refusal?: Error, answered = (partition: number) => partition >= 0) {
  const requests: Request[] = [];
  let refreshed = 0;
  const metadata: PartitionMetadata[] = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionId,
    leader: (partitionId % 2) + 1,
    partitionErrorCode: 0,
    replicas: [],
    isr: [],
  }));
  const cluster = {
    addTargetTopic: async () => undefined,
    refreshMetadataIfNecessary: async () => undefined,
    refreshMetadata: async () => void refreshed++,
    findTopicPartitionMetadata: () => metadata,
    findBroker: async ({ nodeId }: { nodeId: string }) => ({
      produce: async (request: { topicData: readonly Sent[] }) => {
        if (refusal !== undefined) throw refusal;
        requests.push({ leader: nodeId, partitions: request.topicData.flatMap((each) => each.partitions) });
        return { topics: request.topicData.map((each) => acknowledged(each, answered)) };
      },
    }),
  };
  return { cluster: cluster as unknown as Cluster, requests, metadata, refreshed: () => refreshed };
}

const messagesOf = (keys: readonly string[]) =>
  keys.map((key, index) => ({ key, value: String(index), timestamp: '1000' }));

const send = (cluster: Cluster, messages: ReturnType<typeof messagesOf>) =>
  produce(cluster, { topic: 'metrics', messages, timeout: 1000, compression: 0 });

function protocolError(retriable: boolean): Error {
  return Object.assign(new Error('refused'), { name: 'KafkaJSProtocolError', retriable });
}

describe('a produce request', () => {
  it('brings every message once, in one batch a partition, the messages of a key in their order', async () => {
    const { cluster, requests } = clusterOf(6);
    const messages = messagesOf(Array.from({ length: 200 }, (_, n) => `host-${n % 17}`));
    await send(cluster, messages);
    expect(requests.map(({ leader }) => leader).sort()).toEqual(['1', '2']);
    const batches = requests.flatMap(({ partitions }) => partitions);
    expect(new Set(batches.map(({ partition }) => partition)).size).toBe(batches.length);
    expect(batches.flatMap((batch) => batch.messages)).toHaveLength(200);
    for (const { messages: batch } of batches) {
      const order = batch.map(({ value }) => Number(value));
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });

  it('goes to the broker that leads the partition that kafkajs chooses for the key', async () => {
    const { cluster, requests, metadata } = clusterOf(7);
    const chosen = Partitioners.DefaultPartitioner() as (given: object) => number;
    const messages = messagesOf(Array.from({ length: 100 }, (_, n) => `web-${n}.example.org`));
    await send(cluster, messages);
    for (const { leader, partitions } of requests) {
      for (const { partition, messages: batch } of partitions) {
        expect(leader).toBe(String((partition % 2) + 1));
        for (const message of batch) {
          expect(chosen({ topic: 'metrics', partitionMetadata: metadata, message })).toBe(partition);
        }
      }
    }
  });

  it('asks for the metadata anew after an answer that it may mend, and fails all the same', async () => {
    const moved = clusterOf(1, protocolError(true));
    await expect(send(moved.cluster, messagesOf(['web-1']))).rejects.toThrow('refused');
    expect(moved.refreshed()).toBe(1);
    const tooLarge = clusterOf(1, protocolError(false));
    await expect(send(tooLarge.cluster, messagesOf(['web-1']))).rejects.toThrow('refused');
    expect(tooLarge.refreshed()).toBe(0);
  });

  it('is not acknowledged by an answer that says nothing of one of its partitions', async () => {
    const { cluster } = clusterOf(4, undefined, (partition) => partition !== 3);
    const keys = Array.from({ length: 50 }, (_, n) => `host-${n}`);
    await expect(send(cluster, messagesOf(keys))).rejects.toMatchObject({
      code: 'KAFKA_OTHER',
      retryable: true,
      message: expect.stringContaining('partition 3'),
    });
  });

  it('does not send to a partition of which nothing is known', async () => {
    const { cluster, requests, metadata } = clusterOf(2);
    metadata.splice(0, 2, { ...(metadata[0] as PartitionMetadata), partitionId: 9 });
    await expect(send(cluster, messagesOf(['web-1']))).rejects.toMatchObject({ code: 'KAFKA_NO_LEADER' });
    expect(requests).toEqual([]);
  });
});
