/** The writer with all that the settings name: the brokers, the database, the dead-letter topic. */
import type { ResolvedSettings } from '../config/load.ts';
import { KafkaGroupConsumer } from '../kafka/group-consumer.ts';
import { KafkaProducer } from '../kafka/producer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { ensureSchema, openSink } from '../sink/open-sink.ts';
import { DeadLetters } from './dead-letters.ts';
import { Writer } from './writer.ts';

/** Connects to nothing yet; throws what is wrong with the settings or the files they name. */
export function openWriter(settings: ResolvedSettings, clock: Clock, log: Log): Writer {
  const { kafka, backoff } = settings;
  const producer = KafkaProducer.create(kafka, log, clock);
  const consumer = KafkaGroupConsumer.create({ settings: kafka, backoff, log, clock });
  const deadLetters = new DeadLetters({ topic: kafka.topic, producer, ensureTopic: async () => undefined, log });
  return new Writer(settings, {
    consumer,
    sink: openSink(settings, log),
    prepare: () => ensureSchema(settings, log, clock),
    deadLetters,
    close: () => producer.close(),
    clock,
    random: Math.random,
    log,
  });
}
