/** `hostspool check` as its users run it: what it prints, as whom it looks, how it ends. */
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckReport } from '../../src/operate/check/plan.ts';
import { createTopic } from '../support/broker.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { found } from '../support/check-worlds.ts';
import { RunningExecutable, runExecutable, Scratch } from '../support/executable.ts';
import { TdsProcess } from '../support/tds/process.ts';

const { addresses, missing } = testBroker();
const NOBODY = 65_534;
let scratch: Scratch;

beforeAll(() => {
  scratch = new Scratch();
  chmodSync(scratch.path, 0o755);
});

afterAll(() => scratch?.[Symbol.dispose]());

const common = () => ['--config=/dev/null', '--http.address=', '--spool.min_free=0'];

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, uid?: number) {
  const options = { cwd: scratch.path, env: { HOME: scratch.path, ...env } };
  return runExecutable(['check', ...common(), ...args], uid === undefined ? options : { ...options, uid });
}

function asJson(...given: Parameters<typeof run>): { code: number | null; report: CheckReport } {
  const [args, ...rest] = given;
  const { code, stdout, stderr } = run([...args, '--json'], ...rest);
  expect(stderr).toBe('');
  return { code, report: JSON.parse(stdout) as CheckReport };
}

describe('hostspool check', () => {
  it('ends with 0 where all is in order, and makes nothing', () => {
    const { code, stdout, stderr } = run(['--mode=local']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^✓ settings .*\n[^✗]*\nOK|WARNING for mode local: /);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  it('ends with 2 for settings and 1 for anything else, with the cause and what to do', () => {
    const settings = asJson([]);
    expect(settings.code).toBe(2);
    expect(settings.report.checks).toMatchObject([{ name: 'settings', code: 'KAFKA_BROKERS_MISSING' }]);
    const broker = run(['--kafka.brokers=127.0.0.1:1']);
    expect(broker.code).toBe(1);
    expect(broker.stdout).toMatch(/✗ broker tcp .*cannot be reached[^→]*→ check kafka\.brokers/s);
    expect(run(['--timeout=soon', '--mode=local'])).toMatchObject({ code: 2, stdout: '' });
  });

  it.skipIf(process.getuid?.() !== 0)('looks as the user who runs it', () => {
    const own = join(scratch.path, 'roots');
    const args = ['--mode=local', `--spool.path=${own}/spool.db`];
    expect(asJson(args).code).toBe(0);
    const { code, report } = asJson(args, {}, NOBODY);
    expect(code).toBe(1);
    expect(report.uid).toBe(NOBODY);
    expect(found(report, 'spool')).toMatchObject({ state: 'failed', code: 'SPOOL_PERMISSION' });
    expect(found(report, 'sqlite')).toMatchObject({ state: 'failed', code: 'SINK_READ_ONLY' });
    expect(existsSync(own)).toBe(false);
  });

  it('finds an agent that runs in order, and names it', async () => {
    const spool = `--spool.path=${join(scratch.path, 'running', 'spool.db')}`;
    await using agent = new RunningExecutable([...common(), '--mode=local', spool]);
    await agent.event('local_started');
    const { report } = asJson(['--mode=local', spool]);
    expect(found(report, 'spool')).toMatchObject({ state: 'ok', detail: { held_by_pid: agent.pid } });
    await agent.end();
  });

  it.skipIf(missing !== undefined)('sees a writer’s world whole, by TLS and a login to both servers', async () => {
    const topic = uniqueTopic();
    await createTopic(addresses.bootstrap, topic);
    writeFileSync(scratch.file('ca.pem'), addresses.ca);
    await using server = await TdsProcess.start({ directory: scratch.file('databases') });
    const args = [
      ...['--mode=writer', `--kafka.brokers=${addresses.sasl.bootstrap}`, `--kafka.topic=${topic}`],
      ...['--kafka.tls.enabled', `--kafka.tls.ca=${scratch.file('ca.pem')}`, '--kafka.sasl.mechanism=scram-sha-512'],
      ...[`--kafka.sasl.username=${addresses.sasl.username}`, '--sqlserver.host=127.0.0.1'],
      ...[`--sqlserver.port=${server.port}`, '--sqlserver.user=hostspool', '--sqlserver.encrypt=false'],
    ];
    const env = {
      HOSTSPOOL_KAFKA_SASL_PASSWORD: addresses.sasl.password,
      HOSTSPOOL_SQLSERVER_PASSWORD: 'secret',
    };
    const { code, report } = asJson(args, env);
    expect(report.checks.filter(({ state }) => state === 'failed')).toEqual([]);
    expect(code).toBe(0);
    expect(found(report, 'group').state).toBe('ok');
    expect(found(report, 'sqlserver.schema')).toMatchObject({ state: 'warning', code: 'SINK_SCHEMA_MISSING' });
    const wrong = run(args, {
      ...env,
      HOSTSPOOL_KAFKA_SASL_PASSWORD: 'wrong-1',
      HOSTSPOOL_SQLSERVER_PASSWORD: 'wrong-2',
    });
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toContain('[KAFKA_AUTHENTICATION]');
    expect(wrong.stdout).toContain('[SINK_LOGIN]');
    expect(wrong.stdout + wrong.stderr).not.toMatch(/wrong-[12]/);
  });
});
