import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { FakeHost, lost, type RunningWriter, TOPIC, WritingWorld } from './writing.ts';

type Step =
  | { readonly do: 'send'; readonly host: number; readonly samples: number }
  | { readonly do: 'lose'; readonly host: number; readonly samples: number }
  | { readonly do: 'repeat'; readonly host: number; readonly sample: number }
  | { readonly do: 'poison'; readonly host: number }
  | { readonly do: 'restart'; readonly host: number; readonly clean: boolean }
  | { readonly do: 'foreign' }
  | { readonly do: 'skip'; readonly partition: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'fault'; readonly fate: 'before' | 'after' | 'deadlock' | 'slow' }
  | { readonly do: 'away'; readonly ms: number }
  | { readonly do: 'refuse'; readonly samples: number }
  | { readonly do: 'rebalance' }
  | { readonly do: 'kill' }
  | { readonly do: 'zombie' }
  | { readonly do: 'fetch fails' }
  | { readonly do: 'expire'; readonly partition: number; readonly share: number }
  | { readonly do: 'recreate'; readonly grown: boolean }
  | { readonly do: 'add partition' };

const host = fc.nat(2);
const samples = fc.integer({ min: 1, max: 9 });
const partition = fc.nat(3);
const harmless: fc.WeightedArbitrary<Step>[] = [
  { weight: 12, arbitrary: fc.record({ do: fc.constant('send' as const), host, samples }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), host, samples }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), host, sample: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('poison' as const), host }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), host, clean: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('foreign' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('skip' as const), partition }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 50, 300, 2500) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      fate: fc.constantFrom('before' as const, 'after' as const, 'deadlock' as const, 'slow' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('away' as const), ms: fc.constantFrom(500, 20_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), samples: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rebalance' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('zombie' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fetch fails' as const) }) },
];
const ofTheLog: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('expire' as const),
      partition,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recreate' as const), grown: fc.boolean() }) },
];

class Story implements Disposable {
  readonly world = new WritingWorld(2, {
    'writer.batch_size': 8,
    'writer.batch_max': 12,
    'writer.batch_timeout': '500ms',
    'backoff.base': '100ms',
    'backoff.cap': '2s',
  });
  readonly hosts = ['a', 'bb', 'c'].map((name) => new FakeHost(this.world, name));
  /** Those that may load; the last is alive for sure. */
  readonly writers: RunningWriter[] = [];
  /** event_ids that the database refuses. */
  readonly refused = new Set<string>();
  readonly #refusedSoon = { samples: 0 };
  foreign = 0;
  /** Messages that can make a row were taken away by the log. */
  losesMessages = false;

  constructor() {
    this.world.fetchMessages = 4;
    this.#begin();
  }

  get #writer(): RunningWriter {
    return this.writers.at(-1) as RunningWriter;
  }

  #begin(): void {
    const writer = this.world.start();
    writer.sink.refuses = (load) =>
      load.rows.some(({ event_id }) => this.refused.has(event_id.replaceAll('-', '')))
        ? new HostspoolError('SINK_DATA', 'a row is refused')
        : undefined;
    this.writers.push(writer);
  }

  async apply(step: Step): Promise<void> {
    const { world, hosts } = this;
    switch (step.do) {
      case 'send':
        for (let n = 0; n < step.samples; n++) this.#send(hosts[step.host] as FakeHost);
        return;
      case 'lose':
        return hosts[step.host]?.lose(step.samples);
      case 'repeat':
        return hosts[step.host]?.repeat(step.sample);
      case 'poison':
        return hosts[step.host]?.sendPoison();
      case 'restart':
        // A run's last samples are heard of through its next run only when that sends something.
        return hosts[step.host]?.restart(step.clean);
      case 'foreign':
        world.clock.pass(1);
        world.log.produce(0, {
          value: JSON.stringify({ ...foreign(), network_bytes_sent: ++this.foreign }),
          timestamp: world.clock.now(),
        });
        return;
      case 'skip':
        return world.log.skip(step.partition % world.log.partitions.length);
      case 'pass':
        return world.clock.advance(step.ms);
      case 'fault':
        return this.#fault(step.fate);
      case 'away': {
        const { sink } = this.#writer;
        sink.away = lost();
        await world.clock.advance(step.ms);
        sink.away = undefined;
        return;
      }
      case 'refuse':
        this.#refusedSoon.samples = step.samples;
        return;
      case 'rebalance':
        return this.#writer.consumer.assign(world.log.partitions);
      case 'kill':
        this.#writer.kill();
        return this.#begin();
      case 'zombie':
        // Another one is told that all is its own; the first does not know.
        if (this.writers.length < 4) this.#begin();
        return;
      case 'fetch fails':
        return this.#writer.consumer.failFetch(new HostspoolError('KAFKA_UNREACHABLE', 'away', { retryable: true }));
      case 'expire':
        return this.#expire(step.partition % world.log.partitions.length, step.share);
      case 'recreate':
        return this.#recreate(step.grown);
      case 'add partition':
        world.log.addPartition();
        for (const { consumer } of this.writers) consumer.assign(world.log.partitions);
    }
  }

  #send(sender: FakeHost): void {
    sender.send();
    if (this.#refusedSoon.samples === 0) return;
    this.#refusedSoon.samples--;
    this.refused.add((sender.taken.at(-1) as { event_id: string }).event_id);
  }

  #fault(fate: 'before' | 'after' | 'deadlock' | 'slow'): void {
    const { faults } = this.#writer.sink;
    if (fate === 'deadlock') faults.push({ at: 'before', error: lost('SINK_DEADLOCK') });
    else if (fate !== 'slow') faults.push({ at: fate, error: lost() });
    else {
      faults.push({ at: 'late', until: () => this.world.clock.sleep(3000) });
    }
  }

  #expire(of: number, share: number): void {
    const { start, end } = this.world.log.bounds(of);
    this.losesMessages = true;
    this.world.log.expire(of, start + Math.floor((end - start) * share));
  }

  #recreate(grown: boolean): void {
    const { world } = this;
    const ends = world.log.partitions.map((of) => world.log.bounds(of).end);
    this.losesMessages = true;
    world.clock.pass(1);
    world.log.recreate();
    for (const sender of this.hosts) {
      const past = grown ? (ends[sender.partition] as number) + 2 : 2;
      while (world.log.bounds(sender.partition).end < past) this.#send(sender);
    }
  }

  /** Every fault ends; one more sample of each host, so that every loss lies below a number that is heard of. */
  async finish(): Promise<void> {
    const { world } = this;
    for (const writer of this.writers) writer.sink.away = undefined;
    for (const sender of this.hosts) this.#send(sender);
    for (const writer of this.writers.slice(0, -1)) writer.kill();
    this.#writer.consumer.assign(world.log.partitions);
    await world.untilLoaded();
    for (const sender of this.hosts) sender.send();
    await world.untilLoaded();
    await world.clock.advance(5000);
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

function foreign(): object {
  return {
    hostname: 'plain',
    timestamp: '2026-01-01T00:00:00',
    cpu_percent: 1,
    memory_percent: 2,
    memory_used_mb: 3,
    memory_total_mb: 4,
    disk_percent: 5,
    disk_used_gb: 6,
    disk_total_gb: 7,
    network_bytes_recv: 8,
  };
}

async function tell(steps: readonly Step[]): Promise<void> {
  using story = new Story();
  for (const step of steps) await story.apply(step);
  await story.finish();

  const { world, hosts, refused } = story;
  const rows = world.rows();
  expect(new Set(rows).size).toBe(rows.length);
  const taken = hosts.flatMap((sender) => sender.taken.map(({ event_id }) => event_id));
  if (!story.losesMessages) {
    const expected = taken.filter((id) => !refused.has(id));
    expect(rows.filter((id) => taken.includes(id)).sort()).toEqual(expected.sort());
    expect(rows).toHaveLength(expected.length + story.foreign);
  }
  // Whatever the log still has is a row or a dead letter.
  expect(world.notLoaded()).toEqual([]);
  const sums = world.sums();
  expect(world.reasons()).not.toHaveProperty('missing');
  expect(sums.missing).toBe(0);
  const plain = world.query('SELECT 1 FROM server_metrics WHERE run_id IS NULL').length;
  expect(sums.received).toBe(rows.length - plain);
  const [fleet] = world.query<{ received: number; missing: number }>(
    'SELECT sum(received) AS received, sum(missing) AS missing FROM hosts',
  );
  expect(fleet).toEqual({ received: sums.received, missing: 0 });
  expect(world.query('SELECT DISTINCT topic FROM consumer_offsets')).toEqual([{ topic: TOPIC }]);
}

describe('writers over a log, through whatever happens', () => {
  it('end with every sample in the table once and nothing missing', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(...harmless), { minLength: 1, maxLength: 40 }), tell), {
      numRuns: 60,
    });
  });

  it('end with nothing missing where the log itself loses messages or is made anew', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(...harmless, ...ofTheLog), { minLength: 1, maxLength: 40 }), tell),
      { numRuns: 60 },
    );
  });

  it('end with nothing missing where a sample is repeated behind the hole that took the one after it', async () => {
    await tell([
      { do: 'send', host: 2, samples: 3 },
      { do: 'pass', ms: 2500 },
      { do: 'poison', host: 2 },
      { do: 'expire', partition: 0, share: 1 },
      { do: 'expire', partition: 1, share: 1 },
      { do: 'repeat', host: 2, sample: 2 },
      { do: 'pass', ms: 2500 },
    ]);
  });

  it('end with nothing missing where partitions are added while a backlog lies in the old ones', async () => {
    const add = { weight: 2, arbitrary: fc.record({ do: fc.constant('add partition' as const) }) };
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(...harmless, add), { minLength: 1, maxLength: 40 }), tell), {
      numRuns: 60,
    });
  });
});
