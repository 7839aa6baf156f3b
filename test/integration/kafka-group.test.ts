/** Members of a consumer group against a real broker: who reads what, and that everything is read once. */
import { afterEach, describe, expect, it } from 'vitest';
import type { GroupSession } from '../../src/kafka/log-session.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createTopic, withAdmin } from '../support/broker.ts';
import { kafkaSettings, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { areSettled, GroupMember, Loaded, type MemberOptions } from '../support/group-member.ts';

const { addresses, missing } = testBroker();
const { bootstrap } = addresses;

const open: (() => Promise<unknown>)[] = [];

function settingsFor(topic: string, more: Readonly<Record<string, unknown>> = {}) {
  return kafkaSettings(bootstrap, { topic, group: `group-of-${topic}`, session_timeout: '10s', ...more });
}

function join(topic: string, options: Partial<MemberOptions> = {}): GroupMember {
  const member = GroupMember.start({ settings: settingsFor(topic), ...options });
  open.push(() => member[Symbol.asyncDispose]());
  return member;
}

/** A reader that does not look up before something is done. */
const busyUntil = (done: Promise<void>) => async (session: GroupSession, member: GroupMember) => {
  await done;
  await session.fetch(member);
};

async function topicOf(partitions: number): Promise<string> {
  const topic = uniqueTopic();
  await createTopic(bootstrap, topic, { partitions });
  return topic;
}

function numbered(first: number, count: number) {
  return Array.from({ length: count }, (_, n) => ({ key: `host-${(first + n) % 17}`, value: `value ${first + n}` }));
}

const valuesOf = (messages: readonly { value: string }[]) => messages.map(({ value }) => value).sort();

describe.skipIf(missing !== undefined)(`a consumer group (${missing ?? bootstrap})`, () => {
  const sender = (compression = 'snappy') => {
    const created = KafkaProducer.create(kafkaSettings(bootstrap, { compression }), silentLog, new SystemClock());
    open.push(() => created.close());
    return created;
  };

  afterEach(async () => {
    await Promise.all(open.splice(0).map((close) => close()));
  });

  it('gives everything to its only member, once and in order', async () => {
    const topic = await topicOf(4);
    const producer = sender();
    await producer.send(topic, numbered(0, 500));
    const member = join(topic);
    await expect.poll(() => member.loaded.messages.length).toBe(500);
    await producer.send(topic, numbered(500, 500));
    await expect.poll(() => member.loaded.messages.length).toBe(1000);
    expect(member.loaded.values.sort()).toEqual(valuesOf(numbered(0, 1000)));
    expect(member.loaded.refused).toBe(0);
    for (const partition of [0, 1, 2, 3]) {
      const offsets = member.loaded.messages.filter((each) => each.partition === partition).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
      expect(member.batches.filter((batch) => batch.partition === partition).at(-1)).toMatchObject({
        next: offsets.length,
        end: offsets.length,
      });
    }
    expect(member.sessions).toHaveLength(1);
    expect(member.partitions).toEqual([0, 1, 2, 3]);
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('reads what was sent with codec %s', async (codec) => {
    const topic = await topicOf(2);
    const producer = sender(codec);
    const key = 'host-1';
    const headers = { reason: 'because', raw: Buffer.from([0, 255]) };
    for (let n = 0; n < 4; n++) await producer.send(topic, numbered(n * 200, 200));
    await producer.send(topic, [{ key, value: 'ü'.repeat(100_000), headers }]);
    const member = join(topic);
    await expect.poll(() => member.loaded.messages.length).toBe(801);
    expect(member.loaded.values.sort()).toEqual([...valuesOf(numbered(0, 800)), 'ü'.repeat(100_000)].sort());
    const last = member.loaded.messages.find(({ value }) => (value?.length ?? 0) > 1000);
    expect(last?.key?.toString()).toBe(key);
    expect(last?.headers).toEqual({ reason: [Buffer.from('because')], raw: [Buffer.from([0, 255])] });
    expect(Math.abs(Date.now() - (last?.timestamp ?? 0))).toBeLessThan(60_000);
  });

  it('shares its partitions between members that come and go, none at two of them and none left out', async () => {
    const topic = await topicOf(7);
    const producer = sender();
    const loaded = new Loaded();
    const settings = settingsFor(topic, { session_timeout: '3s' });
    const members = [join(topic, { loaded, settings })];
    let sent = 0;
    const send = async () => {
      await producer.send(topic, numbered(sent, 100));
      sent += 100;
    };
    const settle = async () => {
      await send();
      await expect.poll(() => areSettled(members, 7), { timeout: 30_000 }).toBe(true);
      await send();
      await expect.poll(() => loaded.messages.length, { timeout: 30_000 }).toBe(sent);
    };
    await settle();
    members.push(join(topic, { loaded, settings }), join(topic, { loaded, settings }));
    await settle();
    expect(members.map(({ partitions }) => partitions.length).sort()).toEqual([2, 2, 3]);
    await members.shift()?.stop();
    await settle();
    members.push(join(topic, { loaded, settings }));
    await settle();
    await Promise.all(members.splice(0, 2).map((member) => member.stop()));
    await settle();
    expect(loaded.values.sort()).toEqual(valuesOf(numbered(0, sent)));
  });

  it('leaves to each member what it had, as far as it is no more than its share', async () => {
    const topic = await topicOf(12);
    const members = [join(topic), join(topic), join(topic), join(topic)];
    await expect.poll(() => areSettled(members, 12), { timeout: 30_000 }).toBe(true);
    for (let round = 0; round < 3; round++) {
      const before = new Map(members.map((member) => [member, member.partitions]));
      await members.splice(round, 1)[0]?.stop();
      await expect.poll(() => areSettled(members, 12), { timeout: 30_000 }).toBe(true);
      for (const member of members)
        expect(member.partitions).toEqual(expect.arrayContaining([...(before.get(member) ?? [])]));
      const among3 = new Map(members.map((member) => [member, member.partitions]));
      members.push(join(topic));
      await expect.poll(() => areSettled(members, 12), { timeout: 30_000 }).toBe(true);
      for (const member of members.slice(0, 3))
        expect(among3.get(member)).toEqual(expect.arrayContaining([...member.partitions]));
    }
  });

  it('never gives a partition to two members in one generation, whoever comes and goes meanwhile', async () => {
    const topic = await topicOf(5);
    const loaded = new Loaded();
    const all: GroupMember[] = [];
    const settings = settingsFor(topic, { session_timeout: '3s' });
    for (let n = 0; n < 6; n++) {
      all.push(join(topic, { loaded, settings }));
      if (n >= 2) await all[n - 2]?.stop();
    }
    await expect.poll(() => areSettled(all.slice(-2), 5), { timeout: 30_000 }).toBe(true);
    const sessions = all.flatMap((member) => member.sessions.map(({ session }) => session));
    for (const [generation, ofIt] of Map.groupBy(sessions, (session) => session.generation)) {
      const held = ofIt.flatMap((session) => session.partitions);
      expect(new Set(held).size, `generation ${generation}`).toBe(held.length);
    }
  });

  it('keeps a member whose reader is busy for longer than the session timeout', async () => {
    const topic = await topicOf(2);
    const release = Promise.withResolvers<void>();
    const member = join(topic, {
      settings: settingsFor(topic, { session_timeout: '1s' }),
      use: busyUntil(release.promise),
    });
    await expect.poll(() => member.session !== undefined).toBe(true);
    const began = performance.now();
    await expect.poll(() => performance.now() - began > 4000, { timeout: 10_000 }).toBe(true);
    expect(member.session?.generation).toBe(1);
    const { groups } = await withAdmin(bootstrap, (admin) => admin.describeGroups([`group-of-${topic}`]));
    expect(groups[0]).toMatchObject({ state: 'Stable', members: [expect.anything()] });
    release.resolve();
  });

  it('waits for the members that still work when it is rebalanced, and no longer than the session timeout', async () => {
    const topic = await topicOf(2);
    const settings = settingsFor(topic, { session_timeout: '2s' });
    const release = Promise.withResolvers<void>();
    const slow = join(topic, { settings, use: busyUntil(release.promise) });
    await expect.poll(() => slow.session !== undefined).toBe(true);
    const other = join(topic, { settings });
    await expect.poll(() => slow.session === undefined, { timeout: 10_000 }).toBe(true);
    // The group does not wait for ever: the other one gets all, by another generation.
    await expect.poll(() => other.partitions, { timeout: 20_000 }).toEqual([0, 1]);
    release.resolve();
    await expect.poll(() => areSettled([slow, other], 2), { timeout: 20_000 }).toBe(true);
  });

  it('lets the others take over at once when a member stops', async () => {
    const topic = await topicOf(2);
    const settings = settingsFor(topic, { session_timeout: '30s' });
    const first = join(topic, { settings });
    const second = join(topic, { settings });
    await expect.poll(() => areSettled([first, second], 2), { timeout: 20_000 }).toBe(true);
    const stoppedAt = performance.now();
    await first.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
    await expect.poll(() => second.partitions, { timeout: 10_000 }).toEqual([0, 1]);
    expect(performance.now() - stoppedAt).toBeLessThan(15_000);
  });

  it('stops while it waits for the other members, and leaves no ghost', async () => {
    const topic = await topicOf(2);
    const settings = settingsFor(topic, { session_timeout: '20s' });
    const release = Promise.withResolvers<void>();
    const busy = join(topic, { settings, use: busyUntil(release.promise) });
    await expect.poll(() => busy.session !== undefined).toBe(true);
    const waiting = join(topic, { settings });
    await expect.poll(() => busy.session === undefined, { timeout: 10_000 }).toBe(true);
    await waiting.stop();
    release.resolve();
    await expect.poll(() => busy.partitions, { timeout: 10_000 }).toEqual([0, 1]);
  });

  it('joins again when its reader gives a session back, and not in a circle without a rest', async () => {
    const topic = await topicOf(1);
    const member = join(topic, { use: async () => undefined, backoff: { base: 200, cap: 2000 }, random: () => 0.5 });
    await expect.poll(() => member.sessions.length, { timeout: 20_000 }).toBeGreaterThan(3);
    const [first, , , fourth] = member.sessions;
    expect((fourth?.endedAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThan(100);
  });

  it('leaves the group and throws on what its reader throws', async () => {
    const topic = await topicOf(1);
    const member = join(topic, {
      use: async () => {
        throw new Error('the reader failed');
      },
    });
    await expect(member.ended).rejects.toThrow('the reader failed');
    const { groups } = await withAdmin(bootstrap, (admin) => admin.describeGroups([`group-of-${topic}`]));
    expect(groups[0]?.members).toEqual([]);
  });

  it('comes together anew when the topic gets more partitions', async () => {
    const topic = await topicOf(2);
    const loaded = new Loaded();
    const members = [join(topic, { loaded, metadataMaxAge: 200 }), join(topic, { loaded, metadataMaxAge: 200 })];
    await expect.poll(() => areSettled(members, 2), { timeout: 20_000 }).toBe(true);
    await withAdmin(bootstrap, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] }));
    await expect.poll(() => areSettled(members, 5), { timeout: 20_000 }).toBe(true);
    await sender().send(topic, numbered(0, 200));
    await expect.poll(() => loaded.messages.length).toBe(200);
  });

  it('comes together anew when the topic is made anew with fewer, and hears which there are', async () => {
    const topic = await topicOf(3);
    const member = join(topic, { metadataMaxAge: 200 });
    await expect.poll(() => member.partitions, { timeout: 20_000 }).toEqual([0, 1, 2]);
    expect(await member.session?.topicPartitions()).toEqual([0, 1, 2]);
    await withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [topic] }));
    await expect
      .poll(
        () =>
          createTopic(bootstrap, topic).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    await expect.poll(() => member.partitions, { timeout: 20_000 }).toEqual([0]);
    expect(await member.session?.topicPartitions()).toEqual([0]);
  });

  it('gives partitions to as many members as there are, and nothing to the rest', async () => {
    const topic = await topicOf(1);
    const members = [join(topic), join(topic), join(topic)];
    await expect.poll(() => areSettled(members, 1), { timeout: 20_000 }).toBe(true);
    expect(members.map(({ partitions }) => partitions.length).sort()).toEqual([0, 0, 1]);
  });

  it('waits for a topic that is not there, says so once, and reads it when it is made', async () => {
    const topic = uniqueTopic();
    const member = join(topic);
    await expect.poll(() => member.events('group_join_failed').length, { timeout: 20_000 }).toBeGreaterThan(3);
    await createTopic(bootstrap, topic, { partitions: 2 });
    await sender().send(topic, numbered(0, 10));
    await expect.poll(() => member.loaded.messages.length, { timeout: 20_000 }).toBe(10);
    const missingTopic = member
      .events('group_join_failed')
      .filter(({ level, err }) => level !== 'debug' && (err as { code: string }).code === 'KAFKA_UNKNOWN_TOPIC');
    expect(missingTopic).toHaveLength(1);
    expect(missingTopic[0]).toMatchObject({ level: 'warn' });
  });

  it('commits for those who look at lag, and refuses to for a generation that is over', async () => {
    const topic = await topicOf(2);
    await sender().send(topic, numbered(0, 100));
    const member = join(topic);
    await expect.poll(() => member.loaded.messages.length).toBe(100);
    const { session } = member;
    await session?.commit(member.loaded.next);
    const [committed] = await withAdmin(bootstrap, (admin) =>
      admin.fetchOffsets({ groupId: `group-of-${topic}`, topics: [topic] }),
    );
    const offsets = committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const);
    expect(new Map(offsets)).toEqual(member.loaded.next);
    join(topic);
    await expect.poll(() => member.sessions.length, { timeout: 20_000 }).toBe(2);
    await expect.poll(() => member.session !== undefined, { timeout: 20_000 }).toBe(true);
    await expect(session?.commit(member.loaded.next)).rejects.toMatchObject({ code: 'KAFKA_GROUP_UNSETTLED' });
  });

  it('is told by name when other programs are in its group, and gets in when they are gone', async () => {
    const topic = await topicOf(1);
    const { Kafka, logLevel } = await import('kafkajs');
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
    const foreign = kafka.consumer({ groupId: `group-of-${topic}`, maxWaitTimeInMs: 200 });
    await foreign.connect();
    await foreign.subscribe({ topic });
    await foreign.run({ eachMessage: async () => undefined });
    const groupIsThere = () => withAdmin(bootstrap, (admin) => admin.describeGroups([`group-of-${topic}`]));
    await expect.poll(async () => (await groupIsThere()).groups[0]?.state, { timeout: 20_000 }).toBe('Stable');
    const member = join(topic);
    await expect.poll(() => member.events('group_join_failed').length, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(member.events('group_join_failed')[0]).toMatchObject({
      level: 'error',
      err: { code: 'KAFKA_GROUP_FOREIGN', hint: expect.stringContaining('kafka.group') },
    });
    await foreign.disconnect();
    await expect.poll(() => member.partitions, { timeout: 20_000 }).toEqual([0]);
  });

  it('says which session timeouts the brokers allow it', async () => {
    const topic = await topicOf(1);
    const member = join(topic, { settings: { ...settingsFor(topic), session_timeout: 500 } });
    await expect.poll(() => member.events('group_join_failed').length, { timeout: 20_000 }).toBeGreaterThan(1);
    expect(member.events('group_join_failed').at(-1)).toMatchObject({
      level: 'error',
      err: { code: 'KAFKA_SESSION_TIMEOUT' },
    });
  });
});
