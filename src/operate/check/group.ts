/** What a writer needs of Kafka beside the topic: its consumer group, and the topic of its dead letters. */
import { HostspoolError } from '../../lib/errors.ts';
import { formatDuration } from '../../lib/units.ts';
import { deadLetterTopic } from '../../sample/dead-letter.ts';
import type { BrokerChecks } from './brokers.ts';
import { type Check, failed, type Outcome, ok, unknown, warning } from './check.ts';
import type { CheckContext } from './context.ts';

const SESSION_LIMITS = ['group.min.session.timeout.ms', 'group.max.session.timeout.ms'] as const;

export function groupChecks({ settings: { kafka }, brokerLimit }: CheckContext, brokers: BrokerChecks): Check[] {
  const common = { limit: 4 * brokerLimit, waitsFor: 'the brokers', needs: ['cluster'] };
  const { group, session_timeout, topic } = kafka;
  return [
    { ...common, name: 'group', run: () => checkGroup(group, session_timeout, brokers) },
    { ...common, name: 'dead_letters', run: () => checkDeadLetters(deadLetterTopic(topic), brokers) },
  ];
}

async function checkGroup(group: string, sessionTimeout: number, brokers: BrokerChecks): Promise<Outcome> {
  const { rights, state, members } = await brokers.session.group(group);
  if (rights !== undefined && !rights.may('read')) {
    const finding = `this user may not read with group ${group}`;
    return failed('KAFKA_AUTHORIZATION', finding, 'grant it Read on the group', { group });
  }
  const limits = await sessionLimits(brokers);
  const detail = { group, state, members };
  if (limits !== undefined && (sessionTimeout < limits.least || sessionTimeout > limits.most)) {
    const allowed = `${formatDuration(limits.least)} to ${formatDuration(limits.most)}`;
    const finding = `kafka.session_timeout is ${formatDuration(sessionTimeout)}, and the brokers allow ${allowed}`;
    return failed('KAFKA_SESSION_TIMEOUT', finding, 'set kafka.session_timeout within that', detail);
  }
  if (rights === undefined) return unknown(`the brokers do not tell whether this user may read with ${group}`, detail);
  return ok(`${group} has ${members} members now; this user may join`, detail);
}

/** undefined: this user may not know. */
async function sessionLimits(brokers: BrokerChecks): Promise<{ least: number; most: number } | undefined> {
  try {
    const [first] = (await brokers.session.cluster()).brokers;
    const found = await brokers.session.brokerSettings(first?.nodeId ?? 0, SESSION_LIMITS);
    const [least, most] = SESSION_LIMITS.map((name) => Number(found.get(name) ?? Number.NaN));
    if (least === undefined || most === undefined || !(least <= most)) return undefined;
    return { least, most };
  } catch (error) {
    if (error instanceof HostspoolError && error.code === 'KAFKA_AUTHORIZATION') return undefined;
    throw error;
  }
}

async function checkDeadLetters(topic: string, brokers: BrokerChecks): Promise<Outcome> {
  try {
    const { rights } = await brokers.session.topic(topic);
    if (rights === undefined) return unknown(`the brokers do not tell whether this user may write to ${topic}`);
    if (rights.may('write')) return ok(`${topic} exists, and this user may write to it`, { exists: true });
    const finding = `this user may not write to ${topic}: the first message that can't become a row would stop the writer`;
    return failed('KAFKA_AUTHORIZATION', finding, 'grant it Write (and Describe) on the topic', { exists: true });
  } catch (error) {
    if (!(error instanceof HostspoolError) || error.code !== 'KAFKA_UNKNOWN_TOPIC') throw error;
  }
  const { rights } = await brokers.session.cluster();
  const detail = { exists: false };
  if (rights?.may('create') === true) return ok(`${topic} is not there yet; this user may make it`, detail);
  const finding = `${topic} is not there, and this user may not make topics in general`;
  const hint = 'make it (one partition, a long retention), or grant Create on that name';
  return warning('KAFKA_UNKNOWN_TOPIC', finding, hint, detail);
}
