/** Following a topic: what `hostspool tail` shows. */
import { afterEach, describe, expect, it } from 'vitest';
import { type FollowedMessage, Follower, type FollowOptions } from '../../src/kafka/follower.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createTopic, withAdmin } from '../support/broker.ts';
import { kafkaSettings, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { freePort, hostAndPort, TcpProxy } from '../support/proxy.ts';

const { addresses, missing } = testBroker();
const { bootstrap, proxied, proxyTarget } = addresses;

const open: { close(): Promise<unknown> }[] = [];

function producer(compression = 'snappy'): KafkaProducer {
  const created = KafkaProducer.create(kafkaSettings(bootstrap, { compression }), silentLog, new SystemClock());
  open.push(created);
  return created;
}

/** A follower that runs; `values` grows as messages come. */
async function follow(topic: string, options: Partial<FollowOptions> & { brokers?: string } = {}) {
  const stop = new AbortController();
  const seen: FollowedMessage[] = [];
  const { brokers = bootstrap, from = 'end' } = options;
  const settings = kafkaSettings(brokers, { request_timeout: '1s', connect_timeout: '1s' });
  const follower = Follower.create(settings, silentLog, new SystemClock());
  const { promise: following, resolve, reject } = Promise.withResolvers<number>();
  const run = async () => {
    for await (const message of follower.follow({ topic, from, signal: stop.signal, following: resolve }))
      seen.push(message);
  };
  const ended = run();
  ended.catch(reject);
  open.push({
    close: () => {
      stop.abort();
      return ended.catch(() => undefined);
    },
  });
  const partitions = await following;
  return { seen, partitions, values: () => seen.map(({ value }) => value?.toString()), stop, ended };
}

function numbered(first: number, count: number) {
  return Array.from({ length: count }, (_, n) => ({ key: `host-${n % 5}`, value: `value ${first + n}` }));
}

describe.skipIf(missing !== undefined)(`the follower against Kafka (${missing ?? bootstrap})`, () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  it('shows what comes after it began, and nothing from before', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic, { partitions: 3 });
    const sender = producer();
    await sender.send(topic, numbered(0, 20));
    const { values, partitions } = await follow(topic);
    expect(partitions).toBe(3);
    await sender.send(topic, numbered(20, 20));
    await expect.poll(() => values().length).toBe(20);
    expect(new Set(values())).toEqual(new Set(numbered(20, 20).map(({ value }) => value)));
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'shows everything from the beginning, sent with codec %s',
    async (codec) => {
      const topic = uniqueTopic();
      await createTopic(bootstrap, topic, { partitions: 2 });
      const sender = producer(codec);
      for (let n = 0; n < 5; n++) await sender.send(topic, numbered(n * 100, 100));
      const { seen, values } = await follow(topic, { from: 'beginning' });
      await expect.poll(() => seen.length).toBe(500);
      expect(new Set(values()).size).toBe(500);
      for (const partition of [0, 1]) {
        const offsets = seen.filter((message) => message.partition === partition).map(({ offset }) => Number(offset));
        expect(offsets).toEqual(offsets.map((_, index) => index));
      }
      expect(seen[0]).toMatchObject({ key: expect.any(Buffer), timestamp: expect.any(Number), headers: {} });
    },
  );

  it('leaves no consumer group on the broker', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    const before = await withAdmin(bootstrap, (admin) => admin.listGroups());
    const { values } = await follow(topic);
    await producer().send(topic, numbered(0, 1));
    await expect.poll(() => values().length).toBe(1);
    const after = await withAdmin(bootstrap, (admin) => admin.listGroups());
    expect(after.groups.length).toBe(before.groups.length);
  });

  it('ends promptly when it is told to, on a quiet topic too', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    const { stop, ended } = await follow(topic);
    const stoppedAt = performance.now();
    stop.abort();
    await ended;
    expect(performance.now() - stoppedAt).toBeLessThan(400);
  });

  it('goes on where it was after its connection was lost, nothing twice and nothing left out', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    await using proxy = await TcpProxy.listen({ port: hostAndPort(proxied).port, target: proxyTarget });
    const { values } = await follow(topic, { brokers: proxied });
    const sender = producer();
    await sender.send(topic, numbered(0, 10));
    await expect.poll(() => values().length).toBe(10);
    await proxy.refuse();
    proxy.cut();
    await sender.send(topic, numbered(10, 10));
    await proxy.accept();
    await expect.poll(() => values().length, { timeout: 30_000 }).toBe(20);
    proxy.stall('toClient');
    await sender.send(topic, numbered(20, 10));
    await expect.poll(() => proxy.accepted, { timeout: 30_000 }).toBeGreaterThan(4);
    proxy.resume();
    await expect.poll(() => values().length, { timeout: 30_000 }).toBe(30);
    expect(values()).toEqual(numbered(0, 30).map(({ value }) => value));
  });

  it('moves to the beginning of a log that no longer has its position', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    const sender = producer();
    await sender.send(topic, numbered(0, 10));
    const { values } = await follow(topic);
    await withAdmin(bootstrap, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
    });
    await expect
      .poll(() =>
        createTopic(bootstrap, topic).then(
          () => 'made',
          () => 'not yet',
        ),
      )
      .toBe('made');
    await expect
      .poll(
        () =>
          sender.send(topic, numbered(100, 3)).then(
            () => 'sent',
            () => 'not yet',
          ),
        { timeout: 30_000 },
      )
      .toBe('sent');
    await expect.poll(() => values().length, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    expect(values()).toEqual(numbered(100, 3).map(({ value }) => value));
  });

  it('ends where the topic ended when it began, from the beginning or from given offsets', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic, { partitions: 3 });
    const sender = producer();
    await sender.send(topic, numbered(0, 200));
    const settings = kafkaSettings(bootstrap);
    const read = async (options: Partial<FollowOptions>) => {
      const seen: FollowedMessage[] = [];
      const signal = new AbortController().signal;
      const follower = Follower.create(settings, silentLog, new SystemClock());
      for await (const message of follower.follow({ topic, from: 'beginning', until: 'end', signal, ...options })) {
        seen.push(message);
        // What comes meanwhile is not part of it.
        if (seen.length === 1) await sender.send(topic, numbered(200, 50));
      }
      return seen;
    };
    const all = await read({});
    // A topic that was made just now may take a part of the first request only: the repetition is in the topic, too.
    const values = new Set(all.map(({ value }) => value?.toString()));
    expect([...values].sort()).toEqual(
      numbered(0, 200)
        .map(({ value }) => value)
        .sort(),
    );
    expect(new Set(all.map(({ partition, offset }) => `${partition}:${offset}`)).size).toBe(all.length);
    const partition = all[0]?.partition ?? 0;
    const offset = all.filter((message) => message.partition === partition).length - 2;
    const rest = await read({ from: 'end', offsets: new Map([[partition, offset]]) });
    expect(rest.map((message) => message.offset).slice(0, 2)).toEqual([offset, offset + 1]);
    expect(new Set(rest.map((message) => message.partition))).toEqual(new Set([partition]));
    expect(await read({ from: 'end' })).toEqual([]);
  });

  it('waits with a message until it is asked for, however many there are', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic, { partitions: 1 });
    const sender = producer('none');
    const large = 'x'.repeat(400_000);
    for (let n = 0; n < 30; n++) await sender.send(topic, [{ key: 'host-1', value: `${n} ${large}` }]);
    const signal = new AbortController().signal;
    const follower = Follower.create(kafkaSettings(bootstrap), silentLog, new SystemClock());
    const numbers: string[] = [];
    for await (const message of follower.follow({ topic, from: 'beginning', until: 'end', signal })) {
      numbers.push(message.value?.toString().split(' ')[0] ?? '');
    }
    expect(numbers).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
  });

  it('reads a partition that was added meanwhile from its beginning', { timeout: 60_000 }, async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic, { partitions: 1 });
    const { seen, values } = await follow(topic);
    await withAdmin(bootstrap, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] }));
    const sender = producer();
    await expect
      .poll(
        () =>
          sender.send(topic, numbered(0, 50)).then(
            () => 'sent',
            () => 'not yet',
          ),
        { timeout: 20_000 },
      )
      .toBe('sent');
    // A send that failed may have come through in part.
    await expect.poll(() => new Set(values()).size, { timeout: 30_000 }).toBe(50);
    expect(new Set(seen.map(({ partition }) => partition)).size).toBeGreaterThan(1);
  });

  it('refuses to follow what is not there', async () => {
    await expect(follow('no-such-topic')).rejects.toMatchObject({ code: 'KAFKA_UNKNOWN_TOPIC' });
    const dead = `127.0.0.1:${await freePort()}`;
    await expect(follow('any', { brokers: dead })).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });
});
