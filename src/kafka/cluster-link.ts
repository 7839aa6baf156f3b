/** kafkajs' cluster, on sockets that can be ended for certain, with the habits of this room: one attempt, no waiting. */
import Cluster from 'kafkajs/src/cluster/index.js';
import { createLogger } from 'kafkajs/src/loggers/index.js';
import type { Settings } from '../config/schema.ts';
import type { Log } from '../lib/log.ts';
import { KafkaConnection } from './connection.ts';
import { KAFKAJS_LOG_LEVEL } from './log.ts';
import { askMetadataTolerantly } from './metadata-request.ts';

export interface Link {
  readonly connection: KafkaConnection;
  readonly cluster: Cluster;
}

const READ_COMMITTED = 1;

/** Connects to nothing yet. */
export function openLink(settings: Settings['kafka'], log: Log, firstBroker: number): Link {
  const connection = KafkaConnection.open({ settings, log, firstBroker });
  const { logCreator, socketFactory, ...config } = connection.config;
  if (logCreator === undefined || socketFactory === undefined) throw new TypeError('an incomplete configuration');
  const cluster = new Cluster({
    ...config,
    logger: createLogger({ level: KAFKAJS_LOG_LEVEL, logCreator }),
    socketFactory,
    metadataMaxAge: Number.POSITIVE_INFINITY,
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
    isolationLevel: READ_COMMITTED,
  });
  askMetadataTolerantly(cluster);
  return { connection, cluster };
}

/** Ends the connections to a broker; the next metadata brings it back with new ones. */
export function forgetBroker(cluster: Cluster, node: number): void {
  const broker = cluster.brokerPool.brokers[node];
  if (broker === undefined) return;
  const { host, port, pool } = broker.connectionPool;
  for (const { socket } of pool) socket?.destroy(new Error('the connection was given up'));
  cluster.removeBroker({ host, port });
}
