/**
 * kafkajs' cluster: the brokers, what they know of the topics, and the connections to them. It lies below kafkajs' own
 * producer and consumer, and is what remains where those don't fit.
 */
import Cluster from 'kafkajs/src/cluster/index.js';
import { createLogger } from 'kafkajs/src/loggers/index.js';
import type { KafkaConnection } from './connection.ts';
import { KAFKAJS_LOG_LEVEL } from './log.ts';

export interface ClusterOptions {
  /** How long what is known of the topics is believed, ms. */
  readonly metadataMaxAge: number;
  /** Whether a broker may make a topic that is asked for and missing. */
  readonly allowAutoTopicCreation: boolean;
}

/** Fetches leave out what an aborted transaction wrote. */
export const READ_COMMITTED = 1;

/** Connects to nothing yet. */
export function openCluster({ config }: KafkaConnection, options: ClusterOptions): Cluster {
  const { logCreator, socketFactory, ...rest } = config;
  if (logCreator === undefined || socketFactory === undefined) throw new TypeError('an incomplete configuration');
  return new Cluster({
    ...rest,
    ...options,
    logger: createLogger({ level: KAFKAJS_LOG_LEVEL, logCreator }),
    socketFactory,
    maxInFlightRequests: null,
    isolationLevel: READ_COMMITTED,
  });
}
