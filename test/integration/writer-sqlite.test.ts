/** The writer against the real broker, into SQLite. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createTopic, withAdmin } from '../support/broker.ts';
import { readTopic, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { Scratch, until } from '../support/executable.ts';
import { preparePython, python } from '../support/kafka-python.ts';
import { LocalWriter, query, rowsIn, runsOf, sampleOf, samples, send, sumsIn } from '../support/local-writer.ts';

const { addresses, missing } = testBroker();
const { bootstrap } = addresses;

/** Fifty hosts of another stack: the eleven fields, in one codec each half. */
const PYTHON_AGENTS = `
import sys, json
from kafka import KafkaProducer
bootstrap, topic, codec, first, each = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, linger_ms=20,
  key_serializer=str.encode, value_serializer=lambda v: json.dumps(v).encode())
for n in range(each):
  for host in range(first, first + 25):
    producer.send(topic, key=f'py-{host}', value={'hostname': f'py-{host}',
      'timestamp': f'2026-01-01T00:{n // 60:02d}:{n % 60:02d}.123456+00:00', 'cpu_percent': 1.234, 'memory_percent': 50.0,
      'memory_used_mb': 1000.5, 'memory_total_mb': 2000, 'disk_percent': 3.3, 'disk_used_gb': 4, 'disk_total_gb': 5.5,
      'network_bytes_sent': n, 'network_bytes_recv': n * 2})
producer.flush()
`;

describe.skipIf(missing !== undefined)(`the writer against a broker${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('loads a backlog of several partitions once, and Kafka hears how far', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('writer');
    await createTopic(bootstrap, topic, { partitions: 4 });
    await send(bootstrap, topic, samples(runsOf(50), 200));
    await using writer = new LocalWriter(bootstrap, scratch, topic);
    await until(() => rowsIn(scratch) === 10_000, 'all rows are there');
    expect(sumsIn(scratch)).toEqual({ received: 10_000, lost: 0, missing: 0 });
    await writer.stop();
    const committed = await withAdmin(bootstrap, (admin) =>
      admin.fetchOffsets({ groupId: `${topic}-writers`, topics: [topic] }),
    );
    const total = committed[0]?.partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
    expect(total).toBe(10_000);
  });

  it('adds no row when the whole topic is read again', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('replay');
    await createTopic(bootstrap, topic, { partitions: 2 });
    await send(bootstrap, topic, samples(runsOf(10), 50));
    {
      await using _first = new LocalWriter(bootstrap, scratch, topic);
      await until(() => rowsIn(scratch) === 500, 'all rows are there');
    }
    await using _again = new LocalWriter(bootstrap, scratch, topic, { 'kafka.group': `${topic}-again` });
    await until(
      () =>
        query<{ n: number }>(
          scratch,
          `SELECT sum(next_offset) AS n FROM consumer_offsets WHERE group_id LIKE '%-again'`,
        )[0]?.n === 500,
      'all was read again',
    );
    expect(rowsIn(scratch)).toBe(500);
    expect(sumsIn(scratch)).toEqual({ received: 500, lost: 0, missing: 0 });
  });

  it('puts poison among the dead letters, each with its reason, and loads all others', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('poison');
    await createTopic(bootstrap, topic, { config: { 'max.message.bytes': '4000000' } });
    const [run] = runsOf(1);
    if (run === undefined) throw new Error('no run');
    let seq = 0;
    const good = () => ({ key: run.hostname, value: JSON.stringify(sampleOf(run, ++seq)) });
    const sample = () => sampleOf(run, ++seq);
    const poison: [value: string | null, reason: RegExp][] = [
      ['this is not JSON', /^value: not JSON/],
      [JSON.stringify({ ...sample(), cpu_percent: '12', memory_percent: [1] }), /^cpu_percent: not a number/],
      [JSON.stringify({ ...sample(), cpu_percent: 'NaN' }), /^cpu_percent: not a number but "NaN"/],
      [JSON.stringify({ ...sample(), hostname: 'h'.repeat(1024 * 1024) }), /^hostname: not a name/],
      [null, /^value: missing/],
      [JSON.stringify({ ...sample(), deep: [[[[[[[[[[1]]]]]]]]]] }), /nested more than 8 levels/],
      [JSON.stringify(sample()).replace('12.5', '9'.repeat(400)), /^cpu_percent: not a number from 0 to 100/],
      [JSON.stringify({ ...sample(), text: '\ud800' }), /lone surrogate/],
      [JSON.stringify(sample()).replace('{', '{"__proto__":{"polluted":true},'), /__proto__/],
      [randomBytes(900_000).toString('base64'), /^value: not JSON/],
    ];
    const messages = poison.flatMap(([value]) => [good(), { key: run.hostname, value, headers: { mine: 'kept' } }]);
    await send(bootstrap, topic, [...messages, good()]);
    await using writer = new LocalWriter(bootstrap, scratch, topic);
    await until(() => rowsIn(scratch) === 11, 'the others are there');
    await until(
      async () => (await readTopic(bootstrap, `${topic}.dlq`).catch(() => [])).length === 10,
      'all are there',
    );
    const letters = await readTopic(bootstrap, `${topic}.dlq`);
    for (const [index, [value, reason]] of poison.entries()) {
      const letter = letters[index];
      expect(letter?.headers['hostspool-reason']).toMatch(reason);
      expect(letter?.headers).toMatchObject({
        mine: 'kept',
        'hostspool-code': 'SAMPLE_INVALID',
        'hostspool-topic': topic,
        'hostspool-partition': '0',
        'hostspool-offset': String(2 * index + 1),
        'hostspool-epoch': '0',
      });
      expect(letter?.key).toBe(run.hostname);
      if (letter?.headers['hostspool-truncated'] === undefined) expect(letter?.value).toBe(value ?? '');
    }
    const cut = letters.filter(({ headers }) => headers['hostspool-truncated'] !== undefined);
    expect(cut).toHaveLength(1);
    expect(Number(cut[0]?.headers['hostspool-truncated'])).toBe(1_200_000);
    // Seven of the ten told which sample they were.
    expect(sumsIn(scratch)).toEqual({ received: 11, lost: 7, missing: 0 });
    expect(writer.writer.health()).toEqual({ healthy: true, reasons: [] });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('loads what fifty agents of another stack send in snappy and lz4, once', async (context) => {
    const why = preparePython();
    if (why !== undefined) return context.skip(why);
    using scratch = new Scratch();
    const topic = uniqueTopic('python');
    await createTopic(bootstrap, topic, { partitions: 3 });
    await using _writer = new LocalWriter(bootstrap, scratch, topic);
    const run = promisify(execFile);
    await Promise.all(
      (['snappy', 'lz4'] as const).map((codec, half) =>
        run(python, ['-c', PYTHON_AGENTS, bootstrap, topic, codec, String(half * 25), '40']),
      ),
    );
    await until(() => rowsIn(scratch) === 2000, 'all rows are there');
    expect(
      query(
        scratch,
        'SELECT count(DISTINCT hostname) AS hosts, count(DISTINCT event_id) AS events FROM server_metrics',
      ),
    ).toEqual([{ hosts: 50, events: 2000 }]);
    expect(query(scratch, 'SELECT DISTINCT samples FROM hosts')).toEqual([{ samples: 40 }]);
    expect(query(scratch, 'SELECT min(timestamp) AS first FROM server_metrics')).toEqual([
      { first: '2026-01-01 00:00:00.123' },
    ]);
  });
});
