// biome-ignore-all lint/style/noDefaultExport: what a CommonJS module exports is the default export
/** The parts of kafkajs 2.2.4 below its public interface that this room touches; its version is pinned exactly. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  /** One connection's requests: those in flight, and those that wait for a place or for the end of throttling. */
  class RequestQueue {
    readonly pending: readonly unknown[];
    readonly throttleCheckTimeoutId: NodeJS.Timeout | null;
    scheduleCheckPendingRequests(): void;
  }
  export default RequestQueue;
}

declare module 'kafkajs/src/protocol/encoder.js' {
  /** A growing buffer; what is written chains. */
  class Encoder {
    readonly buffer: Buffer;
    writeInt16(value: number): this;
    writeInt32(value: number): this;
    writeString(value: string | null): this;
    /** Its length before it. */
    writeBytes(value: Buffer): this;
    writeBoolean(value: boolean): this;
    writeArray(array: readonly string[]): this;
  }
  export default Encoder;
}

declare module 'kafkajs/src/loggers/index.js' {
  import type { logCreator, logLevel } from 'kafkajs';

  export const LEVELS: { readonly INFO: logLevel.INFO };
  export function createLogger(options: { level: logLevel; logCreator: logCreator }): object;
}

declare module 'kafkajs/src/producer/partitioners/default/index.js' {
  import type { DefaultPartitioner } from 'kafkajs';

  const partitioner: typeof DefaultPartitioner;
  export default partitioner;
}

declare module 'kafkajs/src/protocol/message/compression/index.js' {
  import type { CompressionTypes } from 'kafkajs';

  export const Types: Readonly<Record<keyof typeof CompressionTypes, number>>;
  /** What packs and unpacks, by its number. */
  export const Codecs: Record<number, () => object>;
}

declare module 'kafkajs/src/protocol/requests/apiKeys.js' {
  const apiKeys: {
    readonly Produce: number;
    readonly Fetch: number;
    readonly Metadata: number;
    readonly JoinGroup: number;
    readonly DescribeGroups: number;
  };
  export default apiKeys;
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';

  /** A request as a connection sends it: how it is encoded, how its answer is read. */
  export interface ProtocolRequest<Answer> {
    readonly request: { readonly apiKey: number; readonly apiVersion: number; encode?(): Promise<Encoder> };
    readonly response: {
      decode(payload: Buffer): Promise<unknown>;
      parse(decoded: never): Promise<Answer>;
    };
    readonly logResponseError?: boolean;
  }
  interface Definition {
    readonly versions: readonly string[];
  }
  export const requests: {
    readonly Produce: Definition;
    readonly Fetch: Definition;
    readonly Metadata: Definition;
    readonly JoinGroup: Definition;
  };
}

declare module 'kafkajs/src/protocol/error.js' {
  /** What a broker's error code means, as the error that kafkajs throws for it. */
  export function createErrorFromCode(code: number): Error & { readonly type: string; readonly code: number };
}

declare module 'kafkajs/src/protocol/decoder.js' {
  class Decoder {
    readonly buffer: Buffer;
    offset: number;
    constructor(buffer: Buffer);
    readInt16(): number;
    readInt32(): number;
    readInt64(): bigint;
    readString(): string;
    readBoolean(): boolean;
    readBytes(length?: number): Buffer | null;
    readArray<Item>(read: (decoder: Decoder) => Item): Item[];
  }
  export default Decoder;
}

declare module 'kafkajs/src/protocol/messageSet/decoder.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';

  /** The messages of a log in Kafka's formats before 0.11. */
  function decodeMessageSet(
    decoder: Decoder,
    size: number,
  ): Promise<{ offset: string; key: Buffer | null; value: Buffer | null; timestamp?: string | bigint }[]>;
  export default decodeMessageSet;
}

declare module 'kafkajs/src/consumer/assignerProtocol.js' {
  export const MemberMetadata: {
    encode(metadata: { version: number; topics: readonly string[]; userData?: Buffer }): Buffer;
    decode(encoded: Buffer): { version: number; topics: string[]; userData: Buffer | null };
  };
  export const MemberAssignment: {
    encode(given: { version: number; assignment: Readonly<Record<string, readonly number[]>> }): Buffer;
    /** Null for a member that was given nothing at all. */
    decode(encoded: Buffer): { assignment: Record<string, number[]> } | null;
  };
}

declare module 'kafkajs/src/cluster/index.js' {
  import type { ISocketFactory, KafkaConfig } from 'kafkajs';
  import type { ProtocolRequest } from 'kafkajs/src/protocol/requests/index.js';

  export interface PartitionMetadata {
    readonly partitionId: number;
    /** -1: none at the moment. */
    readonly leader: number;
    readonly replicas: readonly number[];
  }
  export interface TopicMetadata {
    readonly topic: string;
    readonly partitionMetadata: readonly PartitionMetadata[];
  }
  export interface ClusterMetadata {
    readonly brokers: readonly { readonly nodeId: number }[];
    readonly controllerId: number;
    readonly topicMetadata: readonly TopicMetadata[];
    /** Ours: the topics about which a broker gave an error, and Kafka's number of it. */
    readonly failedTopics: ReadonlyMap<string, number>;
  }
  export interface TopicOffsets {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
  }
  export interface JoinedGroup {
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    /** For the leader: everybody; for the others nobody. */
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
  }
  interface Connection {
    /** None before the first connect. */
    readonly socket?: { destroy(error: Error): void };
  }
  export interface ProduceAnswer {
    readonly topics: readonly {
      readonly topicName: string;
      readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
    }[];
  }
  export interface ClusterBroker {
    /** One connection for fetches, one for everything else. */
    readonly connectionPool: {
      readonly host: string;
      readonly port: number;
      readonly pool: readonly Connection[];
      send<Answer>(request: ProtocolRequest<Answer>): Promise<Answer>;
    };
    /** The newest version of a request that both sides know. */
    lookupRequest(
      apiKey: number,
      definition: { readonly versions: readonly string[] },
    ): (given: object) => ProtocolRequest<never>;
    /** What it speaks, by the number of a request; null before it was asked. */
    readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null;
    metadata(topics: readonly string[]): Promise<ClusterMetadata>;
    findGroupCoordinator(request: {
      groupId: string;
    }): Promise<{ coordinator: { nodeId: number; host: string; port: number } }>;
    describeConfigs(request: {
      resources: readonly { type: number; name: string; configNames: readonly string[] }[];
    }): Promise<{
      resources: readonly { configEntries: readonly { configName: string; configValue: string | null }[] }[];
    }>;
    syncGroup(request: {
      groupId: string;
      generationId: number;
      memberId: string;
      groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
    }): Promise<{ memberAssignment: Buffer }>;
    heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
    leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
    offsetCommit(request: {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: readonly TopicOffsets[];
    }): Promise<unknown>;
    offsetFetch(request: {
      groupId: string;
      topics: readonly { topic: string; partitions: readonly { partition: number }[] }[];
    }): Promise<{ responses: readonly TopicOffsets[] }>;
    describeGroups(request: { groupIds: readonly string[] }): Promise<{
      groups: readonly {
        errorCode: number;
        groupId: string;
        state: string;
        members: readonly { memberId: string; clientId: string; clientHost: string }[];
      }[];
    }>;
    listOffsets(request: {
      isolationLevel: number;
      topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
    }): Promise<{ responses: readonly TopicOffsets[] }>;
    createTopics(request: {
      topics: readonly {
        topic: string;
        numPartitions: number;
        replicationFactor: number;
        configEntries: readonly { name: string; value: string }[];
      }[];
      timeout: number;
    }): Promise<unknown>;
  }
  interface BrokerPool {
    readonly brokers: Readonly<Record<string, ClusterBroker>>;
    /** What the last request for it brought; null before. */
    readonly metadata: ClusterMetadata | null;
    createBroker: (options: object) => ClusterBroker;
    /** The one that the configuration names, once it was connected to. */
    readonly seedBroker?: ClusterBroker;
    findBroker(options: { nodeId: number }): Promise<ClusterBroker>;
  }

  /** The brokers, what they know of the topics, and the connections to them. */
  class Cluster {
    constructor(
      options: Omit<KafkaConfig, 'logLevel' | 'logCreator'> & {
        logger: object;
        socketFactory: ISocketFactory;
        metadataMaxAge: number;
        allowAutoTopicCreation: boolean;
        maxInFlightRequests: number | null;
        isolationLevel: number;
      },
    );
    readonly brokerPool: BrokerPool;
    readonly targetTopics: ReadonlySet<string>;
    connect(): Promise<void>;
    addTargetTopic(topic: string): Promise<void>;
    refreshMetadata(): Promise<void>;
    removeBroker(address: { host: string; port: number }): void;
    refreshMetadataIfNecessary(): Promise<void>;
    findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[];
    findBroker(options: { nodeId: string }): Promise<ClusterBroker>;
    disconnect(): Promise<void>;
  }
  export default Cluster;
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net';
  import type { ProtocolRequest } from 'kafkajs/src/protocol/requests/index.js';

  class Connection {
    readonly socket: Socket;
    /** host:port */
    readonly broker: string;
    send(protocol: ProtocolRequest<unknown>): Promise<unknown>;
    /** Bytes, its length included, that the answer under way has in all. */
    readonly bytesNeeded: number;
    processData(data: Buffer): void;
  }
  export default Connection;
}
