import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { executable, RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';

/** An account without rights, on every Linux. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

describe('the executable', () => {
  it('says version, commit, Node and SQLite, alone in an empty directory as an unprivileged user', () => {
    using scratch = new Scratch();
    chmodSync(scratch.path, 0o777);
    const before = readdirSync(tmpdir()).filter((name) => name.includes('hostspool') && name.endsWith('.node'));
    const { code, stdout, stderr } = runExecutable(['--version'], {
      cwd: scratch.path,
      ...(isRoot ? { uid: NOBODY } : {}),
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^hostspool \d+\.\d+\.\d+ \(commit \S+, Node 24\.\d+\.\d+, SQLite 3\.\d+\.\d+\)\n$/);
    expect(code).toBe(0);
    expect(readdirSync(scratch.path)).toEqual([]);
    expect(readdirSync(tmpdir()).filter((name) => name.includes('hostspool') && name.endsWith('.node'))).toEqual(
      before,
    );
  });

  it.each([
    [['--version'], 1],
    [['--help'], 1],
    [['config'], 1],
    [['sample', '--json'], 1],
    [['status'], 3],
    [['status', '--json'], 3],
  ])('says so when what it prints finds no room: %j', (args, code) => {
    using scratch = new Scratch();
    const full = openSync('/dev/full', 'w');
    try {
      const env = { HOME: scratch.path, HOSTSPOOL_KAFKA_BROKERS: '127.0.0.1:9' };
      const result = spawnSync(executable, args, { cwd: scratch.path, env, stdio: ['ignore', full, 'pipe'] });
      const said = String(result.stderr);
      if (args.join() === 'status') expect(said).toContain('[SPOOL_MISSING]');
      else
        expect(said).toContain(
          'the output could not be written: ENOSPC: no space left on device, write [OUTPUT_FAILED]',
        );
      expect(said).not.toContain('    at ');
      expect(result.status).toBe(code);
    } finally {
      closeSync(full);
    }
  });

  it('names the command that was probably meant', () => {
    const { code, stderr } = runExecutable(['statuss']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        'hostspool: Unknown argument: statuss [USAGE]\n  hint: did you mean hostspool status? See hostspool --help\n',
    });
  });

  it('knows nothing of the folder it was built in, so that two builds are the same bytes', () => {
    const content = readFileSync(executable);
    expect(content.includes('hostspool.cjs')).toBe(true);
    expect(content.includes(dirname(executable))).toBe(false);
    expect(content.includes('build/work-')).toBe(false);
  });

  it('takes a sample without any configuration and writes nothing', () => {
    using scratch = new Scratch();
    chmodSync(scratch.path, 0o777);
    const { code, stdout } = runExecutable(['sample', '--json'], {
      cwd: scratch.path,
      env: { HOME: scratch.path },
      ...(isRoot ? { uid: NOBODY } : {}),
    });
    expect(code).toBe(0);
    const sample = JSON.parse(stdout) as Record<string, unknown>;
    expect(sample).toMatchObject({
      hostname: expect.any(String),
      timestamp: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
    });
    for (const field of [
      'cpu_percent',
      'memory_percent',
      'memory_used_mb',
      'memory_total_mb',
      'disk_percent',
      'disk_used_gb',
      'disk_total_gb',
      'network_bytes_sent',
      'network_bytes_recv',
    ]) {
      expect(sample[field], field).toEqual(expect.any(Number));
    }
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  it('stops an agent without brokers with what to set, and with local mode as the way to try it', () => {
    const { code, stderr } = runExecutable([]);
    expect(code).toBe(2);
    expect(stderr).toContain('KAFKA_BROKERS_MISSING');
    expect(stderr).toContain('kafka.brokers');
    expect(stderr).toContain('--mode=local');
  });

  it('stops at an unknown key with the nearest right name', () => {
    using scratch = new Scratch();
    const file = scratch.file('hostspool.yaml');
    writeFileSync(file, 'spool:\n  max_byte: 1GiB\n');
    const fromFile = runExecutable([`--config=${file}`]);
    expect(fromFile.code).toBe(2);
    expect(fromFile.stderr).toContain('spool.max_bytes');
    const fromFlag = runExecutable(['--spool.max_byte=1GiB']);
    expect(fromFlag.code).toBe(2);
    expect(fromFlag.stderr).toContain('spool.max_bytes');
    const fromEnvironment = runExecutable([], { env: { HOSTSPOOL_SPOOL_MAX_BYTE: '1GiB' } });
    expect(fromEnvironment.code).toBe(2);
    expect(fromEnvironment.stderr).toContain('HOSTSPOOL_SPOOL_MAX_BYTES');
  });

  it('never shows a secret, however it was given', () => {
    const secret = 'zq-7719-secret';
    const shown = [
      runExecutable(['config'], { env: { HOSTSPOOL_KAFKA_SASL_PASSWORD: secret } }),
      runExecutable(['config', '--json'], { env: { DB_PASSWORD: secret } }),
      runExecutable([`--kafka.sasl.password=${secret}`]),
      runExecutable(['--kafka.brokers=127.0.0.1:1', `--kafka.sasl.pasword=${secret}`]),
    ];
    for (const { stdout, stderr } of shown) expect(stdout + stderr).not.toContain(secret);
    expect(shown.map(({ code }) => code)).toEqual([0, 0, 2, 2]);
  });

  it('dates its log for people', () => {
    const { code, stdout, stderr } = runExecutable([
      '--config=/dev/null',
      '--kafka.brokers=127.0.0.1:1',
      '--ship.batch_bytes=2MiB',
      '--log.format=pretty',
      '--spool.path=/proc/hostspool/spool.db',
    ]);
    expect(stdout).toMatch(/\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\].*max\.message\.bytes/);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/SPOOL_(OPEN|PERMISSION)/)]);
  });

  it('names an unknown command as such', () => {
    const { code, stderr } = runExecutable(['statsu']);
    expect(code).toBe(2);
    expect(stderr).toContain('statsu');
    expect(stderr).toContain('[USAGE]');
  });

  it('exits at once at a second signal, even while a broker leaves it without an answer, and keeps what it took', async () => {
    using scratch = new Scratch();
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const spool = scratch.file('spool.db');
    const args = [
      '--config=/dev/null',
      `--kafka.brokers=127.0.0.1:${port}`,
      '--shutdown.timeout=10m',
      '--kafka.request_timeout=10m',
      '--kafka.connect_timeout=5m',
    ];
    await using agent = new RunningExecutable([
      ...args,
      '--collect.interval=100ms',
      '--http.address=',
      '--log.level=debug',
      `--spool.path=${spool}`,
    ]);
    await until(() => agent.taken().length >= 3, 'three samples were taken');
    agent.signal('SIGTERM');
    await agent.event('agent_stopping');
    expect(await agent.end('SIGTERM')).toBe(null);
    silent.close();
    const report = JSON.parse(runExecutable(['status', '--json', `--spool=${spool}`]).stdout) as {
      spool: { depth: number };
    };
    expect(report.spool.depth).toBe(agent.taken().length);
  });
});
