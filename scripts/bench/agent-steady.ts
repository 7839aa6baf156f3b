/** Agents at 1 s and at 5 s and the collector of psutil-peer.py, all at once: medians of five windows. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from '../../test/support/broker.ts';
import { executable } from '../../test/support/executable.ts';
import { PythonEnvironment } from '../../test/support/python-environment.ts';
import { type ProcessCost, processCost } from './process-cost.ts';
import { addFigures, median, print, spread } from './report.ts';

const WINDOWS = 5;
/** How many windows go by first, until everything has connected and most of what runs is compiled. */
const WARM_UP_WINDOWS = 4;
const TRACED_MS = 30_000;
const peerPython = new PythonEnvironment('bench-python', ['psutil==7.2.2', 'kafka-python==3.0.12'], (made) =>
  made.runs('import psutil, kafka'),
);

interface Watched {
  readonly name: string;
  readonly intervalMs: number;
  readonly child: ChildProcess;
  readonly seen: { readonly cost: ProcessCost; readonly at: number }[];
}

export async function benchSteady(broker: Broker, directory: string, seconds: number): Promise<void> {
  const topic = `bench-${randomUUID()}`;
  await broker.createTopic(topic);
  const agent = (intervalMs: number, name = `agent at ${intervalMs / 1000} s`) =>
    watched(name, intervalMs, executable, [
      '--config=/dev/null',
      `--kafka.brokers=${broker.addresses.bootstrap}`,
      `--kafka.topic=${topic}`,
      // Another place within the interval for each, so that they don't wake at once.
      `--collect.hostname=${name.replaceAll(' ', '-')}`,
      `--collect.interval=${intervalMs}ms`,
      `--spool.path=${join(directory, name, 'spool.db')}`,
      '--http.address=',
    ]);
  const missing = peerPython.prepare();
  const peer = () =>
    watched('psutil + kafka-python at 1 s', 1000, peerPython.python, [
      join(import.meta.dirname, 'psutil-peer.py'),
      broker.addresses.bootstrap,
      topic,
      '1',
    ]);
  const all = [agent(1000), agent(5000), ...(missing === undefined ? [peer()] : [])];
  if (missing !== undefined) process.stdout.write(`without a peer: ${missing}\n`);
  try {
    await sleep(WARM_UP_WINDOWS * seconds * 1000);
    for (const one of all) look(one);
    for (let window = 0; window < WINDOWS; window++) {
      await sleep(seconds * 1000);
      for (const one of all) look(one);
    }
    for (const one of all) report(one, await systemCalls(one));
  } finally {
    for (const { child } of all) child.kill('SIGTERM');
  }
}

function watched(name: string, intervalMs: number, command: string, args: readonly string[]): Watched {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: '/nonexistent' } });
  return { name, intervalMs, child, seen: [] };
}

function look({ child, seen, name }: Watched): void {
  if (child.exitCode !== null || child.pid === undefined) throw new Error(`${name} has ended`);
  seen.push({ cost: processCost(child.pid), at: performance.now() });
}

/** System calls per sample, while nothing is measured: tracing costs more than what is traced. */
async function systemCalls({ child, intervalMs }: Watched): Promise<number | undefined> {
  const traced = spawn('strace', ['-f', '-c', '-p', String(child.pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  traced.stderr.on('data', (data) => {
    text += String(data);
  });
  const ended = new Promise<void>((resolve) => traced.on('close', resolve).on('error', () => resolve()));
  await Promise.race([sleep(TRACED_MS), ended]);
  traced.kill('SIGINT');
  await ended;
  const total = /^\s*100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s.*total$/m.exec(text)?.[1];
  return total === undefined ? undefined : Number(total) / (TRACED_MS / intervalMs);
}

function report({ name, intervalMs, seen }: Watched, calls: number | undefined): void {
  const windows = seen.slice(1).map((after, index) => {
    const before = seen[index] as (typeof seen)[number];
    const samples = (after.at - before.at) / intervalMs;
    const grown = (figure: 'cpuMs' | 'writtenBytes' | 'wakeups') => after.cost[figure] - before.cost[figure];
    return {
      cpu: grown('cpuMs') / samples,
      written: grown('writtenBytes') / samples / 1024,
      wakeups: grown('wakeups') / ((after.at - before.at) / 1000),
    };
  });
  const of = (figure: 'cpu' | 'written' | 'wakeups') => windows.map((window) => window[figure]);
  const { residentMiB, privateMiB } = (seen.at(-1) as (typeof seen)[number]).cost;
  print(`${name}, steady`, {
    'CPU per sample, ms': spread(of('cpu'), 2),
    'resident, MiB': `${residentMiB.toFixed(1)}, ${privateMiB.toFixed(1)} of it private`,
    'written per sample, KiB': spread(of('written'), 1),
    'wake-ups per second': spread(of('wakeups'), 1),
    'system calls per sample': calls === undefined ? 'not had: strace is not here' : calls.toFixed(0),
  });
  addFigures(`agent_steady_${name.replaceAll(/\W+/g, '_')}`, {
    cpu_ms_per_sample: median(of('cpu')),
    cpu_ms_per_sample_windows: of('cpu'),
    resident_mib: residentMiB,
    private_mib: privateMiB,
    written_kib_per_sample: median(of('written')),
    wakeups_per_second: median(of('wakeups')),
    ...(calls === undefined ? {} : { system_calls_per_sample: calls }),
  });
}
