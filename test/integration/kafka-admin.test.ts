/** What the operator's commands ask of a real broker. */
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, it } from 'vitest';
import { KafkaAdmin } from '../../src/kafka/admin.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createTopic, withAdmin } from '../support/broker.ts';
import { kafkaSettings, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { GroupMember } from '../support/group-member.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import { freePort, hostAndPort, TcpProxy } from '../support/proxy.ts';

const { addresses, missing } = testBroker();
const { bootstrap, proxied, proxyTarget } = addresses;
const open: (() => unknown)[] = [];

function admin(brokers = bootstrap, more: Readonly<Record<string, unknown>> = {}): KafkaAdmin {
  const settings = kafkaSettings(brokers, { request_timeout: '3s', connect_timeout: '2s', ...more });
  const created = KafkaAdmin.create(settings, silentLog, new SystemClock());
  open.push(() => created.close());
  return created;
}

async function topicWith(values: readonly string[], partitions = 1): Promise<string> {
  const topic = uniqueTopic();
  await createTopic(bootstrap, topic, { partitions });
  const producer = KafkaProducer.create(kafkaSettings(bootstrap), silentLog, new SystemClock());
  for (const value of values) await producer.send(topic, [{ key: 'host-1', value }]);
  await producer.close();
  return topic;
}

describe.skipIf(missing !== undefined)(`what the operator asks of Kafka (${missing ?? bootstrap})`, () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((close) => close()));
  });

  it('tells partitions and bounds', async () => {
    const topic = await topicWith(['a', 'b', 'c', 'd']);
    await withAdmin(bootstrap, async (other) => {
      await other.fetchTopicOffsets(topic);
      await other.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] });
      await other.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    });
    await expect.poll(() => admin().partitions(topic)).toEqual([0, 1, 2]);
    expect(await admin().bounds(topic)).toEqual(
      new Map([
        [0, { start: 1, end: 4 }],
        [1, { start: 0, end: 0 }],
        [2, { start: 0, end: 0 }],
      ]),
    );
  });

  it('finds the offset at a time, and the message at an offset or after it', async () => {
    const topic = await topicWith(['a', 'b']);
    const between = Date.now() + 1;
    await expect.poll(() => Date.now() > between).toBe(true);
    const producer = KafkaProducer.create(kafkaSettings(bootstrap), silentLog, new SystemClock());
    await producer.send(topic, [{ key: 'host-1', value: 'c' }]);
    await producer.close();
    const asking = admin();
    expect(await asking.offsetsAt(topic, between)).toEqual(new Map([[0, 2]]));
    expect(await asking.offsetsAt(topic, 0)).toEqual(new Map([[0, 0]]));
    expect(await asking.offsetsAt(topic, Date.now() + 3_600_000)).toEqual(new Map());
    const found = await asking.messageAt(topic, 0, 1);
    expect(found).toMatchObject({ offset: 1, value: Buffer.from('b') });
    expect(Math.abs((found?.timestamp ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(await asking.messageAt(topic, 0, 3)).toBeUndefined();
    await withAdmin(bootstrap, async (other) => {
      await other.fetchTopicOffsets(topic);
      await other.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
    });
    expect(await asking.messageAt(topic, 0, 0)).toMatchObject({ offset: 2, value: Buffer.from('c') });
  });

  it('finds no message in what a transaction left behind', async () => {
    const topic = await topicWith([]);
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ transactionalId: `tx-${topic}`, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const end of ['abort', 'commit', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: `to ${end}` }] });
      await transaction[end]();
    }
    await producer.disconnect();
    const asking = admin();
    expect(await asking.messageAt(topic, 0, 0)).toMatchObject({ offset: 2, value: Buffer.from('to commit') });
    await expect.poll(async () => (await asking.bounds(topic)).get(0)).toEqual({ start: 0, end: 6 });
    expect(await asking.messageAt(topic, 0, 3)).toBeUndefined();
  });

  it('reads and sets what a group has committed, and who is in it', async () => {
    const topic = await topicWith(['a', 'b'], 2);
    const group = `group-of-${topic}`;
    const asking = admin();
    expect(await asking.committed(group, topic)).toEqual(new Map());
    expect(await asking.members(group)).toEqual({ state: 'Dead', members: [] });
    await asking.commit(group, topic, new Map([[1, 7]]));
    expect(await asking.committed(group, topic)).toEqual(new Map([[1, 7]]));
    expect(await asking.members(group)).toEqual({ state: 'Empty', members: [] });
    const member = GroupMember.start({ settings: kafkaSettings(bootstrap, { topic, group, client_id: 'writer-7' }) });
    open.push(() => member[Symbol.asyncDispose]());
    await expect.poll(() => member.partitions).toEqual([0, 1]);
    expect(await asking.members(group)).toEqual({
      state: 'Stable',
      members: [{ clientId: 'writer-7', host: '/127.0.0.1' }],
    });
    await expect(asking.commit(group, topic, new Map([[0, 0]]))).rejects.toMatchObject({
      code: 'KAFKA_GROUP_ACTIVE',
      hint: expect.any(String),
    });
    await member.stop();
    await asking.commit(group, topic, new Map([[0, 0]]));
    expect(await asking.committed(group, topic)).toEqual(
      new Map([
        [0, 0],
        [1, 7],
      ]),
    );
  });

  it('makes a topic where it is missing, once', async () => {
    const topic = uniqueTopic();
    const asking = admin();
    const wanted = { partitions: 2, config: { 'retention.ms': '1234567' } };
    expect(await asking.ensureTopic(topic, wanted)).toBe(true);
    expect(await asking.partitions(topic)).toEqual([0, 1]);
    expect(await asking.bounds(topic)).toEqual(
      new Map([
        [0, { start: 0, end: 0 }],
        [1, { start: 0, end: 0 }],
      ]),
    );
    expect(await asking.ensureTopic(topic, { partitions: 5, config: {} })).toBe(false);
    const { resources } = await withAdmin(bootstrap, (other) =>
      other.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic }] }),
    );
    expect(resources[0]?.configEntries.find(({ configName }) => configName === 'retention.ms')).toMatchObject({
      configValue: '1234567',
    });
    const another = uniqueTopic();
    const made = await Promise.all([admin(), admin(), admin()].map((each) => each.ensureTopic(another, wanted)));
    expect(made).toContain(true);
    expect(await asking.partitions(another)).toEqual([0, 1]);
  });

  it('says what is wrong with a topic, a group or the brokers', async () => {
    const asking = admin();
    await expect(asking.bounds('no-such-topic')).rejects.toMatchObject({ code: 'KAFKA_UNKNOWN_TOPIC' });
    await expect(asking.ensureTopic('no/topic', { partitions: 1, config: {} })).rejects.toMatchObject({
      code: 'KAFKA_INVALID_TOPIC',
      message: expect.stringContaining('no/topic'),
    });
    await expect(
      asking.ensureTopic(uniqueTopic(), { partitions: 1, config: { 'retention.ms': 'soon' } }),
    ).rejects.toMatchObject({ code: 'KAFKA_OTHER', message: expect.stringContaining('INVALID_CONFIG') });
    await expect(admin(`127.0.0.1:${await freePort()}`).members('any')).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
    });
  });

  it('knows a group though the topic is missing', async () => {
    expect(await admin(bootstrap, { topic: 'no-such-topic' }).members('nobody')).toEqual({
      state: 'Dead',
      members: [],
    });
  });

  it('gives up in time when nothing comes back, and is well again after', async () => {
    const topic = await topicWith(['a']);
    await using proxy = await TcpProxy.listen({ port: hostAndPort(proxied).port, target: proxyTarget });
    const asking = admin(proxied, { request_timeout: '1s', connect_timeout: '1s' });
    expect(await asking.partitions(topic)).toEqual([0]);
    proxy.stall('toClient');
    const began = performance.now();
    await expect(asking.bounds(topic)).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT', retryable: true });
    await expect(asking.bounds(topic)).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
    expect(performance.now() - began).toBeLessThan(8000);
    proxy.resume();
    expect(await asking.bounds(topic)).toEqual(new Map([[0, { start: 0, end: 1 }]]));
    asking.close();
    await expect(asking.bounds(topic)).rejects.toMatchObject({ code: 'KAFKA_ABORTED' });
  });

  it('says so where a right is missing', async () => {
    await using guarded = await GuardedBroker.start();
    await guarded.broker.createTopic('t');
    const asking = admin(guarded.bootstrap, { topic: 't', ...guarded.login });
    await expect(asking.bounds('t')).rejects.toMatchObject({ code: 'KAFKA_AUTHORIZATION' });
    await expect(asking.ensureTopic('t.dlq', { partitions: 1, config: {} })).rejects.toMatchObject({
      code: 'KAFKA_AUTHORIZATION',
      message: expect.stringContaining('t.dlq'),
    });
    await expect(asking.members('writers')).rejects.toMatchObject({
      code: 'KAFKA_AUTHORIZATION',
      message: expect.stringContaining('group writers'),
    });
  });
});
