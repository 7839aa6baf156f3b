/**
 * One fetch from one broker, the answer taken apart by partition. kafkajs would fail the whole answer for one
 * partition's error, so it encodes the request, and the answer is read here.
 */
import type { ClusterBroker } from 'kafkajs/src/cluster/index.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolRequest, requests } from 'kafkajs/src/protocol/requests/index.js';
import type { AbortedTransaction } from './record-batches.ts';

export interface FetchRequest {
  readonly topic: string;
  /** Partition to offset, in the order in which the broker fills the answer. */
  readonly positions: ReadonlyMap<number, number>;
  /** How long the broker holds the request when there is nothing new, ms. */
  readonly maxWait: number;
  /** Bounds in bytes; a single batch may be larger, if it is the first. */
  readonly maxBytes: number;
  readonly partitionBytes: number;
}

export interface FetchedPartition {
  readonly partition: number;
  /** Kafka's number of what went wrong; 0 for nothing. */
  readonly errorCode: number;
  readonly end: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
}

interface FetchAnswer {
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

const READ_COMMITTED = 1;
const NOTHING = Buffer.alloc(0);

/** To be given to `Brokers.ask`. */
export async function fetchFrom(broker: ClusterBroker, wanted: FetchRequest): Promise<readonly FetchedPartition[]> {
  const partitions = [...wanted.positions].map(([partition, position]) => ({
    partition,
    fetchOffset: String(position),
    maxBytes: wanted.partitionBytes,
  }));
  const given: ProtocolRequest<never> = broker.lookupRequest(
    apiKeys.Fetch,
    requests.Fetch,
  )({
    maxWaitTime: wanted.maxWait,
    minBytes: 1,
    maxBytes: wanted.maxBytes,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic: wanted.topic, partitions }],
    rackId: '',
  });
  const { apiVersion } = given.request;
  return broker.connectionPool.send<readonly FetchedPartition[]>({
    request: given.request,
    response: {
      decode: async (payload) => decodeAnswer(payload, apiVersion),
      parse: async (answer: FetchAnswer) => answer.partitions.map((each) => withErrorOf(answer, each)),
    },
  });
}

function withErrorOf({ errorCode }: FetchAnswer, partition: FetchedPartition): FetchedPartition {
  return errorCode === 0 ? partition : { ...partition, errorCode };
}

/** The versions 4 (Kafka 0.11) to 11 (2.3): fields were added, none was moved. */
export function decodeAnswer(payload: Buffer, version: number): FetchAnswer {
  const decoder = new Decoder(payload);
  const throttled = decoder.readInt32();
  const errorCode = version >= 7 ? decoder.readInt16() : 0;
  if (version >= 7) decoder.readInt32(); // the fetch session's id: none was asked for
  const partitions = decoder.readArray(() => {
    decoder.readString(); // the topic: there is one
    return decoder.readArray((each) => decodePartition(each, version));
  });
  // Up to version 7 the broker has already held the answer back for so long.
  return { clientSideThrottleTime: version >= 8 ? throttled : 0, errorCode, partitions: partitions.flat() };
}

function decodePartition(decoder: Decoder, version: number): FetchedPartition {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const end = Number(decoder.readInt64());
  decoder.readInt64(); // the last stable offset
  if (version >= 5) decoder.readInt64(); // the log's start
  const aborted = decoder.readArray((each) => ({
    producerId: each.readInt64(),
    firstOffset: Number(each.readInt64()),
  }));
  if (version >= 11) decoder.readInt32(); // the replica to prefer: no rack was given
  return { partition, errorCode, end, aborted, records: decoder.readBytes() ?? NOTHING };
}
