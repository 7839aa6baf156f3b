/**
 * Where the CPU of a writer goes, by stage: the writer runs from its source under V8's sampling profiler, with the flags
 * of the built executable, and every sample counts for the innermost frame that belongs to a stage. From the first
 * message decoded to the last load: neither the start nor the stop is in it.
 *
 * The profiler sees the main thread, and its time is that of the clock, in which others may have had the processor: only
 * its shares are taken, of what the kernel says the thread used. What the others use (V8's compiler, its collector, the
 * threads of libuv) is the kernel's account of them, without the thread of the profiler. Being profiled costs the main
 * thread some, so the sum is more than what section `writer` finds.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompressionTypes } from 'kafkajs';
import { Broker } from '../../test/support/broker.ts';
import { fleetSamples, sendMessages } from '../../test/support/fleet.ts';
import { NODE_FLAGS } from '../node-flags.ts';
import { BenchDirectory } from './bench-directory.ts';
import { type CpuProfile, type Stage, timeByStage } from './profile.ts';
import { median } from './report.ts';
import { type Row, ratios, row, show } from './table.ts';
import { BULK_ROWS, chunks, HOSTS, loadedByWriter, PARTITIONS, timed } from './writer.ts';
import { benchDatabases, type OpenBenchDatabase } from './writer-databases.ts';

export interface StagesBench {
  readonly messages: number;
  readonly rounds: number;
}

const root = join(import.meta.dirname, '..', '..');
/** A directory to leave the last profile of each database in, for Chrome's developer tools. */
const KEEP = process.env.HOSTSPOOL_BENCH_PROFILE;
const TOPIC = 'bench-stages';
const INTERVAL_US = 250;
const REST = 'event loop, log and the rest';
const OTHER_THREADS = 'other threads: compiling, collecting';

const STAGES: readonly Stage[] = [
  { name: 'garbage collection', frames: /^\(garbage collector\)@/ },
  { name: 'commit: SQLite', frames: /^exec@|sqlite\/sqlite-sink/ },
  { name: 'insert: SQLite', frames: /^run@$|better-sqlite3.*|sqlite\/metrics-table/ },
  {
    name: 'accounts, offsets, hosts',
    frames:
      /\/src\/accounts\/|sink\/(account-cache|host-changes|contacts)|sqlite\/(account|hosts|offset)|writer\/(compose|explanations|loader)/,
  },
  { name: 'stage: lines in order', frames: /sqlserver\/(staged-lines|sqlserver-sink|session|server)/ },
  { name: 'encode and send', frames: /sqlserver\/bulk-|node_modules\/(tedious|mssql)\// },
  // A UUID is read by whoever decodes and written by whoever stages.
  { name: 'decode and validate', frames: /\/src\/sample\/(?!identity)|writer\/chunk/ },
  { name: 'unpack', frames: /kafka\/(record-|snappy|lz4|message-set|codecs|xxhash)|crc/ },
  {
    name: 'fetch and buffer',
    frames: /\/src\/kafka\/|writer\/(interval|waiting|log-check|buffer-gate)|node_modules\/kafkajs\//,
  },
];
/** In the order of a row's way. */
const ORDER = [
  'fetch and buffer',
  'unpack',
  'decode and validate',
  'accounts, offsets, hosts',
  'stage: lines in order',
  'encode and send',
  'insert: SQLite',
  'commit: SQLite',
  'garbage collection',
  REST,
  OTHER_THREADS,
];

export async function benchStages({ messages, rounds }: StagesBench): Promise<Row[]> {
  using place = new BenchDirectory();
  const directory = place.path;
  await using broker = await Broker.start();
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const samples = [...fleetSamples(HOSTS, messages)];
  await sendMessages(broker.bootstrap, TOPIC, samples, CompressionTypes.Snappy);
  const result: Row[] = [];
  for (const database of benchDatabases(directory)) {
    const times = new Map<string, number[]>(ORDER.map((stage) => [stage, []]));
    const sums: number[] = [];
    const bulk: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      show(`stages, ${database.name}, round ${round} of ${rounds}`);
      const profiles = join(directory, `profiles-${result.length}-${round}`);
      mkdirSync(profiles);
      const { stages, beside } = await profiled(broker, await database.open(), messages, profiles);
      if (KEEP !== undefined) copyFileSync(profileOf(profiles), join(KEEP, `${database.name}.cpuprofile`));
      stages.set(OTHER_THREADS, beside);
      for (const stage of ORDER) times.get(stage)?.push(stages.get(stage) ?? 0);
      sums.push(sumOf(stages));
      await using open = await database.open();
      bulk.push((await timed(chunks(samples, BULK_ROWS), (rows) => open.bulk(rows))).cpuUsPerRow);
    }
    const section = `stages into ${database.name}`;
    const peer = { peer: 'all of raw bulk load, not profiled', ratios: ratios(sums, bulk) };
    result.push(row(section, 'CPU µs/row, profiled', sums, peer));
    const share = { peer: 'all' };
    for (const [stage, values] of times) {
      if (median(values) > 0) result.push(row(section, stage, values, { ...share, ratios: ratios(values, sums) }));
    }
  }
  return result;
}

/** µs per row. */
async function profiled(broker: Broker, open: OpenBenchDatabase, messages: number, directory: string) {
  const program = [
    process.execPath,
    ...NODE_FLAGS,
    '--cpu-prof',
    `--cpu-prof-dir=${directory}`,
    `--cpu-prof-interval=${INTERVAL_US}`,
    `--import=${join(root, 'scripts', 'sql-as-text.ts')}`,
    join(root, 'src', 'main.ts'),
  ] as const;
  await using database = open;
  const { mainUsPerRow = Number.NaN, besideUsPerRow = Number.NaN } = await loadedByWriter(
    broker,
    database,
    messages,
    TOPIC,
    program,
  );
  const profile = JSON.parse(readFileSync(profileOf(directory), 'utf8')) as CpuProfile;
  const window = { first: /^decodeChunk@/, last: /^(load|committed)@/ };
  const times = timeByStage(profile, STAGES, window, REST);
  const share = mainUsPerRow / sumOf(times);
  return { stages: new Map([...times].map(([stage, us]) => [stage, us * share])), beside: besideUsPerRow };
}

function sumOf(times: ReadonlyMap<string, number>): number {
  return [...times.values()].reduce((sum, us) => sum + us, 0);
}

function profileOf(directory: string): string {
  const [file = ''] = readdirSync(directory);
  return join(directory, file);
}
