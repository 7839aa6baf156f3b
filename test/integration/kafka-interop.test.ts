/**
 * Clients of other stacks read what we send, in every codec, and we read what they send: kafka-python (from PyPI, in
 * build/kafka-python, made when it is missing) and kcat (where it is installed).
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { Follower } from '../../src/kafka/follower.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createTopic } from '../support/broker.ts';
import { kafkaSettings, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { preparePython, python } from '../support/kafka-python.ts';

const { addresses, missing } = testBroker();
const { bootstrap } = addresses;
const run = promisify(execFile);
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Prints each message as base64 of key and value, until `count` have come. */
const PYTHON_CONSUMER = `
import sys, base64
from kafka import KafkaConsumer
bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset='earliest', group_id=None, consumer_timeout_ms=20000)
for message in consumer:
    print(base64.b64encode(message.key).decode(), base64.b64encode(message.value).decode())
    count -= 1
    if count == 0: break
`;
const PYTHON_PRODUCER = `
import sys
from kafka import KafkaProducer
bootstrap, topic, codec, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == 'none' else codec, linger_ms=50, batch_size=200000)
for n in range(count): producer.send(topic, key=b'web-%d' % (n % 3), value=(b'%d ' % n) + b'a sample, ' * (n % 400))
producer.flush()
`;

const values = Array.from(
  { length: 400 },
  (_, n) => `${n} ${JSON.stringify({ hostname: `web-${n}`, ä: '€'.repeat(n) })}`,
);

async function sendAll(topic: string, compression: string): Promise<void> {
  const producer = KafkaProducer.create(kafkaSettings(bootstrap, { compression }), silentLog, new SystemClock());
  await producer.send(
    topic,
    values.map((value, n) => ({ key: `web-${n % 3}`, value })),
  );
  await producer.close();
}

describe.skipIf(missing !== undefined)(`other stacks (${missing ?? bootstrap})`, () => {
  const kcat = ['kcat', 'kafkacat'].find((name) => spawnSync(name, ['-V']).status === 0);
  let noPython: string | undefined;

  beforeAll(() => {
    noPython = preparePython();
  }, 180_000);

  it.for(CODECS)('kafka-python reads what we send with codec %s', async (codec, { skip }) => {
    if (noPython !== undefined) return skip(noPython);
    const topic = uniqueTopic('python');
    await createTopic(bootstrap, topic, { partitions: 2 });
    await sendAll(topic, codec);
    const { stdout } = await run(python, ['-c', PYTHON_CONSUMER, bootstrap, topic, String(values.length)], {
      maxBuffer: 1 << 26,
    });
    const read = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map((part) => Buffer.from(part, 'base64').toString()));
    expect(new Map(read.map(([key, value]) => [value, key]))).toEqual(
      new Map(values.map((value, n) => [value, `web-${n % 3}`])),
    );
  });

  it.for(CODECS)('the follower reads what kafka-python sends with codec %s', async (codec, { skip }) => {
    if (noPython !== undefined) return skip(noPython);
    const topic = uniqueTopic('python');
    await createTopic(bootstrap, topic, { partitions: 2 });
    await run(python, ['-c', PYTHON_PRODUCER, bootstrap, topic, codec, '1000']);
    const stop = new AbortController();
    const read = new Map<string, string | undefined>();
    const follower = Follower.create(kafkaSettings(bootstrap), silentLog, new SystemClock());
    for await (const { key, value } of follower.follow({ topic, from: 'beginning', signal: stop.signal })) {
      read.set(String(value), key?.toString());
      if (read.size === 1000) stop.abort();
    }
    for (let n = 0; n < 1000; n++) expect(read.get(`${n} ${'a sample, '.repeat(n % 400)}`)).toBe(`web-${n % 3}`);
  });

  it.skipIf(kcat === undefined).each(CODECS)(
    `kcat reads what we send with codec %s${kcat ? '' : ' (not installed)'}`,
    async (codec) => {
      const topic = uniqueTopic('kcat');
      await createTopic(bootstrap, topic);
      await sendAll(topic, codec);
      const args = ['-b', bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%k %s\\n'];
      const { stdout } = await run(kcat as string, args, { maxBuffer: 1 << 26 });
      expect(stdout.trim().split('\n')).toEqual(values.map((value, n) => `web-${n % 3} ${value}`));
    },
  );
});
