/**
 * The commands of the centre as their users have them: a topic with good and bad messages, a writer that loads it into
 * SQLite, and what `lag`, `offsets`, `hosts` and `dead-letters` make of it. In the order in which an operator would.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { withAdmin } from '../support/broker.ts';
import { readTopic, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { type Finished, RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';
import { produce } from '../support/plain-producer.ts';
import { message } from '../unit/sink/a-load.ts';

const { addresses, missing } = testBroker();
const topic = uniqueTopic('centre');
const scratch = new Scratch();
const database = scratch.file('metrics.db');

const settings = [
  `--kafka.brokers=${addresses.bootstrap}`,
  `--kafka.topic=${topic}`,
  `--kafka.group=${topic}`,
  '--kafka.session_timeout=6s',
  '--writer.sink=sqlite',
  `--sqlite.path=${database}`,
  '--config=/dev/null',
  '--http.address=',
];
const run = (...args: string[]): Finished => runExecutable([...args, ...settings], { env: { HOME: scratch.path } });
const json = (...args: string[]) => JSON.parse(run(...args, '--json').stdout);

/** One writer's life: until it has loaded all that is there. */
async function load(): Promise<void> {
  await using writer = new RunningExecutable(['--mode=writer', ...settings], { HOME: scratch.path });
  await until(() => json('lag').lag === 0, 'all is loaded');
  expect(await writer.end()).toBe(0);
}

function accounting(): unknown {
  const opened = openSqlite(database, { readonly: true });
  try {
    return opened
      .prepare('SELECT taken, received, lost_dead_letter, lost_skipped_by_operator, missing FROM vw_sample_accounting')
      .all();
  } finally {
    opened.close();
  }
}

const samples = (...seqs: number[]) => seqs.map((seq) => ({ key: 'host-1', value: message(1, seq) }));

describe.skipIf(missing !== undefined)('the commands of the centre', () => {
  beforeAll(async () => {
    await withAdmin(addresses.bootstrap, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }));
  });
  afterAll(() => scratch[Symbol.dispose]());

  it('tell how things stand before anything was loaded, without making a database', () => {
    const { stdout, code } = run('lag');
    expect(stdout).toContain('the database can');
    expect(code).toBe(1);
    expect(json('lag')).toMatchObject({
      severity: 'warning',
      source: 'kafka',
      database_error: { code: 'DATABASE_MISSING' },
    });
    expect(run('hosts', 'list')).toMatchObject({ code: 3, stderr: expect.stringContaining('DATABASE_MISSING') });
    expect(json('hosts', 'list')).toMatchObject({ severity: 'unknown', reason_codes: ['DATABASE_MISSING'] });
    expect(run('dead-letters', 'list')).toMatchObject({ code: 0, stdout: expect.stringContaining('0 dead letters') });
  });

  it('know the lag by the database once a writer has been there', async () => {
    await produce(addresses.bootstrap, topic, [
      ...samples(1, 2),
      { key: 'host-1', value: message(1, 3, { cpu_percent: 'x' }) },
      { key: 'host-1', value: 'not \u001b[31mJSON' },
      { key: null, value: Buffer.from([0xff, 0x00]), headers: { trace: 'a' } },
    ]);
    await load();
    expect(json('lag')).toMatchObject({ severity: 'ok', source: 'database', lag: 0, database_error: null });
    await produce(addresses.bootstrap, topic, samples(4, 5));
    const report = json('lag', '--max', '1');
    expect(report).toMatchObject({ severity: 'critical', lag: 2, reason_codes: ['lag'] });
    expect(report.partitions[0]).toMatchObject({ committed: 5, log_end: 7, state: 'ok' });
    expect(run('lag', '--max', '1').code).toBe(2);
    expect(run('lag', '--max', '2').code).toBe(0);
    expect(run('lag', '--max', 'two').code).toBe(3);
    expect(run('lag', '--no-such-option').code).toBe(3);
  });

  it('list the fleet, and forget of it who is gone', () => {
    expect(json('hosts', 'list')).toMatchObject({
      severity: 'ok',
      known: 1,
      hosts: [{ hostname: 'host-1', samples: 2, received: 2, lost: 1, missing: 0, retired_at: null }],
    });
    expect(run('hosts', 'list').stdout).toContain('host-1');
    expect(run('hosts', 'list', '--max-silent', '10m').code).toBe(2);
    expect(run('hosts', 'forget', 'host-1', 'host-9')).toMatchObject({
      code: 1,
      stdout: 'host-1 is retired\n',
      stderr: expect.stringContaining('HOST_UNKNOWN'),
    });
    expect(run('hosts', 'list', '--max-silent', '10m')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('retired'),
    });
    expect(json('hosts', 'list', '--active')).toMatchObject({ known: 1, retired: 1, hosts: [] });
  });

  it('show what became a dead letter and why, harmless to a terminal', () => {
    const { entries, count } = json('dead-letters', 'list');
    expect(count).toBe(3);
    const byOrigin = Object.fromEntries(entries.map((entry: { origin: string }) => [entry.origin, entry]));
    expect(byOrigin).toMatchObject({
      '0:2': { host: 'host-1', code: 'SAMPLE_INVALID', times: 1, replayed: false, truncated: false },
      '0:3': { host: 'host-1', reason: expect.stringContaining('not JSON') },
      '0:4': { host: null, reason: expect.stringContaining('not UTF-8') },
    });
    const shown = run('dead-letters', 'show', '0:3');
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('not \\u001b[31mJSON');
    expect(run('dead-letters', 'show', '0:4').stdout).toContain('00000000  ff 00');
    expect(json('dead-letters', 'show', '0:4')).toMatchObject({
      key: null,
      value: null,
      value_base64: '/wA=',
      headers: expect.arrayContaining([{ name: 'trace', value: 'a', value_base64: null }]),
    });
    expect(run('dead-letters', 'show', '9:9')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('DEAD_LETTER_UNKNOWN'),
    });
    expect(run('dead-letters', 'show', 'nonsense').code).toBe(2);
  });

  it('send a dead letter back as it was, once', async () => {
    expect(run('dead-letters', 'replay').code).toBe(2);
    expect(run('dead-letters', 'replay', '--all', '--dry-run').stdout).toContain('3 would be sent back');
    const replayed = run('dead-letters', 'replay', '--origin', '0:4');
    expect(replayed).toMatchObject({ code: 0, stdout: expect.stringContaining('1 sent back') });
    const [last] = (await readTopic(addresses.bootstrap, topic)).slice(-1);
    expect(last).toMatchObject({ offset: 7, key: undefined, headers: { trace: 'a' } });
    expect(run('dead-letters', 'replay', '--origin', '0:4').stdout).toContain('0 sent back, 1 left');
    expect(json('dead-letters', 'list', '--pending').entries).toHaveLength(2);
    expect(run('dead-letters', 'list').stdout).toContain('sent back');
  });

  it('refuse to reset the offsets under a running writer', async () => {
    await using writer = new RunningExecutable(['--mode=writer', ...settings], { HOME: scratch.path });
    await until(() => json('lag').lag === 0, 'all is loaded');
    expect(run('offsets', 'reset', '--to-earliest', '--yes')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('KAFKA_GROUP_ACTIVE'),
    });
    expect(await writer.end()).toBe(0);
  });

  it('go back to the beginning: no row twice, the accounts as they were, each dead letter seen once more', async () => {
    const before = accounting();
    const planned = run('offsets', 'reset', '--to-earliest');
    expect(planned).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was changed') });
    expect(json('offsets', 'show').partitions[0]).toMatchObject({ next: 8, epoch: 0 });
    expect(run('offsets', 'reset', '--to-earliest', '--yes').code).toBe(0);
    expect(json('offsets', 'show').partitions[0]).toMatchObject({ next: 0, kafka_committed: 0, evidence_at: null });
    await load();
    expect(accounting()).toEqual(before);
    expect(before).toEqual([{ taken: 5, received: 4, lost_dead_letter: 1, lost_skipped_by_operator: 0, missing: 0 }]);
    const { entries } = json('dead-letters', 'list');
    expect(entries.find(({ origin }: { origin: string }) => origin === '0:2')).toMatchObject({ times: 2 });
  });

  it('skip to the end, which is on record with its reason; what was skipped is received after all by going back', async () => {
    await produce(addresses.bootstrap, topic, samples(6, 7, 8));
    expect(run('offsets', 'reset', '--to-latest', '--yes').code).toBe(0);
    await produce(addresses.bootstrap, topic, samples(9));
    await load();
    expect(accounting()).toEqual([
      { taken: 9, received: 5, lost_dead_letter: 1, lost_skipped_by_operator: 3, missing: 0 },
    ]);
    expect(run('offsets', 'reset', '--to-offset', '8', '--partition', '0', '--yes').code).toBe(0);
    await load();
    expect(accounting()).toEqual([
      { taken: 9, received: 8, lost_dead_letter: 1, lost_skipped_by_operator: 0, missing: 0 },
    ]);
  });

  it('make a dead letter’s sample received when its replay succeeds', async () => {
    // As after a mended decoder: the same sample, whole this time, is sent back from the dead-letter topic.
    const headers = {
      'hostspool-topic': topic,
      'hostspool-partition': '0',
      'hostspool-offset': '2',
      'hostspool-epoch': '1',
      'hostspool-reason': 'a reason of the past',
      'hostspool-code': 'SAMPLE_INVALID',
    };
    await produce(addresses.bootstrap, `${topic}.dlq`, [{ key: 'host-1', value: message(1, 3), headers }]);
    expect(run('dead-letters', 'replay', '--reason', 'of the past').stdout).toContain('1 sent back');
    await load();
    expect(accounting()).toEqual([
      { taken: 9, received: 9, lost_dead_letter: 0, lost_skipped_by_operator: 0, missing: 0 },
    ]);
  });

  it('say so loudly when the topic was made anew', async () => {
    await withAdmin(addresses.bootstrap, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
    });
    await until(async () => {
      try {
        await withAdmin(addresses.bootstrap, (admin) =>
          admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }),
        );
        return true;
      } catch {
        return false;
      }
    }, 'the topic is there again');
    await until(() => run('lag').code === 2, 'the topic is seen to be another');
    expect(json('lag')).toMatchObject({ severity: 'critical', reason_codes: ['topic_recreated'] });
    expect(run('offsets', 'reset', '--to-earliest', '--yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('TOPIC_RECREATED'),
    });
  });
});
