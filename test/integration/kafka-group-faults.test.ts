/** A consumer group while things go wrong: connections, brokers, processes, topics. */

import { createHook } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import { open as openFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../src/config/schema.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Broker, createTopic, withAdmin } from '../support/broker.ts';
import { kafkaSettings, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { areSettled, GroupMember, Loaded, type MemberOptions } from '../support/group-member.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import { hostAndPort, TcpProxy } from '../support/proxy.ts';

const { addresses, missing } = testBroker();
const { bootstrap, proxied, proxyTarget } = addresses;
const LONG = { timeout: 40_000 };

const open: (() => Promise<unknown>)[] = [];

function settingsFor(topic: string, more: Readonly<Record<string, unknown>> = {}, brokers = bootstrap) {
  return kafkaSettings(brokers, { topic, group: `group-of-${topic}`, session_timeout: '10s', ...more });
}

function join(settings: Settings['kafka'], options: Partial<MemberOptions> = {}): GroupMember {
  const member = GroupMember.start({ settings, ...options });
  open.push(() => member[Symbol.asyncDispose]());
  return member;
}

async function topicOf(partitions: number, config: Readonly<Record<string, string>> = {}): Promise<string> {
  const topic = uniqueTopic();
  await createTopic(bootstrap, topic, { partitions, config });
  return topic;
}

function numbered(first: number, count: number) {
  return Array.from({ length: count }, (_, n) => ({ key: `host-${(first + n) % 17}`, value: `value ${first + n}` }));
}

const valuesOf = (messages: readonly { value: string }[]) => messages.map(({ value }) => value).sort();

function sender(brokers = bootstrap): KafkaProducer {
  const created = KafkaProducer.create(kafkaSettings(brokers), silentLog, new SystemClock());
  open.push(() => created.close());
  return created;
}

interface Said {
  readonly session?: number;
  readonly partitions?: readonly number[];
  readonly ended?: number;
  readonly partition?: number;
  readonly next?: number;
}

/** A member in a process of its own. */
function spawnMember(settings: Settings['kafka']): { child: ChildProcess; said: Said[] } {
  const script = joinPath(import.meta.dirname, '../support/group-process.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: Said[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => said.push(JSON.parse(line)));
  open.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
  });
  return { child, said };
}

describe.skipIf(missing !== undefined)(`a consumer group in trouble (${missing ?? bootstrap})`, () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((close) => close()));
  });

  it('goes on in the same session after its connections were cut', async () => {
    const topic = await topicOf(3);
    await using proxy = await TcpProxy.listen({ port: hostAndPort(proxied).port, target: proxyTarget });
    const member = join(settingsFor(topic, {}, proxied));
    const producer = sender();
    for (let n = 0; n < 5; n++) {
      await producer.send(topic, numbered(n * 100, 100));
      await expect.poll(() => member.loaded.messages.length, LONG).toBe((n + 1) * 100);
      proxy.cut();
    }
    expect(member.loaded.values.sort()).toEqual(valuesOf(numbered(0, 500)));
    expect(member.sessions).toHaveLength(1);
    expect(member.session).toBeDefined();
    expect(member.failures[0]).toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
    expect(member.events('fetch_failed')[0]).toMatchObject({
      level: 'warn',
      next_attempt_in_ms: expect.any(Number),
    });
  });

  it('never stalls in silence on a half-open connection', async () => {
    const topic = await topicOf(2);
    await using proxy = await TcpProxy.listen({ port: hostAndPort(proxied).port, target: proxyTarget });
    const member = join(settingsFor(topic, { request_timeout: '500ms', session_timeout: '60s' }, proxied));
    const producer = sender();
    await producer.send(topic, numbered(0, 50));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(50);
    proxy.stall('toClient');
    await producer.send(topic, numbered(50, 50));
    const accepted = proxy.accepted;
    // It has given the connection up and tried others, which stall as well.
    await expect.poll(() => proxy.accepted, LONG).toBeGreaterThan(accepted + 1);
    expect(member.failures.map(({ code }) => code)).toContain('KAFKA_TIMEOUT');
    proxy.resume();
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(100);
    expect(member.sessions).toHaveLength(1);
  });

  it('ends its session when the coordinator was out of reach for the session timeout', async () => {
    const topic = await topicOf(1);
    await using proxy = await TcpProxy.listen({ port: hostAndPort(proxied).port, target: proxyTarget });
    const member = join(settingsFor(topic, { session_timeout: '2s' }, proxied));
    await expect.poll(() => member.session !== undefined, LONG).toBe(true);
    await proxy.refuse();
    proxy.cut();
    await expect.poll(() => member.session, LONG).toBeUndefined();
    expect(member.events('group_session_ended')).toMatchObject([{ reason: 'coordinator_lost' }]);
    await expect.poll(() => member.events('group_join_failed').length, LONG).toBeGreaterThan(1);
    expect(member.events('group_join_failed')[0]).toMatchObject({
      level: 'warn',
      err: { code: 'KAFKA_UNREACHABLE' },
      next_attempt_in_ms: expect.any(Number),
    });
    await proxy.accept();
    await sender().send(topic, numbered(0, 10));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(10);
  });

  it('stops promptly while the brokers are away, and while they say nothing', async () => {
    const topic = await topicOf(1);
    await using proxy = await TcpProxy.listen({ port: hostAndPort(proxied).port, target: proxyTarget });
    for (const trouble of ['refuse', 'stall'] as const) {
      const member = join(settingsFor(topic, { group: `${topic}-${trouble}` }, proxied));
      await expect.poll(() => member.session !== undefined, LONG).toBe(true);
      if (trouble === 'stall') proxy.stall();
      else {
        await proxy.refuse();
        proxy.cut();
      }
      const stoppedAt = performance.now();
      await member.stop();
      expect(performance.now() - stoppedAt).toBeLessThan(15_000);
      proxy.resume();
      await proxy.accept();
    }
  });

  it('takes over from a member that was killed, within the session timeout', async () => {
    const topic = await topicOf(2);
    const settings = settingsFor(topic, { session_timeout: '2s' });
    const { child, said } = spawnMember(settings);
    await expect.poll(() => said.length, LONG).toBeGreaterThan(0);
    const member = join(settings);
    await expect.poll(() => member.partitions.length, LONG).toBe(1);
    child.kill('SIGKILL');
    await expect.poll(() => member.partitions, LONG).toEqual([0, 1]);
  });

  it('knows after a long stop of its process that its session is over, and takes nothing for it any more', async () => {
    const topic = await topicOf(1);
    const settings = settingsFor(topic, { session_timeout: '1s' });
    const { child, said } = spawnMember(settings);
    await expect.poll(() => said.some(({ session }) => session !== undefined), LONG).toBe(true);
    const producer = sender();
    await producer.send(topic, numbered(0, 10));
    await expect.poll(() => said.some(({ next }) => next === 10), LONG).toBe(true);
    child.kill('SIGSTOP');
    const member = join(settings);
    await expect.poll(() => member.partitions, LONG).toEqual([0]);
    await producer.send(topic, numbered(10, 10));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(20);
    const before = said.length;
    child.kill('SIGCONT');
    await expect.poll(() => said.length, LONG).toBeGreaterThan(before);
    expect(said[before]).toEqual({ ended: said[0]?.session });
    // It is a member again, of another generation.
    await expect
      .poll(() => said.slice(before).some(({ session = 0 }) => session > (said[0]?.session ?? 0)), LONG)
      .toBe(true);
  });

  it('tells what lies out of range, with the bounds of the log, and rests when it is not answered', async () => {
    const topic = await topicOf(1);
    await sender().send(topic, numbered(0, 100));
    await withAdmin(bootstrap, async (admin) => {
      // It deletes only where it knows the topic already.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '40' }] });
    });
    const member = join(settingsFor(topic));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(60);
    expect(member.outOfRanges).toEqual([{ partition: 0, position: 0, bounds: { start: 40, end: 100 } }]);
    // Beyond the end, and the reader insists on it.
    const told: number[] = [];
    const stubborn = join(settingsFor(topic, { group: `${topic}-2` }), {
      random: () => 0.5,
      backoff: { base: 200, cap: 10_000 },
      use: (session) =>
        session.fetch({
          positions: () => new Map([[0, 5000]]),
          took: () => expect.fail('there is nothing at 5000'),
          outOfRange: (_partition, _position, bounds) => {
            expect(bounds).toEqual({ start: 40, end: 100 });
            told.push(performance.now());
          },
          failed: () => undefined,
        }),
    });
    await expect.poll(() => told.length, LONG).toBe(4);
    // The second is told at once, the later ones after 100 and 200 ms.
    expect((told[3] as number) - (told[1] as number)).toBeGreaterThan(250);
    await stubborn.stop();
  });

  it('tells a reader of a topic that was deleted and made anew, and reads the new one', async () => {
    const topic = await topicOf(2);
    const producer = sender();
    await producer.send(topic, numbered(0, 100));
    const member = join(settingsFor(topic));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(100);
    await withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [topic] }));
    await expect.poll(() => member.failures.at(-1)?.code, LONG).toBe('KAFKA_UNKNOWN_TOPIC');
    const unknown = () =>
      member.events('fetch_failed').filter(({ err }) => (err as { code: string }).code === 'KAFKA_UNKNOWN_TOPIC');
    await expect.poll(() => unknown().length, LONG).toBeGreaterThan(4);
    expect(unknown().filter(({ level }) => level === 'warn')).toHaveLength(1);
    await createTopic(bootstrap, topic, { partitions: 2 });
    await expect
      .poll(
        () =>
          sender()
            .send(topic, numbered(100, 60))
            .then(
              () => 'sent',
              () => 'not yet',
            ),
        LONG,
      )
      .toBe('sent');
    // Each partition lost its position; that the new log is another one is the reader's to find out.
    // A send that failed may have come through in part.
    await expect.poll(() => new Set(member.loaded.values).size, LONG).toBe(160);
    expect(member.outOfRanges.map(({ bounds }) => bounds.start)).toEqual([0, 0]);
    expect([...new Set(member.loaded.values)].sort()).toEqual(valuesOf(numbered(0, 160)));
  });

  it('passes over what transactions leave behind, and shows only what was committed', async () => {
    const topic = await topicOf(1);
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ transactionalId: `tx-${topic}`, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    open.push(() => producer.disconnect());
    const round = async (value: string, end: 'commit' | 'abort') => {
      const transaction = await producer.transaction();
      await transaction.send({
        topic,
        messages: [
          { key: 'k', value: `${value}-1` },
          { key: 'k', value: `${value}-2` },
        ],
      });
      await transaction[end]();
    };
    const member = join(settingsFor(topic));
    await round('a', 'commit');
    await round('b', 'abort');
    await round('c', 'commit');
    await expect.poll(() => member.loaded.values, LONG).toEqual(['a-1', 'a-2', 'c-1', 'c-2']);
    await round('d', 'abort');
    // Two messages and a marker, four times: the last three offsets hold nothing for a reader.
    await expect.poll(() => member.loaded.next.get(0), LONG).toBe(12);
    expect(member.loaded.messages.map(({ offset }) => offset)).toEqual([0, 1, 6, 7]);
    expect(member.batches.at(-1)).toMatchObject({ next: 12, end: 12 });
    // From the beginning, in one fetch.
    const again = join(settingsFor(topic, { group: `${topic}-2` }));
    await expect.poll(() => again.loaded.next.get(0), LONG).toBe(12);
    expect(again.loaded.values).toEqual(['a-1', 'a-2', 'c-1', 'c-2']);
  });

  it('reads batches that are larger than what it asks for, of every partition', async () => {
    const topic = await topicOf(3, { 'max.message.bytes': '6000000' });
    const producer = KafkaProducer.create(
      kafkaSettings(bootstrap, { compression: 'none' }),
      silentLog,
      new SystemClock(),
    );
    open.push(() => producer.close());
    const large = 'x'.repeat(3_000_000);
    for (let n = 0; n < 9; n++) await producer.send(topic, [{ key: `host-${n}`, value: `${n}${large}` }]);
    const member = join(settingsFor(topic));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(9);
    expect(member.loaded.refused).toBe(0);
  });

  it('pauses a partition that its reader leaves out, and goes on when it is woken', async () => {
    const topic = await topicOf(2);
    const producer = sender();
    const member = join(settingsFor(topic));
    member.paused.add(0);
    await producer.send(topic, numbered(0, 200));
    await expect.poll(() => member.loaded.next.get(1) ?? 0, LONG).toBeGreaterThan(0);
    expect(member.loaded.next.has(0)).toBe(false);
    member.paused.add(1);
    const { length } = member.batches;
    await producer.send(topic, numbered(200, 200));
    member.paused.clear();
    member.session?.wake();
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(400);
    expect(member.batches.length).toBeGreaterThan(length);
  });

  it('makes few timers while it is idle', async () => {
    const topic = await topicOf(4);
    await sender().send(topic, numbered(0, 10));
    const member = join(settingsFor(topic, { session_timeout: '30s' }));
    await expect.poll(() => member.loaded.messages.length, LONG).toBe(10);
    const { length } = member.batches;
    let timers = 0;
    const watch = createHook({
      init: (_id, type) => {
        if (type === 'Timeout' && /\/(src\/kafka|kafkajs)\//.test(new Error('a timer').stack ?? '')) timers++;
      },
    });
    watch.enable();
    const began = performance.now();
    // Six answers, each of all four partitions.
    await expect.poll(() => member.batches.length - length, LONG).toBeGreaterThanOrEqual(24);
    watch.disable();
    expect(performance.now() - began).toBeGreaterThan(2000);
    // For each request a limit to the connection and one to the answer; and the heartbeats.
    expect(timers).toBeGreaterThan(0);
    expect(timers).toBeLessThan(24);
  });

  it('goes on after its broker was restarted, and after it was killed', async () => {
    await using broker = await Broker.start();
    await broker.createTopic('t', { partitions: 3 });
    const loaded = new Loaded();
    const settings = settingsFor('t', { session_timeout: '6s', request_timeout: '3s' }, broker.bootstrap);
    const members = [join(settings, { loaded }), join(settings, { loaded })];
    let sent = 0;
    const send = async () => {
      const batch = numbered(sent, 100);
      await expect
        .poll(
          () =>
            sender(broker.bootstrap)
              .send('t', batch)
              .then(
                () => 'sent',
                ({ code }) => code,
              ),
          LONG,
        )
        .toBe('sent');
      sent += 100;
    };
    await send();
    await expect.poll(() => new Set(loaded.values).size, LONG).toBe(sent);
    await broker.restart();
    await send();
    await expect.poll(() => new Set(loaded.values).size, LONG).toBe(sent);
    await broker.kill9();
    await broker.restart();
    await send();
    await expect.poll(() => new Set(loaded.values).size, LONG).toBe(sent);
    await expect.poll(() => areSettled(members, 3), LONG).toBe(true);
    await Promise.all(members.map((member) => member.stop()));
  });

  it('tells a batch that is damaged on the broker’s disk, and goes on with the other partitions', async () => {
    await using broker = await Broker.start();
    await broker.createTopic('t', { partitions: 2 });
    const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    for (const partition of [0, 1]) {
      for (const value of ['good', 'bad ', 'late']) {
        await producer.send({ topic: 't', messages: [{ partition, value: `${value} in ${partition}` }] });
      }
    }
    await producer.disconnect();
    await broker.shutDown();
    const file = await openFile(joinPath(broker.dataDirectory, 't-0', '00000000000000000000.log'), 'r+');
    const bytes = await file.readFile();
    await file.write(Buffer.from('B'), 0, 1, bytes.indexOf('bad '));
    await file.close();
    await broker.restart();
    const member = join(settingsFor('t', {}, broker.bootstrap));
    await expect
      .poll(() => member.loaded.values.sort(), LONG)
      .toEqual(['bad  in 1', 'good in 0', 'good in 1', 'late in 1']);
    await expect
      .poll(() => member.failures.at(-1), LONG)
      .toMatchObject({
        code: 'KAFKA_CORRUPT',
        message: expect.stringContaining('offset 1'),
      });
    expect(member.events('fetch_failed').at(-1)).toMatchObject({ level: 'error', partitions: [0] });
    expect(member.loaded.next).toEqual(
      new Map([
        [0, 1],
        [1, 3],
      ]),
    );
    await member.stop();
  });

  it('keeps trying without a right, at error and with a hint, until the right is granted', async () => {
    await using guarded = await GuardedBroker.start();
    await guarded.broker.createTopic('t');
    const member = join(settingsFor('t', guarded.login, guarded.bootstrap));
    const lastError = () => member.events('group_join_failed').at(-1);
    await expect.poll(lastError, LONG).toMatchObject({
      level: 'error',
      err: { code: 'KAFKA_AUTHORIZATION', message: expect.stringContaining('topic t'), hint: expect.any(String) },
    });
    await guarded.grantRead('topic', 't');
    await expect.poll(lastError, LONG).toMatchObject({
      level: 'error',
      err: { code: 'KAFKA_AUTHORIZATION', message: expect.stringContaining('group group-of-t') },
    });
    await guarded.grantRead('group', 'group-of-t');
    await expect.poll(() => member.partitions, LONG).toEqual([0]);
    await member.stop();
  });
});
