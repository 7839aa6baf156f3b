/** `hostspool tail` as people run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createTopic } from '../support/broker.ts';
import { kafkaSettings, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { executable, runExecutable } from '../support/executable.ts';

const { addresses, missing } = testBroker();
const { bootstrap } = addresses;

describe.skipIf(missing !== undefined)(`hostspool tail (${missing ?? bootstrap})`, () => {
  let topic: string;
  let settings: string[];

  async function send(host: string, ...values: string[]): Promise<void> {
    const producer = KafkaProducer.create(kafkaSettings(bootstrap), silentLog, new SystemClock());
    await producer.send(
      topic,
      values.map((value) => ({ key: host, value })),
    );
    await producer.close();
  }

  beforeAll(async () => {
    topic = uniqueTopic('tail');
    settings = ['--config=/dev/null', `--kafka.brokers=${bootstrap}`, `--kafka.topic=${topic}`];
    await createTopic(bootstrap, topic, { partitions: 2 });
    await send('web-1', '{"n":1}', '{"n":2}');
    await send('web-2', '{"n":3}');
  });

  it('shows the topic from its beginning and stops after --max messages', () => {
    const { code, stdout, stderr } = runExecutable(['tail', ...settings, '--from-beginning', '--max', '3']);
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n').sort();
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^[01] \d+ web-[12] \d{4}-\d\d-\d\dT[\d:.]+Z \{"n":[123]\}$/);
    expect(stderr).toContain(`following ${topic} (2 partitions)`);
  });

  it('shows one host only, as JSON', () => {
    const { code, stdout } = runExecutable([
      'tail',
      ...settings,
      '--from-beginning',
      '--host',
      'web-2',
      '--json',
      '--max=1',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      key: 'web-2',
      value: { n: 3 },
      partition: expect.any(Number),
      offset: 0,
    });
  });

  it('begins at the end, and ends with 0 at Ctrl-C', async () => {
    const child = spawn(executable, ['tail', ...settings], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    await once(createInterface({ input: child.stderr }), 'line');
    await send('web-1', '{"n":4}');
    await expect.poll(() => lines.length, { timeout: 10_000 }).toBe(1);
    expect(lines[0]).toContain('{"n":4}');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('is quiet when whoever reads its output has enough', async () => {
    const script = '"$0" tail "$@" --from-beginning | head -n 1';
    const child = spawn('/bin/sh', ['-c', script, executable, ...settings], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += String(data);
    });
    child.stdout.resume();
    // The pipe breaks at the next message after `head` has left.
    const sending = new AbortController();
    const more = (async () => {
      while (!sending.signal.aborted) await send('web-1', '{"n":5}');
    })();
    expect(await once(child, 'close')).toEqual([0, null]);
    sending.abort();
    await more;
    expect(stderr).toBe(`following ${topic} (2 partitions) from the beginning; Ctrl-C ends\n`);
  });

  it('says what is wrong in one line and exits with 1 when the topic is not there, with 2 for a bad --max', () => {
    const absent = runExecutable([
      'tail',
      '--config=/dev/null',
      `--kafka.brokers=${bootstrap}`,
      '--kafka.topic=absent',
    ]);
    expect(absent).toMatchObject({ code: 1, stdout: '' });
    expect(absent.stderr).toMatch(/^hostspool: there is no topic absent .*\[KAFKA_UNKNOWN_TOPIC\]/);
    expect(runExecutable(['tail', ...settings, '--max', 'many']).code).toBe(2);
  });
});
