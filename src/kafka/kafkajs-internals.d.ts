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
    readonly buf: Buffer;
    readonly buffer: Buffer;
    offset: number;
    /** Makes room for this many bytes behind `offset`. */
    ensureAvailable(length: number): void;
    writeVarInt(value: number): this;
    writeUVarInt(value: number): Encoder;
    writeVarLong(value: unknown): Encoder;
    static sizeOfVarInt(value: number): number;
    static sizeOfVarLong(value: unknown): number;
  }
  export default Encoder;
}

declare module 'kafkajs/src/loggers/index.js' {
  import type { logCreator, logLevel } from 'kafkajs';

  export function createLogger(options: { level: logLevel; logCreator: logCreator }): object;
}

declare module 'kafkajs/src/cluster/index.js' {
  import type { ISocketFactory, KafkaConfig, PartitionMetadata } from 'kafkajs';

  export interface FetchedPartition {
    readonly partition: number;
    readonly highWatermark: string;
  }
  export interface ProducedMessage {
    readonly key: string;
    readonly value: string | Buffer;
    /** Kafka's timestamp, ms since the epoch. */
    readonly timestamp: string;
    readonly headers?: Readonly<Record<string, string | Buffer>>;
  }
  export interface PartitionRecords {
    readonly partition: number;
    readonly messages: readonly ProducedMessage[];
  }
  export interface ClusterBroker {
    /** Rejects with a protocol error if any partition refused. */
    produce(request: {
      acks: number;
      timeout: number;
      compression: number;
      topicData: readonly { topic: string; partitions: readonly PartitionRecords[] }[];
    }): Promise<unknown>;
    fetch(request: {
      replicaId: number;
      maxWaitTime: number;
      minBytes: number;
      maxBytes: number;
      isolationLevel: number;
      topics: readonly {
        topic: string;
        partitions: readonly { partition: number; fetchOffset: string; maxBytes: number }[];
      }[];
    }): Promise<{ responses: readonly { topicName: string; partitions: readonly FetchedPartition[] }[] }>;
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
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    addTargetTopic(topic: string): Promise<void>;
    refreshMetadata(): Promise<void>;
    refreshMetadataIfNecessary(): Promise<void>;
    findTopicPartitionMetadata(topic: string): PartitionMetadata[];
    findBroker(options: { nodeId: string }): Promise<ClusterBroker>;
    fetchTopicsOffset(
      topics: readonly { topic: string; partitions: readonly { partition: number }[]; fromBeginning: boolean }[],
    ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
  }
  export default Cluster;
}

declare module 'kafkajs/src/consumer/batch.js' {
  import type { KafkaMessage } from 'kafkajs';
  import type { FetchedPartition } from 'kafkajs/src/cluster/index.js';

  /** What one fetch brought of one partition, without what it must not show (earlier offsets, control records). */
  class Batch {
    constructor(topic: string, fetchedOffset: string, partitionData: FetchedPartition);
    readonly partition: number;
    readonly rawMessages: readonly KafkaMessage[];
    readonly messages: readonly KafkaMessage[];
    isEmptyIncludingFiltered(): boolean;
    lastOffset(): string;
  }
  export default Batch;
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net';

  class Connection {
    readonly socket: Socket;
    /** Bytes, its length included, that the answer under way has in all. */
    readonly bytesNeeded: number;
    processData(data: Buffer): void;
  }
  export default Connection;
}
