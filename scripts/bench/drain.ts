/**
 * A backlog drained by the built executable, beside kafkajs' own producer sending the same bytes: in turns, within one
 * run. The peer has them in memory, and keeps no record of what arrived: what a drain costs more is reading, checking
 * and deleting durably, and starting.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Broker } from '../../test/support/broker.ts';
import { executable } from '../../test/support/executable.ts';
import { spawnTied } from '../../test/support/tied.ts';
import { fillSpool } from './backlog.ts';
import { BenchDirectory } from './bench-directory.ts';
import { processCost } from './process-cost.ts';
import { type Row, ratios, row, show } from './table.ts';

export interface DrainBench {
  readonly samples: number;
  readonly rounds: number;
}

interface Drained {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly peakMiB: number;
}

const POLL_MS = 10;
/** Another executable to measure beside this one: a build from before a change. */
const OTHER = process.env.HOSTSPOOL_BENCH_OTHER;

export async function benchDrain({ samples, rounds }: DrainBench): Promise<Row[]> {
  using place = new BenchDirectory();
  const directory = place.path;
  await using broker = await Broker.start();
  const full = join(directory, 'full', 'spool.db');
  fillSpool(full, samples, 'normal');
  const filled = statSync(full).size;
  const own: Drained[] = [];
  const other: Drained[] = [];
  const peer: Drained[] = [];
  let left = 0;
  for (let round = 1; round <= rounds; round++) {
    show(`drain, round ${round} of ${rounds}`);
    const programs = [{ program: executable, list: own }];
    if (OTHER !== undefined) programs.push({ program: OTHER, list: other });
    // What runs first finds the disk busy with what came before: they take turns at that.
    if (round % 2 === 0) programs.reverse();
    for (const { program, list } of programs) {
      const path = join(directory, 'copy', 'spool.db');
      rmSync(join(directory, 'copy'), { recursive: true, force: true });
      mkdirSync(join(directory, 'copy'), { mode: 0o700 });
      copyFileSync(full, path);
      const topic = `bench-${randomUUID()}`;
      await broker.createTopic(topic);
      const args = ['drain', '--config=/dev/null', `--spool=${path}`, `--kafka.brokers=${broker.bootstrap}`];
      list.push(await timed(program, [...args, `--kafka.topic=${topic}`], samples));
      if (program === executable) left = statSync(path).size;
    }
    const topic = `bench-${randomUUID()}`;
    await broker.createTopic(topic);
    const script = join(import.meta.dirname, 'kafkajs-peer.ts');
    peer.push(await timed(process.execPath, [script, broker.bootstrap, topic, String(samples)], samples));
  }
  const rates = (list: readonly Drained[]) => list.map(({ perSecond }) => perSecond);
  const cpu = (list: readonly Drained[]) => list.map(({ cpuUs }) => cpuUs);
  const rows = [
    row('drain', 'samples/s, start and stop included', rates(own), {
      peer: 'kafkajs’ producer from memory',
      ratios: ratios(rates(own), rates(peer)),
    }),
    row('drain', 'CPU µs/sample', cpu(own), {
      peer: 'kafkajs’ producer from memory',
      ratios: ratios(cpu(own), cpu(peer)),
    }),
    row(
      'drain',
      'peak resident MiB',
      own.map(({ peakMiB }) => peakMiB),
    ),
    row('drain', 'spool file afterwards, share', [left / filled]),
  ];
  if (other.length > 0) {
    rows.push(
      row('drain', 'CPU µs/sample of HOSTSPOOL_BENCH_OTHER', cpu(other), {
        peer: 'this build',
        ratios: ratios(cpu(other), cpu(own)),
      }),
    );
    rows.push(
      row('drain', 'samples/s of HOSTSPOOL_BENCH_OTHER', rates(other), {
        peer: 'this build',
        ratios: ratios(rates(other), rates(own)),
      }),
    );
  }
  return rows;
}

/** The whole life of the process. */
async function timed(program: string, args: readonly string[], samples: number): Promise<Drained> {
  const startedAt = performance.now();
  const child = spawnTied(program, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: '/nonexistent' },
  });
  const exited = once(child, 'exit');
  let cpuMs = 0;
  let peakMiB = 0;
  const poll = setInterval(() => {
    try {
      const cost = processCost(child.pid as number);
      cpuMs = Math.max(cpuMs, cost.cpuMs);
      if (cost.peakMiB > peakMiB) peakMiB = cost.peakMiB;
    } catch {
      // It has ended.
    }
  }, POLL_MS);
  const [code] = await exited;
  clearInterval(poll);
  if (code !== 0) throw new Error(`${program} ${args[0]} ended with ${code}`);
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: samples / seconds, cpuUs: (cpuMs * 1000) / samples, peakMiB };
}
