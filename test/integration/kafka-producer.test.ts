/** The producer against a real broker, on a sound network and on a bad one. */
import { createHook } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Settings } from '../../src/config/schema.ts';
import { KafkaProducer, type OutgoingMessage } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import type { HostspoolError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Broker, createTopic } from '../support/broker.ts';
import { firstOccurrences, kafkaSettings, readTopic, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { freePort, TcpProxy } from '../support/proxy.ts';

const { addresses, missing } = testBroker();
const { bootstrap, proxied, proxyTarget } = addresses;

const open: KafkaProducer[] = [];
function producer(settings: Settings['kafka']): KafkaProducer {
  const created = KafkaProducer.create(settings, silentLog, new SystemClock());
  open.push(created);
  return created;
}

function messages(first: number, count: number, key = 'web-1'): OutgoingMessage[] {
  return Array.from({ length: count }, (_, index) => ({ key, value: `${key}/${first + index}` }));
}

async function failure(sending: Promise<void>): Promise<HostspoolError> {
  return sending.then(
    () => expect.fail('the send resolved'),
    (error: HostspoolError) => error,
  );
}

describe.skipIf(missing !== undefined)(`the producer against Kafka (${missing ?? bootstrap})`, () => {
  let topic: string;

  beforeAll(async () => {
    topic = uniqueTopic();
    await createTopic(bootstrap, topic, { partitions: 3 });
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'sends with codec %s what another consumer reads',
    async (compression) => {
      const mine = uniqueTopic();
      await createTopic(bootstrap, mine, { partitions: 3 });
      const sentAt = Date.now();
      const values = Array.from(
        { length: 300 },
        (_, n) => `${n} ${'ä'.repeat(n)} ${randomBytes(n).toString('base64')}`,
      );
      await producer(kafkaSettings(bootstrap, { compression })).send(
        mine,
        values.map((value, n) => ({
          key: `host-${n % 7}`,
          value,
          headers: { origin: 'a', n: Buffer.from(String(n)) },
        })),
      );
      const received = await readTopic(bootstrap, mine);
      expect(new Set(received.map(({ value }) => value))).toEqual(new Set(values));
      expect(received).toHaveLength(values.length);
      expect(new Set(received.map(({ partition }) => partition)).size).toBeGreaterThan(1);
      for (const message of received) {
        const n = Number(message.headers.n);
        expect(message).toMatchObject({ value: values[n], key: `host-${n % 7}`, headers: { origin: 'a' } });
        expect(message.timestamp).toBeGreaterThanOrEqual(sentAt);
        expect(message.timestamp).toBeLessThanOrEqual(Date.now());
      }
    },
  );

  it('keeps the messages of a key in order in one partition', async () => {
    const mine = uniqueTopic();
    await createTopic(bootstrap, mine, { partitions: 3 });
    const sender = producer(kafkaSettings(bootstrap));
    await Promise.all([0, 50, 100].map((first) => sender.send(mine, messages(first, 50))));
    const received = await readTopic(bootstrap, mine);
    expect(new Set(received.map(({ partition }) => partition)).size).toBe(1);
    expect(received.map(({ value }) => value)).toEqual(messages(0, 150).map(({ value }) => value));
  });

  it('says within a second that a topic does not exist, and goes on with another', async () => {
    const sender = producer(kafkaSettings(bootstrap));
    const startedAt = performance.now();
    const error = await failure(sender.send('no-such-topic', messages(0, 1)));
    expect(error).toMatchObject({ code: 'KAFKA_UNKNOWN_TOPIC', retryable: false });
    expect(error.message).toContain('no-such-topic');
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await sender.send(topic, messages(0, 1));
  });

  it('tells a batch that is larger than the topic takes from every other failure', async () => {
    const small = uniqueTopic();
    await createTopic(bootstrap, small, { config: { 'max.message.bytes': '2000' } });
    const sender = producer(kafkaSettings(bootstrap));
    const large = [{ key: 'web-1', value: randomBytes(4000).toString('base64') }];
    for (let time = 0; time < 3; time++) {
      expect(await failure(sender.send(small, large))).toMatchObject({
        code: 'KAFKA_MESSAGE_TOO_LARGE',
        retryable: false,
      });
    }
    await sender.send(small, messages(0, 1));
    expect(await readTopic(bootstrap, small)).toHaveLength(1);
  });

  it('tells a timestamp that is too far ahead', async () => {
    const ahead = new SystemClock();
    ahead.now = () => Date.now() + 7_200_000;
    const sender = KafkaProducer.create(kafkaSettings(bootstrap), silentLog, ahead);
    open.push(sender);
    expect(await failure(sender.send(topic, messages(0, 1)))).toMatchObject({ code: 'KAFKA_INVALID_TIMESTAMP' });
  });

  it('tells a record that the topic calls invalid', async () => {
    const compacted = uniqueTopic();
    await createTopic(bootstrap, compacted, { config: { 'cleanup.policy': 'compact' } });
    const withoutKey = [{ key: null as unknown as string, value: 'x' }];
    const error = await failure(producer(kafkaSettings(bootstrap)).send(compacted, withoutKey));
    expect(error).toMatchObject({ code: 'KAFKA_INVALID_RECORD', retryable: false });
  });

  it('finds the one broker of its list that answers', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    await producer(kafkaSettings(`${dead},${bootstrap},${dead}`)).send(topic, messages(0, 1));
  });

  it('says at once which brokers cannot be reached', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    const error = await failure(producer(kafkaSettings(dead)).send(topic, messages(0, 1)));
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
    expect(error.message).toContain(dead);
    const name = await failure(producer(kafkaSettings('nowhere.invalid:9092')).send(topic, messages(0, 1)));
    expect(name).toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
    expect(name.message).toContain('no such host name');
  });

  it('ends a send when its signal aborts, and sends the next', async () => {
    await using proxy = await TcpProxy.listen({ port: portOf(proxied), target: proxyTarget });
    const sender = producer(kafkaSettings(proxied));
    await sender.send(topic, messages(0, 1));
    proxy.stall();
    const abort = new AbortController();
    const sending = failure(sender.send(topic, messages(1, 1), abort.signal));
    abort.abort();
    expect(await sending).toMatchObject({ code: 'KAFKA_ABORTED' });
    proxy.resume();
    await sender.send(topic, messages(1, 1));
  });

  it.each(['toServer', 'toClient'] as const)(
    'rejects within its time limit when nothing comes through %s, and recovers',
    async (direction) => {
      await using proxy = await TcpProxy.listen({ port: portOf(proxied), target: proxyTarget });
      const sender = producer(kafkaSettings(proxied, { request_timeout: '700ms' }));
      await sender.send(topic, messages(0, 1));
      proxy.stall(direction);
      const startedAt = performance.now();
      // First on the open connection, then on new ones that never get an answer.
      for (let time = 0; time < 3; time++) {
        expect(await failure(sender.send(topic, messages(1, 1)))).toMatchObject({
          code: 'KAFKA_TIMEOUT',
          retryable: true,
        });
      }
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      proxy.resume();
      await sender.send(topic, messages(1, 1));
    },
  );

  it('sends at once after its idle connection was closed by the other side', async () => {
    await using proxy = await TcpProxy.listen({ port: portOf(proxied), target: proxyTarget });
    const sender = producer(kafkaSettings(proxied));
    await sender.send(topic, messages(0, 1));
    const before = sockets();
    proxy.end();
    await expect.poll(() => sockets()).toBeLessThan(before);
    await sender.send(topic, messages(1, 1));
  });

  it('leaves no socket behind however often its connection is built anew', async () => {
    await using proxy = await TcpProxy.listen({ port: portOf(proxied), target: proxyTarget });
    const sender = producer(kafkaSettings(proxied, { request_timeout: '500ms' }));
    for (let time = 0; time < 6; time++) {
      await sender.send(topic, messages(time, 1));
      proxy.stall('toClient');
      await failure(sender.send(topic, messages(time, 1)));
      proxy.resume();
    }
    await sender.send(topic, messages(6, 1));
    await expect.poll(() => proxy.connections).toBe(1);
    await sender.close();
    await expect.poll(() => proxy.connections).toBe(0);
  });

  it('keeps first occurrences in order, none missing, when connections are cut in the middle of sends', async () => {
    const mine = uniqueTopic();
    await createTopic(bootstrap, mine, { partitions: 2 });
    await using proxy = await TcpProxy.listen({ port: portOf(proxied), target: proxyTarget });
    const sender = producer(kafkaSettings(proxied, { compression: 'none' }));
    const batches = Array.from({ length: 60 }, (_, n) => [
      ...messages(n * 20, 10, 'web-1').map((message) => ({
        ...message,
        value: String(message.value).padEnd(2000, '.'),
      })),
      ...messages(n * 20, 10, 'web-2').map((message) => ({
        ...message,
        value: String(message.value).padEnd(2000, '.'),
      })),
    ]);
    let cuts = 0;
    let failures = 0;
    // Cut wherever the stream happens to be, requests and answers alike.
    proxy.onBytes((direction, total) => {
      const due = direction === 'toServer' ? 150_000 * (cuts + 1) : 40 * (cuts + 1);
      if (cuts < 12 && total > due && (cuts % 2 === 0) === (direction === 'toServer')) {
        cuts++;
        proxy.cut();
      }
    });
    for (const batch of batches) {
      for (let sent = false; !sent; ) {
        try {
          await sender.send(mine, batch);
          sent = true;
        } catch (error) {
          failures++;
          expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
        }
      }
    }
    expect(cuts).toBe(12);
    expect(failures).toBeGreaterThan(0);
    const received = await readTopic(bootstrap, mine);
    for (const key of ['web-1', 'web-2']) {
      const wanted = batches
        .flat()
        .filter((message) => message.key === key)
        .map(({ value }) => value);
      expect(firstOccurrences(received.filter((message) => message.key === key))).toEqual(wanted);
    }
  });

  it('makes no timer while it is idle', async () => {
    const sender = producer(kafkaSettings(bootstrap));
    await sender.send(topic, messages(0, 1));
    const timers: string[] = [];
    const watch = createHook({
      init: (_id, type) => {
        if (type === 'Timeout') timers.push(new Error('a timer').stack ?? '');
      },
    });
    watch.enable();
    // The event loop turns without any timer of ours; one of a millisecond would be made dozens of times.
    const until = performance.now() + 100;
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
    watch.disable();
    // Connections of the tests before may still be ending.
    expect(timers.filter((stack) => /requestQueue|src\/kafka\//.test(stack))).toEqual([]);
  });

  it('goes on after the broker was killed and came back, in order and with nothing missing', async () => {
    await using mine = await Broker.start();
    await mine.createTopic('restarts');
    const sender = producer(kafkaSettings(mine.bootstrap, { request_timeout: '2s' }));
    for (let n = 0; n < 5; n++) await sender.send('restarts', messages(n * 10, 10));
    await mine.kill9();
    expect(await failure(sender.send('restarts', messages(50, 10)))).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
    await mine.restart();
    for (let n = 5; n < 10; n++) {
      await expect
        .poll(
          () =>
            sender.send('restarts', messages(n * 10, 10)).then(
              () => 'sent',
              (error) => error.code,
            ),
          { timeout: 30_000 },
        )
        .toBe('sent');
    }
    expect(firstOccurrences(await readTopic(mine.bootstrap, 'restarts'))).toEqual(
      messages(0, 100).map(({ value }) => value),
    );
  });

  it('creates a topic by sending, where the broker lets it', async () => {
    await using mine = await Broker.start({ properties: { 'auto.create.topics.enable': 'true' } });
    const sender = producer(kafkaSettings(mine.bootstrap));
    await expect
      .poll(() =>
        sender.send('made', messages(0, 1)).then(
          () => 'sent',
          (error) => error.code,
        ),
      )
      .toBe('sent');
    expect(await readTopic(mine.bootstrap, 'made')).toHaveLength(1);
  });
});

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
}
