/**
 * What a writer costs: a topic of a fleet's samples loaded exactly once by the built executable, beside the same rows by
 * a raw bulk load and by an insert each. All of it in one run, in turns, since only ratios taken in the same minutes
 * mean anything on a machine that others use too.
 *
 * The rows of the raw loads are decoded before the clock starts: that is what they are raw of, as they also keep no
 * accounts, move no offsets and look for no duplicates. CPU is the kernel's account of the client process alone.
 */
import { CompressionTypes } from 'kafkajs';
import { type DecodedSample, decodeMessage } from '../../src/sample/decode.ts';
import { Broker } from '../../test/support/broker.ts';
import { executable, RunningExecutable, until } from '../../test/support/executable.ts';
import { type FleetMessage, fleetSamples, sendMessages } from '../../test/support/fleet.ts';
import { BenchDirectory } from './bench-directory.ts';
import { processCost } from './process-cost.ts';
import { type Row, ratios, row, show } from './table.ts';
import { benchDatabases, type OpenBenchDatabase } from './writer-databases.ts';

export interface WriterBench {
  readonly messages: number;
  /** Of which the medians are taken. */
  readonly rounds: number;
}

export interface Measured {
  readonly rowsPerSecond: number;
  readonly cpuUsPerRow: number;
  /** Most that was resident, MiB. */
  readonly peakMiB?: number;
  /** Of `cpuUsPerRow`, that of the main thread, and of the others. */
  readonly mainUsPerRow?: number;
  readonly besideUsPerRow?: number;
}

export const HOSTS = 50;
export const PARTITIONS = 4;
const TOPIC = 'bench-metrics';
/** As the writer loads at most under backlog. */
export const BULK_ROWS = 10_000;
/** Enough for a rate: each is a round trip. */
const SINGLE_ROWS = 3000;
const LIMIT_MS = 600_000;
/** Another executable to measure beside this one: a build from before a change. */
const OTHER = process.env.HOSTSPOOL_BENCH_OTHER;

export async function benchWriter({ messages, rounds }: WriterBench): Promise<Row[]> {
  const result: Row[] = [];
  using place = new BenchDirectory();
  const directory = place.path;
  await using broker = await Broker.start();
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const samples = [...fleetSamples(HOSTS, messages)];
  const bytes = samples.reduce((sum, { value }) => sum + value.length, 0) / messages;
  await sendMessages(broker.bootstrap, TOPIC, samples, CompressionTypes.Snappy);
  show(`${messages} messages of ${HOSTS} hosts, ${Math.round(bytes)} bytes each, snappy`);
  for (const database of benchDatabases(directory)) {
    const writer: Measured[] = [];
    const other: Measured[] = [];
    const bulk: Measured[] = [];
    const single: Measured[] = [];
    for (let round = 1; round <= rounds; round++) {
      const progress = (what: string) => show(`writer, round ${round} of ${rounds}: ${what}`);
      const programs = [{ program: executable, list: writer }];
      if (OTHER !== undefined) programs.push({ program: OTHER, list: other });
      // What runs first finds the machine busy with what came before: they take turns at that.
      if (round % 2 === 0) programs.reverse();
      for (const { program, list } of programs) {
        progress(`writer ${program}`);
        await using open = await database.open();
        list.push(await loadedByWriter(broker, open, messages, TOPIC, [program]));
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
    result.push(...rowsOf(database.name, { writer, other, bulk, single }));
  }
  return result;
}

/** From the assignment of the partitions to the commit of the last message. */
export async function loadedByWriter(
  broker: Broker,
  database: OpenBenchDatabase,
  messages: number,
  topic = TOPIC,
  program?: readonly [string, ...string[]],
): Promise<Measured> {
  const { args, env = {} } = database.writer;
  await using writer = new RunningExecutable(
    [
      '--mode=writer',
      '--config=/dev/null',
      `--kafka.brokers=${broker.bootstrap}`,
      `--kafka.topic=${topic}`,
      `--kafka.group=bench-${process.hrtime.bigint()}`,
      '--http.address=',
      '--log.level=debug',
      ...args,
    ],
    env,
    program,
  );
  const assigned = await writer.event('partitions_assigned');
  const before = processCost(writer.pid);
  const loads = () => writer.lines.filter(({ event }) => event === 'load_committed');
  const isLoaded = () => loads().reduce((sum, line) => sum + Number(line.messages), 0) >= messages;
  await until(isLoaded, 'the writer has loaded all', LIMIT_MS);
  const after = processCost(writer.pid);
  await writer.end('SIGTERM');
  const ms = Date.parse(String(loads().at(-1)?.time)) - Date.parse(String(assigned.time));
  return {
    rowsPerSecond: (messages / ms) * 1000,
    cpuUsPerRow: ((after.cpuMs - before.cpuMs) / messages) * 1000,
    peakMiB: after.peakMiB,
    mainUsPerRow: ((after.mainMs - before.mainMs) / messages) * 1000,
    besideUsPerRow: ((after.besideMs - before.besideMs) / messages) * 1000,
  };
}

/** Only `load` is timed, not the making of its rows. */
export async function timed(
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

export function* chunks(messages: readonly FleetMessage[], size: number): Generator<DecodedSample[]> {
  for (let from = 0; from < messages.length; from += size) {
    yield messages.slice(from, from + size).map(({ value }) => decodeMessage(Buffer.from(value)));
  }
}

function rowsOf(
  name: string,
  { writer, other, bulk, single }: Readonly<Record<'writer' | 'other' | 'bulk' | 'single', readonly Measured[]>>,
): Row[] {
  const rates = (measured: readonly Measured[]) => measured.map(({ rowsPerSecond }) => rowsPerSecond);
  const cpu = (measured: readonly Measured[]) => measured.map(({ cpuUsPerRow }) => cpuUsPerRow);
  const beside = (peer: string, own: readonly number[], theirs: readonly number[]) => ({
    peer,
    ratios: ratios(own, theirs),
  });
  const section = `writer into ${name}`;
  const bulkLoad = beside('raw bulk load', rates(writer), rates(bulk));
  const oneByOne = beside('an insert each', rates(writer), rates(single));
  return [
    row(section, 'rows/s, exactly once', rates(writer), { ...bulkLoad, aim: '0.5' }),
    row(section, 'rows/s, exactly once', rates(writer), { ...oneByOne, aim: '15' }),
    row(section, 'client CPU µs/row', cpu(writer), beside('raw bulk load', cpu(writer), cpu(bulk))),
    row(
      section,
      'peak resident MiB',
      writer.flatMap(({ peakMiB }) => peakMiB ?? []),
    ),
    ...(other.length === 0
      ? []
      : [
          row(
            section,
            'client CPU µs/row of HOSTSPOOL_BENCH_OTHER',
            cpu(other),
            beside('this build', cpu(other), cpu(writer)),
          ),
        ]),
  ];
}
