/**
 * What an agent costs: CPU, memory and disk per sample while Kafka is up, at 5 s and at 1 s; and how fast a backlog is
 * appended and drained. Everything on the built executable but the append, which is the product's own spool.
 *
 * CPU is the kernel's account of the process, so a noisy neighbour changes the time, hardly the figure.
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { formatSize } from '../../src/lib/units.ts';
import { Spool } from '../../src/spool/spool.ts';
import { Broker } from '../../test/support/broker.ts';
import { executable, RunningExecutable, runExecutable, until } from '../../test/support/executable.ts';
import { processCost } from './process-cost.ts';

export interface AgentBench {
  /** How long each steady agent is watched. */
  readonly seconds: number;
  /** Samples of the backlog. */
  readonly samples: number;
}

const WARM_UP_SAMPLES = 3;

export async function benchAgent({ seconds, samples }: AgentBench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'hostspool-bench-'));
  await using broker = await Broker.start();
  try {
    for (const interval of [5000, 1000]) await steady(broker, directory, interval, seconds);
    for (const synchronous of ['full', 'normal'] as const)
      appendBacklog(directory, synchronous, synchronous === 'full' ? samples / 10 : samples);
    await drain(broker, directory, samples);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function steady(broker: Broker, directory: string, interval: number, seconds: number): Promise<void> {
  const topic = `bench-${randomUUID()}`;
  await broker.createTopic(topic);
  await using agent = new RunningExecutable([
    '--config=/dev/null',
    `--kafka.brokers=${broker.addresses.bootstrap}`,
    `--kafka.topic=${topic}`,
    `--collect.interval=${interval}ms`,
    `--spool.path=${join(directory, `steady-${interval}`, 'spool.db')}`,
    '--http.address=',
    '--log.stats_interval=60s',
  ]);
  const taken = () => lastSeq(join(directory, `steady-${interval}`, 'spool.db'));
  await agent.event('agent_started');
  await until(() => taken() >= WARM_UP_SAMPLES, 'the agent is warm');
  const before = { ...processCost(agent.pid), taken: taken(), at: performance.now() };
  await until(() => performance.now() - before.at >= seconds * 1000, 'the time is over', seconds * 1000 + 10_000);
  const after = { ...processCost(agent.pid), taken: taken(), at: performance.now() };
  const count = after.taken - before.taken;
  const elapsed = (after.at - before.at) / 1000;
  const perSample = (after.cpuMs - before.cpuMs) / count;
  report(`steady at ${interval / 1000} s (${count} samples)`, {
    'CPU per sample': `${perSample.toFixed(2)} ms`,
    'CPU seconds per hour': (((after.cpuMs - before.cpuMs) / elapsed) * 3.6).toFixed(1),
    resident: `${after.residentMiB.toFixed(0)} MiB, ${after.privateMiB.toFixed(0)} private`,
    'written per sample': formatSize((after.writtenBytes - before.writtenBytes) / count),
    'wake-ups per second': ((after.wakeups - before.wakeups) / elapsed).toFixed(1),
  });
  await agent.end('SIGTERM');
}

/** The number of the newest sample, asked of the spool: nothing is added to what the agent does. */
function lastSeq(spool: string): number {
  const { stdout } = runExecutable(['--status', '--json', '--config=/dev/null', `--spool.path=${spool}`]);
  return (JSON.parse(stdout) as { agent?: { last_seq: number } }).agent?.last_seq ?? 0;
}

/** A payload of the usual size. */
function payloadOf(identity: { event_id: string; run_id: string; seq: number }): string {
  return JSON.stringify({
    hostname: 'bench',
    timestamp: '2026-01-01T00:00:00.000Z',
    ...identity,
    filler: 'x'.repeat(650),
  });
}

function appendBacklog(directory: string, synchronous: 'full' | 'normal', samples: number): void {
  const path = join(directory, `backlog-${synchronous}`, 'spool.db');
  const spool = Spool.open({
    path,
    maxBytes: 4 * 1024 ** 3,
    maxAge: 7 * 86_400_000,
    minFree: { bytes: 0 },
    synchronous,
    hostname: 'bench',
    interval: 1000,
    version: 'bench',
    purpose: 'agent',
    clock: new SystemClock(),
    log: silentLog,
  });
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (let n = 0; n < samples; n++) {
    const identity = spool.identify();
    if (!spool.append(identity, Date.now(), payloadOf(identity))) throw new Error('an append failed');
  }
  const elapsed = (performance.now() - startedAt) / 1000;
  const used = process.cpuUsage(cpu);
  spool.close(true);
  report(`append of ${samples} samples, synchronous ${synchronous}`, {
    'samples per second': Math.round(samples / elapsed).toString(),
    'CPU per sample': `${((used.user + used.system) / 1000 / samples).toFixed(4)} ms`,
    'spool file': formatSize(statSync(path).size),
  });
}

async function drain(broker: Broker, directory: string, samples: number): Promise<void> {
  const topic = `bench-${randomUUID()}`;
  await broker.createTopic(topic);
  const path = join(directory, 'backlog-normal', 'spool.db');
  const startedAt = performance.now();
  const result = spawnSync(
    executable,
    [
      'drain',
      '--config=/dev/null',
      `--spool=${path}`,
      `--kafka.brokers=${broker.addresses.bootstrap}`,
      `--kafka.topic=${topic}`,
      '--spool.synchronous=normal',
    ],
    { encoding: 'utf8', env: { PATH: '/nonexistent' } },
  );
  const elapsed = (performance.now() - startedAt) / 1000;
  if (result.status !== 0) throw new Error(`drain failed: ${result.stdout}${result.stderr}`);
  report(`drain of ${samples} samples`, {
    'samples per second, start and stop included': Math.round(samples / elapsed).toString(),
    'spool file afterwards': formatSize(statSync(path).size),
  });
}

function report(title: string, figures: Readonly<Record<string, string>>): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  process.stdout.write(`${title}\n`);
  for (const [name, figure] of Object.entries(figures)) process.stdout.write(`  ${name.padEnd(width)}  ${figure}\n`);
}
