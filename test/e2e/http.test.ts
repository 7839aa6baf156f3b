/** The endpoint of the built executable: asked as an operator, a Prometheus and a second agent would. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { createTopic } from '../support/broker.ts';
import { CertificateAuthority } from '../support/broker-certificates.ts';
import { type LogLine, RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';
import { ask, askJson } from '../support/http-client.ts';
import { preparePrometheusParser } from '../support/prometheus-parser.ts';
import { TdsProcess } from '../support/tds/process.ts';

const broker = inject('broker');
const { parse, reason } = preparePrometheusParser();
const promtool = spawnSync('promtool', ['--version']).status === 0;

function start(
  scratch: Scratch,
  changes: Readonly<Record<string, string>> = {},
  env: NodeJS.ProcessEnv = {},
): RunningExecutable {
  const flags = {
    mode: 'local',
    config: '/dev/null',
    'collect.interval': '100ms',
    'http.address': '127.0.0.1:0',
    'log.level': 'debug',
    'spool.path': scratch.file('spool.db'),
    ...changes,
  };
  return new RunningExecutable(
    Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    env,
  );
}

async function portOf(running: RunningExecutable): Promise<number> {
  return Number((await running.event('http_listening')).port);
}

async function metrics(port: number): Promise<string> {
  const { status, text } = await ask(port, '/metrics');
  expect(status).toBe(200);
  return text;
}

describe('hostspool health', () => {
  it('ends with 0 while the process answers, 1 once nobody does, 2 where nobody can be asked', async () => {
    using scratch = new Scratch();
    const token = 'hunter2-hunter2';
    const env = { HOSTSPOOL_HTTP_TOKEN: token };
    await using local = start(scratch, {}, env);
    const address = `--http.address=127.0.0.1:${await portOf(local)}`;
    await until(() => local.taken().length >= 2, 'samples were taken');
    const health = (...args: string[]) => runExecutable(['health', '--config=/dev/null', ...args], { env });

    const well = health(address, '--ready');
    expect(well).toMatchObject({ code: 0, stderr: '' });
    expect(well.stdout).toMatch(/^OK {2}http:\/\/127\.0\.0\.1:\d+\/health\/ready\n$/);
    const { code, stdout } = health(address, '--json');
    expect({ code, answer: JSON.parse(stdout) }).toEqual({ code: 0, answer: { status: 'ok', reasons: [] } });
    const refused = runExecutable(['health', '--config=/dev/null', address]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('[HEALTH_TOKEN]');

    await local.end();
    const gone = health(address, '--json');
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain('[HEALTH_UNREACHABLE]');
    expect(JSON.parse(gone.stdout)).toMatchObject({ status: 'unknown', reason_codes: ['HEALTH_UNREACHABLE'] });
    expect(health('--http.address=')).toMatchObject({ code: 2, stdout: '' });
    for (const { stdout, stderr } of [well, gone]) expect(stdout + stderr).not.toContain(token);
  });
});

describe('local mode over HTTP', () => {
  it('is well, and tells the status that hostspool status tells', async () => {
    using scratch = new Scratch();
    await using local = start(scratch);
    const port = await portOf(local);
    await until(() => local.taken().length >= 5, 'samples were taken');
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect(await askJson(port, path)).toEqual({ code: 200, status: 'ok', reasons: [] });
    }
    const { code, ...live } = await askJson(port, '/status');
    const { stdout } = runExecutable(['status', '--json', '--spool', scratch.file('spool.db')]);
    const told = JSON.parse(stdout) as Record<string, object>;
    expect(code).toBe(200);
    for (const part of ['spool', 'agent', 'shipping']) {
      expect(Object.keys(live[part] as object)).toEqual(Object.keys(told[part] as object));
    }
    expect(live).toMatchObject({ severity: 'ok', agent: { running: true, pid: local.pid, known_by: 'lock' } });
    expect((await ask(port, '/status')).status).toBe(200);
    expect(await local.end()).toBe(0);
  });

  it.skipIf(reason !== undefined)(
    `has metrics that another client reads${reason === undefined ? '' : ` (skipped: ${reason})`}`,
    async () => {
      using scratch = new Scratch();
      await using local = start(scratch);
      const port = await portOf(local);
      await until(() => local.taken().length >= 5, 'samples were taken');
      const families = parse(await metrics(port));
      const value = (name: string) => families.find((sample) => sample.name === name)?.value;
      expect(value('hostspool_samples_taken_total')).toBeGreaterThanOrEqual(5);
      expect(value('hostspool_spool_capacity_bytes')).toBe(512 * 1024 * 1024);
      expect(families.find(({ name }) => name === 'hostspool_build_info')?.labels).toMatchObject({ mode: 'local' });
      const cpu = families.filter(
        ({ name, labels }) => name === 'hostspool_sample_duration_seconds_bucket' && labels.collector === 'cpu',
      );
      expect(cpu.map(({ value: count }) => count)).toEqual(cpu.map(({ value: count }) => count).sort((a, b) => a - b));
      expect(cpu.at(-1)).toMatchObject({ labels: { le: '+Inf' } });
    },
  );

  it.skipIf(!promtool)(
    `has metrics that promtool has nothing against${promtool ? '' : ' (skipped: no promtool here)'}`,
    async () => {
      using scratch = new Scratch();
      await using local = start(scratch);
      const port = await portOf(local);
      await until(() => local.taken().length >= 1, 'a sample was taken');
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: await metrics(port),
        encoding: 'utf8',
      });
      expect(`${stdout}${stderr}`).toBe('');
      expect(status).toBe(0);
    },
  );

  it('goes on sampling where the address is in use, says so once, and listens once it is free', async () => {
    using scratch = new Scratch();
    using other = new Scratch();
    await using first = start(scratch);
    const port = await portOf(first);
    await using second = start(other, { 'http.address': `127.0.0.1:${port}` });
    expect(await second.event('http_not_listening')).toMatchObject({
      level: 'warn',
      err: { code: 'HTTP_ADDRESS_IN_USE', retryable: true },
    });
    await until(() => second.taken().length >= 5, 'samples were taken all the same');
    await first.end();
    expect((await second.event('http_listening')).port).toBe(port);
    expect((await askJson(port, '/status')).agent).toMatchObject({ pid: second.pid });
  });

  it('takes another token at SIGHUP, from a file that shows up nowhere', async () => {
    using scratch = new Scratch();
    const config = scratch.file('hostspool.yaml');
    const token = scratch.file('token');
    writeFileSync(token, 'first-token\n', { mode: 0o600 });
    writeFileSync(config, `http: { token: { file: ${token} } }\n`);
    await using local = start(scratch, { config });
    const port = await portOf(local);
    const answer = async (shown: string) =>
      (await ask(port, '/health', { headers: { authorization: `Bearer ${shown}` } })).status;
    await until(() => local.taken().length >= 1, 'a sample was taken');
    expect([await answer('first-token'), await answer('second-token')]).toEqual([200, 401]);
    writeFileSync(token, 'second-token\n');
    local.signal('SIGHUP');
    const reloaded = await local.event('settings_reloaded');
    expect(reloaded.changed).toEqual(['http.token']);
    expect([await answer('first-token'), await answer('second-token')]).toEqual([401, 200]);
    await local.end();
    expect(`${JSON.stringify(local.lines)}${local.stderr}`).not.toMatch(/(first|second)-token/);
  });

  it('tells when its certificate ends, and another time once it was renewed and SIGHUP came', async () => {
    using scratch = new Scratch();
    const authority = new CertificateAuthority();
    const tls = { cert: scratch.file('http.pem'), key: scratch.file('http.key') };
    const issue = (notAfter: Date) => {
      const { cert, key } = authority.issue({ commonName: 'localhost', names: ['127.0.0.1'], notAfter });
      writeFileSync(tls.cert, cert);
      writeFileSync(tls.key, key, { mode: 0o600 });
    };
    issue(new Date('2040-01-01'));
    await using local = start(scratch, { 'http.tls.cert': tls.cert, 'http.tls.key': tls.key });
    const port = await portOf(local);
    const end = async () => {
      const { text } = await ask(port, '/metrics', { tls: true, ca: authority.cert });
      const line = /^hostspool_certificate_expiry_timestamp_seconds\{setting="http.tls.cert"\} (\S+)$/m.exec(text);
      return new Date(Number(line?.[1]) * 1000).toISOString().slice(0, 10);
    };
    expect(await end()).toBe('2040-01-01');
    issue(new Date('2041-06-30'));
    local.signal('SIGHUP');
    await until(async () => (await end()) === '2041-06-30', 'the metric follows the certificate');
  });

  it('listens nowhere with an empty address, and a warning comes with one that others can reach', async () => {
    using scratch = new Scratch();
    await using off = start(scratch, { 'http.address': '' });
    await until(() => off.taken().length >= 2, 'samples were taken');
    expect(off.lines.some(({ event }) => event?.startsWith('http_'))).toBe(false);
    await off.end();
    await using open = start(scratch, { 'http.address': '0.0.0.0:0' });
    const warning = await open.line((line: LogLine) => line.event === 'settings_warning');
    expect(warning.msg).toContain('http.token');
  });
});

describe.skipIf(!broker.available)(
  `an agent over HTTP${broker.available ? '' : ` (skipped: ${broker.reason})`}`,
  () => {
    if (!broker.available) return;

    it('is well with Kafka, and counts what it sends', async () => {
      using scratch = new Scratch();
      const topic = `http-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic, { partitions: 1 });
      const to = { 'kafka.brokers': broker.bootstrap, 'kafka.topic': topic };
      await using agent = start(scratch, { mode: 'agent', ...to });
      const port = await portOf(agent);
      await until(async () => /hostspool_messages_sent_total [1-9]/.test(await metrics(port)), 'samples were sent');
      expect(await askJson(port, '/health')).toMatchObject({ code: 200, status: 'ok' });
      expect(await metrics(port)).toMatch(/hostspool_ship_latency_seconds_count [1-9]/);
      expect(await agent.end()).toBe(0);
    });

    it('is degraded, not failed, without Kafka, and says so with the reason', async () => {
      using scratch = new Scratch();
      const nowhere = { 'kafka.brokers': '127.0.0.1:1', 'backoff.base': '10ms', 'backoff.cap': '100ms' };
      await using agent = start(scratch, { mode: 'agent', ...nowhere });
      const port = await portOf(agent);
      await agent.event('ship_failed');
      const { code, status, reasons } = await askJson(port, '/health');
      expect({ code, status }).toEqual({ code: 200, status: 'degraded' });
      expect(String(reasons)).toContain('KAFKA_UNREACHABLE');
      const text = await metrics(port);
      expect(text).toMatch(/hostspool_backoff_failures{target="kafka"} [1-9]/);
      expect(text).toMatch(/hostspool_spool_depth [1-9]/);
      expect(text).toContain('hostspool_losses_total{reason="spool_full"} 0');
      expect(await askJson(port, '/status')).toMatchObject({ severity: 'warning', reason_codes: ['shipping_failing'] });
    });
  },
);

describe.skipIf(!broker.available)(
  `a writer over HTTP${broker.available ? '' : ` (skipped: ${broker.reason})`}`,
  () => {
    if (!broker.available) return;
    const writer = { mode: 'writer', 'writer.batch_timeout': '100ms', 'backoff.base': '50ms', 'backoff.cap': '200ms' };

    it('is well while it loads, and tells of the fleet', async () => {
      using scratch = new Scratch();
      const topic = `http-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic, { partitions: 2 });
      const to = { 'kafka.brokers': broker.bootstrap, 'kafka.topic': topic };
      const sink = { 'writer.sink': 'sqlite', 'sqlite.path': scratch.file('metrics.db') };
      await using agent = start(scratch, { mode: 'agent', 'collect.hostname': 'web-1', 'http.address': '', ...to });
      await using loading = start(scratch, { ...writer, ...to, ...sink });
      const port = await portOf(loading);
      await until(async () => /hostspool_rows_inserted_total [1-9]/.test(await metrics(port)), 'rows were inserted');
      await agent.end();
      await until(async () => (await askJson(port, '/health')).status === 'ok', 'it is well');
      expect(await askJson(port, '/health/ready')).toMatchObject({ code: 200 });
      expect((await ask(port, '/status')).status).toBe(404);
      const text = await metrics(port);
      expect(text).toMatch(/hostspool_lag_messages{partition="1"} \d/);
      expect(text).toContain('hostspool_partitions_assigned 2\n');
      if (promtool) {
        const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
        expect(`${stdout}${stderr}`).toBe('');
      }
      // The fleet is read anew after ten seconds; a writer that starts anew reads it at once.
      await loading.end();
      await using second = start(scratch, { ...writer, ...to, ...sink });
      const fleet = await metrics(await portOf(second));
      expect(fleet).toContain('hostspool_fleet_hosts 1\n');
      expect(fleet).toContain('hostspool_fleet_samples_missing 0\n');
      expect(fleet).toMatch(/hostspool_fleet_host_spool_depth{hostname="web-1"} \d/);
    });

    it('fails at once when the database refuses its login, and is well when it no longer does', async () => {
      using scratch = new Scratch();
      const topic = `http-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic, { partitions: 1 });
      const to = { 'kafka.brokers': broker.bootstrap, 'kafka.topic': topic };
      await using server = await TdsProcess.start({ directory: scratch.path, args: ['--password', 'hunter2'] });
      const database = {
        'sqlserver.port': String(server.port),
        'sqlserver.user': 'hostspool',
        'sqlserver.encrypt': 'false',
      };
      const env = { HOSTSPOOL_SQLSERVER_PASSWORD: 'hunter2' };
      await using agent = start(scratch, { mode: 'agent', 'http.address': '', ...to });
      await using loading = start(scratch, { ...writer, ...to, ...database }, env);
      const port = await portOf(loading);
      const healthIs = (code: number) => async () => (await askJson(port, '/health')).code === code;
      await until(async () => /hostspool_rows_inserted_total [1-9]/.test(await metrics(port)), 'rows were inserted');

      await server.tell('password', 'another one');
      await server.tell('cut');
      await until(healthIs(503), 'it says that it fails');
      const { reasons } = await askJson(port, '/health');
      expect(String(reasons)).toContain('SINK_LOGIN');
      expect(await askJson(port, '/health/live')).toMatchObject({ code: 200 });
      const failures = /hostspool_errors_total{kind="database"} [1-9]/;
      await until(async () => failures.test(await metrics(port)), 'the failures are counted');

      await server.tell('password', 'hunter2');
      await until(healthIs(200), 'it is well again');
      await agent.end();
      await loading.end();
      expect(JSON.stringify(loading.lines)).not.toContain('hunter2');
    });
  },
);
