/** Brokers' answers as they come over the wire, version by version. */
import type Cluster from 'kafkajs/src/cluster/index.js';
import { describe, expect, it } from 'vitest';
import { decodeAnswer } from '../../../src/kafka/fetch-request.ts';
import { apartFromFailures, askMetadataTolerantly } from '../../../src/kafka/metadata-request.ts';

const int16 = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};

/** An answer about two partitions, as Kafka's protocol has it for a version. */
function fetchAnswer(version: number, errorCode = 0): Buffer {
  const partition = (id: number, error: number, aborted: readonly [number, number][], records: Buffer | null) => [
    ...[int32(id), int16(error), int64(100 + id), int64(90)],
    ...(version >= 5 ? [int64(3)] : []),
    ...(aborted.length === 0 ? [int32(-1)] : [int32(aborted.length)]),
    ...aborted.flatMap(([producer, first]) => [int64(producer), int64(first)]),
    ...(version >= 11 ? [int32(-1)] : []),
    ...(records === null ? [int32(-1)] : [int32(records.length), records]),
  ];
  return Buffer.concat([
    ...[int32(25), ...(version >= 7 ? [int16(errorCode), int32(0)] : [])],
    ...[int32(1), int16(1), Buffer.from('t'), int32(2)],
    ...partition(0, 0, [[7, 40]], Buffer.from('records')),
    ...partition(1, 6, [], null),
  ]);
}

describe('the answer to a fetch', () => {
  it.each([4, 5, 6, 7, 8, 9, 10, 11])('of version %i is taken apart by partition', (version) => {
    const answer = decodeAnswer(fetchAnswer(version), version);
    expect(answer.partitions).toEqual([
      {
        partition: 0,
        errorCode: 0,
        end: 100,
        aborted: [{ producerId: 7n, firstOffset: 40 }],
        records: Buffer.from('records'),
      },
      { partition: 1, errorCode: 6, end: 101, aborted: [], records: Buffer.alloc(0) },
    ]);
    // From version 8 on it is the client that holds back.
    expect(answer.clientSideThrottleTime).toBe(version >= 8 ? 25 : 0);
  });

  it('says what is wrong with the request as a whole', () => {
    expect(decodeAnswer(fetchAnswer(11, 70), 11).errorCode).toBe(70);
  });
});

describe('metadata', () => {
  const partition = (partitionId: number, leader: number) => ({ partitionId, leader, replicas: [1] });

  it('name a topic that failed beside those that did not, and keep partitions without a leader', () => {
    const answer = {
      brokers: [{ nodeId: 1 }],
      controllerId: 1,
      topicMetadata: [
        { topic: 'sound', topicErrorCode: 0, partitionMetadata: [partition(0, 1), partition(1, -1)] },
        { topic: 'missing', topicErrorCode: 3, partitionMetadata: [] },
      ],
    };
    const { topicMetadata, failedTopics, brokers } = apartFromFailures(answer);
    expect(topicMetadata.map(({ topic }) => topic)).toEqual(['sound']);
    expect(topicMetadata[0]?.partitionMetadata.map(({ leader }) => leader)).toEqual([1, -1]);
    expect(failedTopics).toEqual(new Map([['missing', 3]]));
    expect(brokers).toEqual([{ nodeId: 1 }]);
  });

  it.each(['reading', 'writing'] as const)('about topics is asked for %s', async (purpose) => {
    const topic = (name: string, topicErrorCode: number) => ({
      topic: name,
      topicErrorCode,
      partitionMetadata: [partition(0, 1), partition(1, -1)],
    });
    const asked: object[] = [];
    const answering = (topicMetadata: readonly object[]) => ({
      lookupRequest: () => (given: object) => {
        asked.push(given);
        return { request: {}, response: {} };
      },
      connectionPool: {
        send: ({ response }: { response: { parse(answer: object): unknown } }) =>
          response.parse({ brokers: [{ nodeId: 1 }], topicMetadata }),
      },
    });
    let topics = [topic('sound', 0)];
    const cluster = { brokerPool: { createBroker: () => answering(topics) } };
    const askable = cluster as unknown as Cluster;
    askMetadataTolerantly(askable, purpose);
    const ask = () => askable.brokerPool.createBroker({} as never).metadata(['sound']);
    const { topicMetadata } = await ask();
    expect(topicMetadata[0]?.partitionMetadata.map(({ leader }) => leader)).toEqual([1, -1]);
    expect(asked).toEqual([{ topics: ['sound'], allowAutoTopicCreation: purpose === 'writing' }]);
    topics = [topic('sound', 3)];
    if (purpose === 'writing') await expect(ask()).rejects.toMatchObject({ type: 'UNKNOWN_TOPIC_OR_PARTITION' });
    else expect((await ask()).failedTopics).toEqual(new Map([['sound', 3]]));
  });
});
