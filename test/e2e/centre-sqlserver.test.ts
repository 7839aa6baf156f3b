/** The commands of the centre against SQL Server's protocol: the built executable and the TDS double as a process. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import { createTopic } from '../support/broker.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { type Finished, runExecutable, Scratch } from '../support/executable.ts';
import { produce } from '../support/plain-producer.ts';
import { sqlServerSettings } from '../support/sqlserver-fixture.ts';
import { TdsProcess } from '../support/tds/process.ts';
import { loadAll, message } from '../unit/sink/a-load.ts';

const { addresses, missing } = testBroker();
const PASSWORD = 'correct horse; battery';
const scratch = new Scratch();
const topic = uniqueTopic('centre');
let server: TdsProcess;
let sink: SqlServerSink;

function run(args: readonly string[], password = PASSWORD): Finished {
  const settings = [
    '--config=/dev/null',
    `--kafka.brokers=${addresses.bootstrap || '127.0.0.1:1'}`,
    `--kafka.topic=${topic}`,
    '--kafka.group=test',
    `--sqlserver.port=${server.port}`,
    '--sqlserver.user=hostspool',
    '--sqlserver.encrypt=false',
  ];
  return runExecutable([...args, ...settings], {
    env: { HOME: scratch.path, HOSTSPOOL_SQLSERVER_PASSWORD: password },
  });
}
const json = (...args: string[]) => JSON.parse(run([...args, '--json']).stdout);

beforeAll(async () => {
  server = await TdsProcess.start({ directory: scratch.path, args: ['--password', PASSWORD] });
  sink = new SqlServerSink({ settings: sqlServerSettings(server.port, { password: PASSWORD }), log: silentLog });
});

afterAll(async () => {
  await sink.close();
  await server[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

describe('the fleet in SQL Server', () => {
  it('is unknown before there are tables, and none are made by looking', () => {
    expect(json('hosts', 'list')).toMatchObject({ severity: 'unknown', reason_codes: ['SINK_SCHEMA_MISSING'] });
    expect(run(['hosts', 'list']).code).toBe(3);
    expect(run(['migrate']).code).toBe(0);
    expect(json('hosts', 'list')).toMatchObject({ severity: 'ok', known: 0, hosts: [] });
  });

  it('is listed, and a host forgotten that a later sample takes back', async () => {
    await loadAll(sink, [message(1, 1), message(1, 2, { hostname: 'ホスト-ß' })], null);
    expect(json('hosts', 'list', '--sort', 'samples').hosts).toMatchObject([
      { hostname: 'host-1', samples: 1, spool_depth: 1, agent_version: '1.0.0', retired_at: null },
      { hostname: 'ホスト-ß', samples: 1 },
    ]);
    expect(run(['hosts', 'forget', 'ホスト-ß'])).toMatchObject({ code: 0, stdout: 'ホスト-ß is retired\n' });
    expect(json('hosts', 'list', '--active').hosts).toMatchObject([{ hostname: 'host-1' }]);
    const later = new Date(Date.now() + 60_000).toISOString();
    await loadAll(sink, [message(1, 3, { hostname: 'ホスト-ß', timestamp: later })], 2);
    expect(json('hosts', 'list')).toMatchObject({ known: 2, retired: 0 });
  });

  it('is unknown to a wrong password, which nothing repeats', () => {
    const { code, stdout, stderr } = run(['hosts', 'list'], 'a wrong password');
    expect([code, stderr]).toEqual([3, expect.stringContaining('SINK_LOGIN')]);
    expect(stdout + stderr).not.toContain('a wrong password');
  });
});

describe.skipIf(missing !== undefined)('lag and offsets with SQL Server', () => {
  beforeAll(async () => {
    await createTopic(addresses.bootstrap, topic);
    const messages = Array.from({ length: 10 }, (_, seq) => ({ key: 'host-1', value: message(1, seq + 1) }));
    await produce(addresses.bootstrap, topic, messages);
  });

  it('go by its offsets, and fall back on Kafka’s when the login is refused', async () => {
    await sink.resetOffsets({ group: 'test', topic }, [{ partition: 0, stored: null, next: 4 }], []);
    expect(json('lag')).toMatchObject({ severity: 'ok', source: 'database', lag: 6 });
    const refused = JSON.parse(run(['lag', '--json'], 'a wrong password').stdout);
    expect(refused).toMatchObject({ severity: 'warning', source: 'kafka', database_error: { code: 'SINK_LOGIN' } });
    expect(JSON.stringify(refused)).not.toContain('a wrong password');
  });

  it('are reset with what is skipped on record, and the record taken back', async () => {
    const reader = { group: 'test', topic };
    expect(run(['offsets', 'reset', '--to-latest', '--yes'])).toMatchObject({ code: 0, stderr: '' });
    expect(await sink.readHoles(reader)).toMatchObject([
      { first_offset: 4, next_offset: 10, reason: 'skipped_by_operator' },
    ]);
    expect(json('offsets', 'show').partitions).toMatchObject([{ next: 10, kafka_committed: 10, log_end: 10 }]);
    expect(run(['offsets', 'reset', '--to-offset', '6', '--yes']).code).toBe(0);
    expect(await sink.readHoles(reader)).toMatchObject([{ first_offset: 4, next_offset: 6 }]);
    expect(run(['offsets', 'reset', '--to-earliest', '--yes']).code).toBe(0);
    expect(await sink.readHoles(reader)).toEqual([]);
  });
});
