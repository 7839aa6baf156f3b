/**
 * `npm run demo [-- --for 60s]`: builds the executable, runs it in local mode on this host's real metrics and shows
 * what it does while it does it. What is shown comes from the executable's own log and, at the end, by query from the
 * database it has filled. Nothing is simulated, and no server is needed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { openSqlite } from '../src/lib/sqlite.ts';
import { formatDuration, formatSize, parseDuration } from '../src/lib/units.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'build', 'demo');
const executable = join(root, 'build', 'hostspool');

const LATEST = `SELECT hostname, timestamp, cpu_percent, memory_percent, memory_used_mb, memory_total_mb,
       disk_percent, disk_used_gb, disk_total_gb, network_bytes_sent, network_bytes_recv
FROM vw_latest_metrics WHERE rn = 1`;
const ACCOUNTING = 'SELECT hostname, taken, received, lost, missing FROM vw_sample_accounting';

function readDuration(): number {
  const { values } = parseArgs({ options: { for: { type: 'string', default: '15s' } } });
  const duration = parseDuration(values.for);
  if (duration === undefined) {
    process.stderr.write(`--for ${values.for} is not a duration: 15s, 2m, or 0 until Ctrl-C\n`);
    process.exit(2);
  }
  return duration;
}

function build(): void {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build.ts')], {
    cwd: root,
    stdio: ['ignore', 'ignore', 2],
  });
  if (status !== 0) process.exit(1);
}

interface Totals {
  taken: number;
  loaded: number;
  depth: number;
}

/** The running executable, seen through its statistics lines. */
function start(totals: Totals): ChildProcess {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const child = spawn(
    executable,
    [
      '--mode=local',
      '--config=/dev/null',
      '--collect.interval=1s',
      `--spool.path=${join(folder, 'spool.db')}`,
      `--sqlite.path=${join(folder, 'metrics.db')}`,
      '--http.address=',
      '--log.format=json',
      '--log.stats_interval=500ms',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH ?? '' }, detached: true },
  );
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    if (line.event === 'stats') {
      totals.taken += Number(line.taken);
      totals.loaded += Number(line.loaded);
      totals.depth = Number(line.spool_depth);
    } else if (line.level === 'warn' || line.level === 'error') {
      process.stdout.write(`\n${text}\n`);
    }
  });
  return child;
}

function showProgress(totals: Totals, seconds: number): void {
  const text = `${String(seconds).padStart(4)} s   samples taken ${totals.taken}   spool depth ${totals.depth}   rows loaded ${totals.loaded}`;
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}

function printVertically(rows: readonly Record<string, unknown>[]): void {
  for (const row of rows) {
    const width = Math.max(...Object.keys(row).map((name) => name.length));
    for (const [name, value] of Object.entries(row)) {
      const shown = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
      process.stdout.write(`  ${name.padEnd(width)}  ${shown}\n`);
    }
  }
}

function printResults(): void {
  const database = openSqlite(join(folder, 'metrics.db'), { readonly: true });
  for (const [title, query] of [
    ['The latest metrics', LATEST],
    ['Every sample accounted for', ACCOUNTING],
  ] as const) {
    process.stdout.write(`\n${title}, read back from the database:\n\n${query.replace(/^/gm, '  ')}\n\n`);
    printVertically(database.prepare<[], Record<string, unknown>>(query).all());
  }
  database.close();
  process.stdout.write('\nThe files:\n');
  for (const [name, what] of [
    ['metrics.db', 'the database (any SQLite client opens it)'],
    ['spool.db', 'the spool'],
  ] as const) {
    const path = join(folder, name);
    process.stdout.write(`  ${relative(process.cwd(), path)}  ${formatSize(statSync(path).size)}  ${what}\n`);
  }
  process.stdout.write(
    `  ${relative(process.cwd(), executable)}  ${formatSize(statSync(executable).size)}  the executable\n`,
  );
}

async function main(): Promise<void> {
  const duration = readDuration();
  build();
  const totals: Totals = { taken: 0, loaded: 0, depth: 0 };
  const until = duration === 0 ? 'until Ctrl-C' : `for ${formatDuration(duration)}`;
  process.stdout.write(`\nSampling this host every second in local mode, ${until}:\n\n`);
  const child = start(totals);
  const startedAt = performance.now();
  const ticking = setInterval(() => showProgress(totals, Math.round((performance.now() - startedAt) / 1000)), 1000);
  const stop = () => child.kill('SIGTERM');
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const timer = duration === 0 ? undefined : setTimeout(stop, duration);

  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(ticking);
  clearTimeout(timer);
  showProgress(totals, Math.round((performance.now() - startedAt) / 1000));
  if (process.stdout.isTTY) process.stdout.write('\n');
  if (code !== 0) {
    process.stderr.write(`hostspool ended with ${code}\n`);
    process.exitCode = 1;
    return;
  }
  printResults();
}

await main();
