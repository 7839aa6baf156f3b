/** One produce request, against a cluster of the test's own. */
import { Partitioners, type PartitionMetadata } from 'kafkajs';
import type Cluster from 'kafkajs/src/cluster/index.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolRequest, requests } from 'kafkajs/src/protocol/requests/index.js';
import v7 from 'kafkajs/src/protocol/requests/produce/v7/request.js';
import { describe, expect, it } from 'vitest';
import { toKafkaError } from '../../../src/kafka/errors.ts';
import type { FetchedMessage } from '../../../src/kafka/log-session.ts';
import { produce } from '../../../src/kafka/produce.ts';
import { decodeRecords } from '../../../src/kafka/record-batches.ts';
import type { OutgoingMessage } from '../../../src/kafka/record-encoding.ts';

interface Request {
  readonly leader: string;
  readonly bytes: Buffer;
  readonly partitions: readonly { readonly partition: number; readonly messages: readonly FetchedMessage[] }[];
}

/** What the broker that is asked finds in it. */
async function readRequest(leader: string, bytes: Buffer): Promise<Request> {
  const decoder = new Decoder(bytes);
  const [transaction, acks, timeout] = [decoder.readString(), decoder.readInt16(), decoder.readInt32()];
  expect({ transaction, acks, timeout }).toEqual({ transaction: null, acks: -1, timeout: 1000 });
  const topics = decoder.readArray((topic) => ({
    topic: topic.readString(),
    partitions: topic.readArray((each) => ({
      partition: each.readInt32(),
      batch: each.readBytes() ?? Buffer.alloc(0),
    })),
  }));
  expect(topics.map(({ topic }) => topic)).toEqual(['metrics']);
  const partitions = topics.flatMap((each) => each.partitions);
  const read = async ({ partition, batch }: { partition: number; batch: Buffer }) => {
    const { messages } = await decodeRecords(batch, 0, []);
    return { partition, messages };
  };
  return { leader, bytes, partitions: await Promise.all(partitions.map(read)) };
}

function acknowledged({ partitions }: Request, answered: (partition: number) => boolean) {
  const named = partitions.map(({ partition }) => ({ partition, errorCode: 0 }));
  return { topics: [{ topicName: 'metrics', partitions: named.filter(({ partition }) => answered(partition)) }] };
}

/** Partitions 0, 2, 4 … led by broker 1, the others by broker 2. */
function clusterOf(partitions: number, refusal?: Error, answered = (partition: number) => partition >= 0, version = 7) {
  const requested: Request[] = [];
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
      lookupRequest: (apiKey: number) => {
        expect(apiKey).toBe(apiKeys.Produce);
        return (
          requests.Produce as unknown as { protocol(of: object): (given: object) => ProtocolRequest<never> }
        ).protocol({
          version,
        });
      },
      connectionPool: {
        send: async ({ request }: ProtocolRequest<never>) => {
          if (refusal !== undefined) throw refusal;
          const encoder = await request.encode?.();
          const read = await readRequest(nodeId, encoder?.buffer ?? Buffer.alloc(0));
          requested.push(read);
          return acknowledged(read, answered);
        },
      },
    }),
  };
  return { cluster: cluster as unknown as Cluster, requests: requested, metadata, refreshed: () => refreshed };
}

const messagesOf = (keys: readonly string[]) => keys.map((key, index) => ({ key, value: String(index) }));

const send = (cluster: Cluster, messages: readonly OutgoingMessage[], compression = 0) =>
  produce(cluster, { topic: 'metrics', messages, timeout: 1000, timestamp: 1_700_000_000_123, compression });

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

  it('goes through where another partition than its own has no leader, and asks anew where its own has none', async () => {
    const { cluster, requests, metadata, refreshed } = clusterOf(2);
    metadata.splice(1, 1, { ...(metadata[1] as PartitionMetadata), leader: -1 });
    const outcomes = new Map<string, unknown>();
    for (const key of Array.from({ length: 20 }, (_, n) => `host-${n}`)) {
      const sent = await send(cluster, messagesOf([key])).then(
        () => 'acknowledged',
        (error: Error) => error,
      );
      outcomes.set(sent instanceof Error ? toKafkaError(sent, { brokers: [] }).code : sent, key);
    }
    expect([...outcomes.keys()].sort()).toEqual(['KAFKA_NO_LEADER', 'acknowledged']);
    expect(refreshed()).toBe(20 - requests.length);
    expect(new Set(requests.map(({ leader }) => leader))).toEqual(new Set(['1']));
  });

  it('is not over before the last broker has answered, though another has refused', async () => {
    const { cluster } = clusterOf(2);
    const slow = Promise.withResolvers<void>();
    const { findBroker } = cluster;
    cluster.findBroker = async (given) => {
      if (given.nodeId === '1') throw protocolError(false);
      await slow.promise;
      return findBroker(given);
    };
    let isOver = false;
    const keys = Array.from({ length: 20 }, (_, n) => `host-${n}`);
    const sending = send(cluster, messagesOf(keys)).finally(() => {
      isOver = true;
    });
    const refused = expect(sending).rejects.toThrow('refused');
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    slow.resolve();
    await refused;
  });

  it('is what kafkajs’ own producer sends, byte for byte', async () => {
    const headers = { plain: 'text', many: [Buffer.from('a'), Buffer.alloc(0)], über: Buffer.from([0, 255]) };
    const messages: OutgoingMessage[] = [
      { key: 'web-1', value: '{"hostname":"web-1"}' },
      { key: Buffer.from('web-1'), value: Buffer.alloc(300, 'x'), headers },
      { key: null, value: null, headers: {} },
      { key: '', value: 'ä €, 𝄞 and half of it: \ud834' },
      ...Array.from({ length: 200 }, (_, n) => ({ key: 'web-1', value: 'y'.repeat(n * 97) })),
    ];
    const { cluster, requests: sent } = clusterOf(1);
    await send(cluster, messages);
    const timestamp = '1700000000123';
    const partitions = [{ partition: 0, messages: messages.map((message) => ({ ...message, timestamp })) }];
    const theirs = v7({ acks: -1, timeout: 1000, compression: 0, topicData: [{ topic: 'metrics', partitions }] });
    const expected = (await theirs.encode()).buffer;
    expect(sent[0]?.bytes.equals(expected)).toBe(true);
  });

  it.each([0, 1, 2, 3, 4])('brings keys, values, headers and the time of sending under codec %i', async (codec) => {
    const { cluster, requests: sent } = clusterOf(1);
    const value = JSON.stringify({ hostname: 'web-1', cpu_percent: 12.5 }).repeat(40);
    const headers = { reason: 'none', many: [Buffer.from('a'), Buffer.from('b')] };
    const keyed = Array.from({ length: 300 }, (_, n) => ({ key: `web-${n % 7}`, value: `${n}${value}`, headers }));
    await send(cluster, [...keyed, { key: null, value: null }], codec);
    const received = sent[0]?.partitions[0]?.messages ?? [];
    expect(received).toHaveLength(301);
    for (const [n, message] of received.entries()) {
      expect(message).toMatchObject({ offset: n, timestamp: 1_700_000_000_123 });
      expect(message.key?.toString()).toBe(keyed[n]?.key);
      expect(message.value?.toString()).toBe(keyed[n]?.value);
    }
    expect(received[299]?.headers).toEqual({
      reason: [Buffer.from('none')],
      many: [Buffer.from('a'), Buffer.from('b')],
    });
  });

  it('is refused for a broker that knows no record batches', async () => {
    const { cluster, requests: sent } = clusterOf(1, undefined, undefined, 2);
    await expect(send(cluster, messagesOf(['web-1']))).rejects.toMatchObject({ code: 'KAFKA_OTHER', retryable: false });
    expect(sent).toEqual([]);
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
