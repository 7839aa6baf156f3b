/** kafkajs' cluster, on sockets that can be ended for certain, with the habits of this room: one attempt, no waiting. */
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Settings } from '../config/schema.ts';
import type { Log } from '../lib/log.ts';
import type { KafkaAccess } from './access.ts';
import { openCluster } from './cluster.ts';
import { KafkaConnection } from './connection.ts';
import { askMetadataTolerantly } from './metadata-request.ts';

export interface Link {
  readonly connection: KafkaConnection;
  readonly cluster: Cluster;
}

/** Connects to nothing yet. */
export function openLink(settings: Settings['kafka'], access: KafkaAccess, log: Log, firstBroker: number): Link {
  const connection = KafkaConnection.open({ settings, access, log, firstBroker });
  const cluster = openCluster(connection, { metadataMaxAge: Number.POSITIVE_INFINITY, allowAutoTopicCreation: false });
  askMetadataTolerantly(cluster, 'reading');
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
