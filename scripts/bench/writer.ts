/**
 * What a writer costs: a topic of a fleet's samples loaded exactly once by the built executable, beside the same rows by
 * a raw bulk load and by an insert each. All of it in one run, in turns, since only ratios taken in the same minutes
 * mean anything on a machine that others use too.
 *
 * The rows of the raw loads are decoded before the clock starts: that is what they are raw of, as they also keep no
 * accounts, move no offsets and look for no duplicates. CPU is the kernel's account of the client process alone.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompressionTypes } from 'kafkajs';
import { type DecodedSample, decodeMessage } from '../../src/sample/decode.ts';
import { Broker } from '../../test/support/broker.ts';
import { RunningExecutable, until } from '../../test/support/executable.ts';
import { type FleetMessage, fleetSamples, sendMessages } from '../../test/support/fleet.ts';
import { processCost } from './process-cost.ts';
import { benchDatabases, type OpenBenchDatabase } from './writer-databases.ts';

export interface WriterBench {
  readonly messages: number;
  /** Of which the medians are taken. */
  readonly rounds: number;
}

interface Measured {
  readonly rowsPerSecond: number;
  readonly cpuUsPerRow: number;
  /** Most that was resident, MiB. */
  readonly peakMiB?: number;
}

const HOSTS = 50;
const PARTITIONS = 4;
const TOPIC = 'bench-metrics';
/** As the writer loads at most under backlog. */
const BULK_ROWS = 10_000;
/** Enough for a rate: each is a round trip. */
const SINGLE_ROWS = 3000;
const LIMIT_MS = 600_000;

export async function benchWriter({ messages, rounds }: WriterBench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'hostspool-bench-'));
  await using broker = await Broker.start();
  try {
    await broker.createTopic(TOPIC, { partitions: PARTITIONS });
    const samples = [...fleetSamples(HOSTS, messages)];
    const bytes = samples.reduce((sum, { value }) => sum + value.length, 0) / messages;
    await sendMessages(broker.bootstrap, TOPIC, samples, CompressionTypes.Snappy);
    process.stdout.write(`${messages} messages of ${HOSTS} hosts, ${Math.round(bytes)} bytes each, snappy\n`);
    for (const database of benchDatabases(directory)) {
      const writer: Measured[] = [];
      const bulk: Measured[] = [];
      const single: Measured[] = [];
      for (let round = 1; round <= rounds; round++) {
        const progress = (what: string) => process.stderr.write(`round ${round} of ${rounds}: ${what}\n`);
        progress('writer');
        {
          await using open = await database.open();
          writer.push(await loadedByWriter(broker, open, messages));
        }
        progress('raw bulk load');
        {
          await using open = await database.open();
          bulk.push(await timed(chunks(samples, BULK_ROWS), (rows) => open.bulk(rows)));
        }
        progress('an insert each');
        {
          await using open = await database.open();
          single.push(await timed(chunks(samples.slice(0, SINGLE_ROWS), SINGLE_ROWS), (rows) => open.single(rows)));
        }
      }
      report(database.name, { writer, bulk, single });
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** From the assignment of the partitions to the commit of the last message. */
async function loadedByWriter(broker: Broker, database: OpenBenchDatabase, messages: number): Promise<Measured> {
  const { args, env = {} } = database.writer;
  await using writer = new RunningExecutable(
    [
      '--mode=writer',
      '--config=/dev/null',
      `--kafka.brokers=${broker.bootstrap}`,
      `--kafka.topic=${TOPIC}`,
      `--kafka.group=bench-${process.hrtime.bigint()}`,
      '--http.address=',
      '--log.level=debug',
      ...args,
    ],
    env,
  );
  const assigned = await writer.event('partitions_assigned');
  const before = processCost(writer.pid).cpuMs;
  const loads = () => writer.lines.filter(({ event }) => event === 'load_committed');
  const isLoaded = () => loads().reduce((sum, line) => sum + Number(line.messages), 0) >= messages;
  await until(isLoaded, 'the writer has loaded all', LIMIT_MS);
  const after = processCost(writer.pid).cpuMs;
  const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${writer.pid}/status`, 'utf8'))?.[1];
  await writer.end('SIGTERM');
  const ms = Date.parse(String(loads().at(-1)?.time)) - Date.parse(String(assigned.time));
  return {
    rowsPerSecond: (messages / ms) * 1000,
    cpuUsPerRow: ((after - before) / messages) * 1000,
    peakMiB: Number(peak) / 1024,
  };
}

/** Only `load` is timed, not the making of its rows. */
async function timed(
  lists: Iterable<readonly DecodedSample[]>,
  load: (rows: readonly DecodedSample[]) => Promise<void>,
): Promise<Measured> {
  let ms = 0;
  let cpuUs = 0;
  let rows = 0;
  for (const list of lists) {
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    await load(list);
    ms += performance.now() - startedAt;
    const used = process.cpuUsage(cpu);
    cpuUs += used.user + used.system;
    rows += list.length;
  }
  return { rowsPerSecond: (rows / ms) * 1000, cpuUsPerRow: cpuUs / rows };
}

function* chunks(messages: readonly FleetMessage[], size: number): Generator<DecodedSample[]> {
  for (let from = 0; from < messages.length; from += size) {
    yield messages.slice(from, from + size).map(({ value }) => decodeMessage(Buffer.from(value)));
  }
}

function report(
  name: string,
  { writer, bulk, single }: Readonly<Record<'writer' | 'bulk' | 'single', readonly Measured[]>>,
): void {
  const line = (what: string, measured: readonly Measured[]) => {
    const rates = measured.map(({ rowsPerSecond }) => rowsPerSecond);
    const peaks = measured.flatMap(({ peakMiB }) => peakMiB ?? []);
    const spread = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`;
    const cpu = `${median(measured.map(({ cpuUsPerRow }) => cpuUsPerRow)).toFixed(1)} µs of CPU a row`;
    const peak = peaks.length === 0 ? '' : `, ${Math.round(median(peaks))} MiB at most`;
    return `  ${what.padEnd(22)} ${String(Math.round(median(rates))).padStart(7)} rows/s (${spread}), ${cpu}${peak}\n`;
  };
  const ratio = (a: readonly Measured[], b: readonly Measured[]) =>
    median(a.map(({ rowsPerSecond }, round) => rowsPerSecond / (b[round]?.rowsPerSecond ?? Number.NaN))).toFixed(2);
  process.stdout.write(
    `${name}\n${line('writer, exactly once', writer)}${line('raw bulk load', bulk)}${line('an insert each', single)}` +
      `  writer : raw bulk ${ratio(writer, bulk)}, writer : an insert each ${ratio(writer, single)}\n`,
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
