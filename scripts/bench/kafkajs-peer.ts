/** Sends so many samples in batches of 500 by kafkajs' own producer, and ends: `node kafkajs-peer.ts brokers topic count`. */
import kafkajs, { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import snappyCodec from 'kafkajs-snappy';
import { quietIdleConnections } from '../../src/kafka/idle-timer.ts';
import { fleetSamples } from '../../test/support/fleet.ts';

const [, , bootstrap = '', topic = '', count = '0'] = process.argv;
const BATCH = 500;

quietIdleConnections();

kafkajs.CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
const kafka = new Kafka({ clientId: 'peer', brokers: [bootstrap], logLevel: logLevel.NOTHING });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
// One batch, made before and sent again and again: the peer is charged for sending alone.
const messages = [...fleetSamples(1, BATCH)];
await producer.connect();
for (let sent = 0; sent < Number(count); sent += BATCH) {
  await producer.send({ topic, messages, acks: -1, compression: CompressionTypes.Snappy });
}
await producer.disconnect();
