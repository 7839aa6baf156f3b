/** How long until it is there: `--version`, and from the start of a process to its first sample in Kafka; and its size. */
import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { quietIdleConnections } from '../../src/kafka/idle-timer.ts';
import type { Broker } from '../../test/support/broker.ts';
import { executable, RunningExecutable, runExecutable } from '../../test/support/executable.ts';
import { type Row, row, show } from './table.ts';

const ROUNDS = 7;
const LOOK_EVERY_MS = 10;
/** Short, so that the wait for the first tick hardly counts. */
const INTERVAL_MS = 100;

export async function benchStart(broker: Broker, directory: string): Promise<Row[]> {
  show('agent: starting');
  const version = Array.from({ length: ROUNDS }, () => {
    const startedAt = performance.now();
    runExecutable(['--version']);
    return performance.now() - startedAt;
  });
  quietIdleConnections();
  const kafka = new Kafka({ brokers: [broker.addresses.bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const first: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const topic = `bench-${randomUUID()}`;
    await broker.createTopic(topic);
    const startedAt = performance.now();
    await using agent = new RunningExecutable([
      '--config=/dev/null',
      `--kafka.brokers=${broker.addresses.bootstrap}`,
      `--kafka.topic=${topic}`,
      `--collect.interval=${INTERVAL_MS}ms`,
      `--spool.path=${join(directory, topic, 'spool.db')}`,
      '--http.address=',
    ]);
    while ((await admin.fetchTopicOffsets(topic)).every(({ high }) => high === '0')) await sleep(LOOK_EVERY_MS);
    first.push(performance.now() - startedAt);
    await agent.end('SIGTERM');
  }
  await admin.disconnect();
  const folder = dirname(executable);
  const [deb] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  const megabytes = (path: string) => statSync(path).size / 1e6;
  const section = 'agent: start and size';
  return [
    row(section, '--version, ms', version),
    row(section, 'start to the first sample in Kafka, ms', first),
    row(section, 'executable, MB', [megabytes(executable)]),
    // It is there after `npm run package`.
    ...(deb === undefined ? [] : [row(section, '.deb, MB', [megabytes(join(folder, deb))])]),
  ];
}
