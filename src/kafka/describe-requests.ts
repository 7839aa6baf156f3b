/**
 * What kafkajs does not ask: metadata and groups together with what this user may do with them (Kafka 2.3 and later).
 * Given to `connectionPool.send`. What a broker says against a single topic or group is a number beside it, no error.
 */
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import type { ProtocolRequest } from 'kafkajs/src/protocol/requests/index.js';

export interface DescribedPartition {
  readonly partition: number;
  /** -1: none at the moment. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

export interface DescribedTopic {
  readonly errorCode: number;
  readonly name: string;
  readonly partitions: readonly DescribedPartition[];
  readonly operations: number;
}

export interface DescribedCluster {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly DescribedTopic[];
  readonly operations: number;
}

export interface DescribedGroup {
  readonly errorCode: number;
  readonly state: string;
  readonly members: number;
  readonly operations: number;
}

/** One version each: later ones have another encoding, earlier ones no operations. */
export const METADATA_VERSION = 8;
export const DESCRIBE_GROUPS_VERSION = 3;

export function metadataRequest(topics: readonly string[]): ProtocolRequest<DescribedCluster> {
  return request(apiKeys.Metadata, 'Metadata', METADATA_VERSION, decodeMetadata, () =>
    new Encoder().writeArray(topics).writeBoolean(false).writeBoolean(true).writeBoolean(true),
  );
}

export function describeGroupRequest(group: string): ProtocolRequest<DescribedGroup> {
  return request(apiKeys.DescribeGroups, 'DescribeGroups', DESCRIBE_GROUPS_VERSION, decodeGroup, () =>
    new Encoder().writeArray([group]).writeBoolean(true),
  );
}

function request<Answer>(
  apiKey: number,
  apiName: string,
  apiVersion: number,
  decode: (decoder: Decoder) => Answer,
  encode: () => Encoder,
): ProtocolRequest<Answer> {
  return {
    request: { apiKey, apiName, apiVersion, encode: async () => encode() },
    response: {
      decode: async (payload) => {
        const decoder = new Decoder(payload);
        return { clientSideThrottleTime: decoder.readInt32(), answer: decode(decoder) };
      },
      parse: async ({ answer }: { answer: Answer }) => answer,
    },
  } as ProtocolRequest<Answer>;
}

function decodeMetadata(decoder: Decoder): DescribedCluster {
  const brokers = decoder.readArray((each) => {
    const broker = { nodeId: each.readInt32(), host: each.readString(), port: each.readInt32() };
    each.readString(); // the rack
    return broker;
  });
  decoder.readString(); // the cluster's id
  decoder.readInt32(); // the controller
  const topics = decoder.readArray(decodeTopic);
  return { brokers, topics, operations: decoder.readInt32() };
}

function decodeTopic(decoder: Decoder): DescribedTopic {
  const errorCode = decoder.readInt16();
  const name = decoder.readString();
  decoder.readBoolean(); // whether it is internal
  const partitions = decoder.readArray((each) => {
    each.readInt16(); // a partition without a leader has no leader: that says it all
    const partition = each.readInt32();
    const leader = each.readInt32();
    each.readInt32(); // the leader's epoch
    const replicas = each.readArray((id) => id.readInt32());
    const inSync = each.readArray((id) => id.readInt32());
    each.readArray((id) => id.readInt32()); // those offline
    return { partition, leader, replicas, inSync };
  });
  return { errorCode, name, partitions, operations: decoder.readInt32() };
}

function decodeGroup(decoder: Decoder): DescribedGroup {
  const [group] = decoder.readArray((each) => {
    const errorCode = each.readInt16();
    each.readString(); // its name
    const state = each.readString();
    each.readString(); // the type and the name of its protocol
    each.readString();
    const members = each.readArray((member) => {
      for (let text = 0; text < 3; text++) member.readString();
      for (let bytes = 0; bytes < 2; bytes++) member.readBytes();
      return null;
    });
    return { errorCode, state, members: members.length, operations: each.readInt32() };
  });
  if (group === undefined) throw new RangeError('an answer without the group that was asked for');
  return group;
}
