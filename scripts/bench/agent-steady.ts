/** Agents at 1 s and at 5 s and the collector of psutil-peer.py, all at once: medians of five windows. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from '../../test/support/broker.ts';
import { executable } from '../../test/support/executable.ts';
import { PythonEnvironment } from '../../test/support/python-environment.ts';
import { spawnTied } from '../../test/support/tied.ts';
import { type ProcessCost, processCost } from './process-cost.ts';
import { type Row, ratios, row, show } from './table.ts';

const WINDOWS = 5;
const PEER = 'psutil + kafka-python at 1 s';
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

export async function benchSteady(broker: Broker, directory: string, seconds: number): Promise<Row[]> {
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
    watched(PEER, 1000, peerPython.python, [
      join(import.meta.dirname, 'psutil-peer.py'),
      broker.addresses.bootstrap,
      topic,
      '1',
    ]);
  const all = [agent(1000), agent(5000), ...(missing === undefined ? [peer()] : [])];
  if (missing !== undefined) show(`agent: without a peer: ${missing}`);
  try {
    show('agent: steady, warming up');
    await sleep(WARM_UP_WINDOWS * seconds * 1000);
    for (const one of all) look(one);
    for (let window = 0; window < WINDOWS; window++) {
      show(`agent: steady, window ${window + 1} of ${WINDOWS}`);
      await sleep(seconds * 1000);
      for (const one of all) look(one);
    }
    const figures = new Map(all.map((one) => [one, figuresOf(one)]));
    const theirs = figures.get(all[2] as Watched);
    const result: Row[] = [];
    for (const one of all) {
      const own = figures.get(one) as Figures;
      const calls = await systemCalls(one);
      result.push(...rowsOf(one.name, own, calls, one === all[2] ? undefined : theirs));
    }
    return result;
  } finally {
    for (const { child } of all) child.kill('SIGTERM');
  }
}

function watched(name: string, intervalMs: number, program: string, args: readonly string[]): Watched {
  const child = spawnTied(program, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: '/nonexistent' },
  });
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

/** Of each window. */
function figuresOf({ intervalMs, seen }: Watched) {
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
  const after = seen.slice(1).map(({ cost }) => cost);
  return {
    'CPU ms/sample': of('cpu'),
    'resident MiB': after.map(({ residentMiB }) => residentMiB),
    'of it private, MiB': after.map(({ privateMiB }) => privateMiB),
    'KiB written/sample': of('written'),
    'wake-ups/s': of('wakeups'),
  };
}

type Figures = ReturnType<typeof figuresOf>;

/** `calls`: system calls per sample; undefined where there is no strace. */
function rowsOf(name: string, figures: Figures, calls: number | undefined, peer: Figures | undefined): Row[] {
  const section = `agent: ${name}, steady`;
  const rows = (Object.keys(figures) as (keyof Figures)[]).map((what) => {
    const beside = peer === undefined || peer[what].every((value) => value === 0);
    return row(section, what, figures[what], beside ? {} : { peer: PEER, ratios: ratios(figures[what], peer[what]) });
  });
  return calls === undefined ? rows : [...rows, row(section, 'system calls/sample', [calls])];
}
