/**
 * A group member in a process of its own, to be stopped and killed. Prints a JSON line for each session that begins
 * (`{ "session": generation, "partitions": [] }`) or ends (`{ "ended": generation }`), and for each batch with messages
 * (`{ "partition", "next" }`). Reads every partition from its beginning on in each session.
 *
 *   node group-process.ts SETTINGS   the settings of `kafka:` as JSON
 */
import type { Settings } from '../../src/config/schema.ts';
import { KafkaGroupConsumer } from '../../src/kafka/group-consumer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';

const settings = JSON.parse(process.argv[2] ?? '') as Settings['kafka'];
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

const consumer = KafkaGroupConsumer.create({
  settings,
  backoff: { base: 50, cap: 500 },
  log: silentLog,
  clock: new SystemClock(),
});
await consumer.consume(async (session) => {
  const next = new Map<number, number>();
  say({ session: session.generation, partitions: session.partitions });
  session.ended.addEventListener('abort', () => say({ ended: session.generation }));
  await session.fetch({
    positions: (partitions) => new Map(partitions.map((partition) => [partition, next.get(partition) ?? 0])),
    took: (batch) => {
      next.set(batch.partition, batch.next);
      if (batch.messages.length > 0) say({ partition: batch.partition, next: batch.next });
    },
    outOfRange: () => undefined,
    failed: () => undefined,
  });
}, stop.signal);
