/** The writer with all that the settings name: the brokers, the database, the dead-letter topic. */
import type { ResolvedSettings } from '../config/load.ts';
import { KafkaAccess } from '../kafka/access.ts';
import { KafkaAdmin } from '../kafka/admin.ts';
import { KafkaGroupConsumer } from '../kafka/group-consumer.ts';
import { KafkaProducer } from '../kafka/producer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { ensureSchema, openSink } from '../sink/open-sink.ts';
import { DeadLetters } from './dead-letters.ts';
import { Renewing } from './renewing.ts';
import { Writer } from './writer.ts';

/** Messages here may be the last copy of what they tell, and there are few. */
const DEAD_LETTERS = { partitions: 1, config: { 'retention.ms': String(90 * 86_400_000) } };

/** Connects to nothing yet; throws what is wrong with the settings or the files they name. */
export function openWriter(settings: ResolvedSettings, clock: Clock, log: Log): Writer {
  const { kafka, backoff } = settings;
  const access = new KafkaAccess(kafka, log);
  const producer = KafkaProducer.create(kafka, log, clock, access);
  const consumer = KafkaGroupConsumer.create({ settings: kafka, access, backoff, log, clock });
  const admin = KafkaAdmin.create(kafka, log, clock, access);
  const ensureTopic = async (topic: string) => {
    const isNew = await admin.ensureTopic(topic, DEAD_LETTERS);
    if (isNew) log.info({ event: 'dead_letter_topic_made', topic });
  };
  const deadLetters = new DeadLetters({ topic: kafka.topic, producer, ensureTopic, log });
  const sink = openSink(settings, log);
  const prepare = async () => {
    await ensureSchema(settings, log, clock);
    // The first thing that every session asks: what is wrong with the database shows before the group is joined.
    await sink.readOffsets({ group: kafka.group, topic: kafka.topic }, []);
  };
  return new Writer(settings, {
    consumer,
    sink,
    prepare,
    renewing: new Renewing(access, sink),
    deadLetters,
    close: async () => {
      admin.close();
      await producer.close();
    },
    clock,
    random: Math.random,
    log,
  });
}
