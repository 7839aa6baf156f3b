import { CompressionTypes } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../src/config/load.ts';
import { silentLog } from '../../src/lib/log.ts';
import { openSink } from '../../src/sink/open-sink.ts';
import type { StormDatabase } from '../storm/database.ts';
import { SqliteStormDatabase } from '../storm/databases/sqlite.ts';
import { TdsStormDatabase } from '../storm/databases/tds.ts';
import { createTopic, withAdmin } from '../support/broker.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { type LogLine, RunningExecutable, Scratch, until } from '../support/executable.ts';
import { fleetSamples, sendMessages } from '../support/fleet.ts';

const { addresses, missing } = testBroker();
const HOSTS = 7;
const SAMPLES = 700;
const PARTITIONS = 3;

const databases: [string, (directory: string) => Promise<StormDatabase>][] = [
  ['SQLite', async (directory) => new SqliteStormDatabase(directory)],
  ['SQL Server', (directory) => TdsStormDatabase.start(directory, 1)],
];

describe.skipIf(missing !== undefined)(
  `a topic that is read again from its beginning${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    it.each(databases)('adds no row to a full table of %s and changes no account', async (_, open) => {
      using scratch = new Scratch();
      await using database = await open(scratch.path);
      const place = { group: 'replayers', topic: uniqueTopic('replay') };
      await createTopic(addresses.bootstrap, place.topic, { partitions: PARTITIONS });
      const samples = [...fleetSamples(HOSTS, SAMPLES)];
      // As an agent does that was killed before it heard of the acknowledgement.
      const repeated = samples.slice(100, 150);
      await sendMessages(addresses.bootstrap, place.topic, [...samples, ...repeated], CompressionTypes.Snappy);
      const poison = [{ key: 'poison', value: 'not JSON' }];
      await sendMessages(addresses.bootstrap, place.topic, poison, CompressionTypes.None);

      const { args, env = {} } = database.settings(0);
      const flags = ['--mode=writer', `--kafka.brokers=${addresses.bootstrap}`, `--kafka.topic=${place.topic}`];
      const load = async (): Promise<readonly LogLine[]> => {
        const more = [`--kafka.group=${place.group}`, '--config=/dev/null', '--log.level=debug', '--http.address='];
        await using writer = new RunningExecutable([...flags, ...more, ...args], env);
        await until(isAtEnd, 'everything was loaded');
        expect(await writer.end('SIGTERM')).toBe(0);
        return writer.lines.filter(({ event }) => event === 'load_committed');
      };
      const isAtEnd = async () => {
        const ends = await withAdmin(addresses.bootstrap, (admin) => admin.fetchTopicOffsets(place.topic));
        const offsets = await database.offsets(place).catch(() => new Map<number, number>());
        return ends.every(({ partition, high }) => (offsets.get(partition) ?? 0) === Number(high));
      };
      await load();
      const full = await database.copy(place);
      expect(full.rows).toHaveLength(SAMPLES);
      expect(full.accounting.map(({ received, missing }) => [received, missing])).toEqual(
        Array.from({ length: HOSTS }, () => [SAMPLES / HOSTS, 0]),
      );

      await readAgain(database, place);
      expect(await isAtEnd()).toBe(false);
      const loads = await load();
      const sum = (what: string) => loads.reduce((total, line) => total + Number(line[what]), 0);
      expect(sum('inserted')).toBe(0);
      expect(sum('duplicates')).toBeGreaterThanOrEqual(SAMPLES);
      expect(await database.copy(place)).toEqual(full);
    });
  },
);

/** What `offsets reset --to-earliest` does: the database's offset is the one that counts. */
async function readAgain(database: StormDatabase, place: { group: string; topic: string }): Promise<void> {
  const { args, env = {} } = database.settings(0);
  const flags = Object.fromEntries(args.map((arg) => arg.slice(2).split('=')));
  const given = { flags: { config: '/dev/null', mode: 'writer', 'kafka.brokers': addresses.bootstrap, ...flags }, env };
  const sink = openSink(loadSettings(given as never).settings, silentLog);
  const stored = await sink.readOffsets(place);
  const resets = [...stored.values()].map((offset) => ({ partition: offset.partition, stored: offset, next: 0 }));
  expect(await sink.resetOffsets(place, resets, [])).toEqual([]);
  await sink.close();
}
