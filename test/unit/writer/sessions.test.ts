import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { Intervals } from '../../../src/writer/intervals.ts';
import { FakeHost, lost, WritingWorld } from './writing.ts';

function sent(world: WritingWorld, samples: number, name = 'a'): FakeHost {
  const host = new FakeHost(world, name);
  for (let n = 0; n < samples; n++) host.send();
  return host;
}

describe('a session', () => {
  it('takes nothing before the database has said where to begin', async () => {
    using world = new WritingWorld();
    sent(world, 5);
    const { consumer, sink } = world.start(undefined);
    sink.away = lost();
    consumer.assign([0]);
    await world.clock.advance(30_000);
    expect(consumer.session?.target).toBeUndefined();
    sink.away = undefined;
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(5);
  });

  it('begins only when the load of the last one is over, and reads the offsets after it', async () => {
    using world = new WritingWorld();
    const host = sent(world, 5);
    const { consumer, sink } = world.start();
    sink.faults.push({ at: 'late', until: () => world.clock.sleep(20_000) });
    await world.clock.advance(3000);
    consumer.assign([0]);
    await world.clock.advance(10_000);
    expect(consumer.sessions).toBe(2);
    expect(consumer.session?.target).toBeUndefined();
    host.send();
    await world.untilLoaded();
    expect(sink.loads).toBe(2);
    expect(world.sums()).toEqual({ received: 6, lost: 0, missing: 0 });
  });

  it('drops answers that do not begin where it stands', async () => {
    using world = new WritingWorld();
    sent(world, 8);
    const { consumer } = world.start();
    await world.clock.advance(100);
    const message = world.log.messages(0)[7];
    if (message === undefined) throw new Error('no message');
    for (const position of [3, 9, 100]) {
      consumer.session?.target?.took({ partition: 0, position, messages: [message], next: position + 1, end: 200 });
    }
    consumer.session?.target?.took({ partition: 9, position: 0, messages: [message], next: 8, end: 8 });
    consumer.session?.target?.outOfRange(0, 77, { start: 50, end: 60 });
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(8);
    expect(world.query('SELECT * FROM offset_holes')).toEqual([]);
  });

  it('pauses at the bound while the database is away, and holds no more than that', async () => {
    using world = new WritingWorld(2, { 'writer.batch_max': 20, 'writer.batch_size': 20 });
    world.fetchMessages = 5;
    for (const name of ['a', 'bb']) sent(world, 200, name);
    const { consumer, sink, writer } = world.start();
    for (let n = 0; n < 20; n++) sink.faults.push({ at: 'before', error: lost() });
    await world.clock.advance(100_000);
    const { target } = consumer.session ?? {};
    expect(target?.positions([0, 1])).toEqual(new Map());
    expect((target as Intervals | undefined)?.received).toBeLessThanOrEqual(2 * 20 + 5);
    expect(writer.health().healthy).toBe(false);
    sink.faults.length = 0;
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(400);
    expect(Math.max(...sink.sizes)).toBeLessThanOrEqual(20);
  });

  it('counts the headers of messages to what it holds', async () => {
    using world = new WritingWorld(1, { 'writer.buffer_bytes': '1MiB' });
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 40; n++) host.send();
    for (const message of world.log.messages(0))
      Object.assign(message, { headers: { trace: [Buffer.alloc(100_000)] } });
    world.fetchMessages = 2;
    const { sink, consumer } = world.start(undefined);
    sink.faults.push(...Array.from({ length: 100 }, () => ({ at: 'before', error: lost() }) as const));
    consumer.assign([0]);
    for (let passed = 0; passed < 60; passed++) await world.clock.advance(1000);
    const held = (consumer.session?.target as Intervals | undefined)?.received ?? 0;
    expect(held).toBeGreaterThan(5);
    expect(held).toBeLessThan(20);
  });

  it('grows its batches under backlog and gives every partition its share', async () => {
    using world = new WritingWorld(2, { 'writer.batch_max': 40, 'writer.batch_size': 4 });
    const [hot, quiet] = ['a', 'bb'].map((name) => new FakeHost(world, name)) as [FakeHost, FakeHost];
    expect(hot.partition).not.toBe(quiet.partition);
    for (let n = 0; n < 300; n++) hot.send();
    quiet.send();
    const { sink } = world.start();
    sink.faults.push({ at: 'late', until: () => world.clock.sleep(1000) });
    await world.untilLoaded();
    expect(Math.max(...sink.sizes)).toBe(40);
    const quietRow = world.rows().indexOf(quiet.taken[0]?.event_id as string);
    expect(quietRow).toBeLessThan(80);
  });

  it('is left when fetching has stopped without a word, and only then', async () => {
    using world = new WritingWorld();
    const host = sent(world, 5);
    const { consumer } = world.start();
    await world.clock.advance(3_600_000);
    expect(consumer.sessions).toBe(1);
    consumer.stall();
    await world.clock.advance(1000);
    host.send();
    await world.untilLoaded();
    expect(consumer.sessions).toBe(2);
    expect(world.rows()).toHaveLength(6);
    expect(world.events('fetching_stalled')).toMatchObject([{ level: 'error', partitions: [0] }]);
  });

  it('takes along nothing that it would have to be ill of', async () => {
    using world = new WritingWorld();
    sent(world, 5);
    const first = world.start();
    await world.until(() => first.consumer.session?.target !== undefined, 'it fetches');
    await world.clock.advance(100);
    // Its partition goes to another member before the load; it is given none.
    first.consumer.assign([]);
    world.start();
    await world.untilLoaded();
    await world.clock.advance(120_000);
    expect(first.writer.health()).toEqual({ healthy: true, reasons: [] });
  });

  it('does not care whether Kafka takes its commits', async () => {
    using world = new WritingWorld();
    sent(world, 5);
    const { consumer } = world.start();
    consumer.commitError = new HostspoolError('KAFKA_UNREACHABLE', 'away', { retryable: true });
    await world.untilLoaded();
    expect(world.logged.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });
});

describe('stopping', () => {
  it('waits no longer than its bound for a load that the database does not answer', async () => {
    using world = new WritingWorld(1, { 'shutdown.timeout': '5s' });
    new FakeHost(world, 'a').send();
    const running = world.start();
    const load = Promise.withResolvers<never>();
    running.sink.faults.push({ at: 'instead', does: () => load.promise });
    await world.until(() => running.sink.loads === 1, 'it loads');
    running.stop();
    await world.clock.advance(4000);
    expect(running.hasEnded).toBe(false);
    await world.until(() => running.hasEnded, 'it has stopped', 3000);
    load.reject(new HostspoolError('SINK_CLOSED', 'the connection was closed by hostspool itself'));
    world.start();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(1);
    expect(world.events('load_failed')).toEqual([]);
  });

  it('loads what was gathered, tells Kafka, and leaves', async () => {
    using world = new WritingWorld(1, { 'writer.batch_timeout': '10m' });
    sent(world, 5);
    const running = world.start();
    await world.clock.advance(1000);
    expect(world.rows()).toEqual([]);
    running.stop();
    await world.until(() => running.hasEnded, 'it has stopped');
    expect(world.rows()).toHaveLength(5);
    expect(running.consumer.committed.get(0)).toBe(5);
    expect(world.events('writer_stopped')).toHaveLength(1);
  });

  it('gives up within its bound when the database is away', async () => {
    using world = new WritingWorld(1, { 'shutdown.timeout': '5s' });
    sent(world, 5);
    const running = world.start();
    await world.clock.advance(100);
    running.sink.away = lost();
    await world.clock.advance(20_000);
    running.stop();
    const from = world.clock.monotonic();
    await world.until(() => running.hasEnded, 'it has stopped');
    expect(world.clock.monotonic() - from).toBeLessThanOrEqual(6000);
  });

  it('does so without a session too, and before the database was ready', async () => {
    using world = new WritingWorld();
    const running = world.start(undefined);
    running.consumer.revoke();
    await world.clock.advance(100);
    running.stop();
    await world.until(() => running.hasEnded, 'it has stopped');
    expect(world.rows()).toEqual([]);
  });
});

describe('what a writer says of itself', () => {
  it('warns once a minute while it is behind, and says when it no longer is', async () => {
    using world = new WritingWorld(1, { 'lag.warn': 10 });
    const { sink } = world.start();
    await world.clock.advance(1000);
    sink.away = lost();
    const host = sent(world, 30);
    await world.clock.advance(180_000);
    expect(world.events('lag')).toHaveLength(3);
    expect(world.events('lag')[0]).toMatchObject({ lag: 30, warn_above: 10, level: 'warn' });
    sink.away = undefined;
    host.send();
    await world.untilLoaded();
    await world.clock.advance(120_000);
    expect(world.events('lag').length).toBeLessThanOrEqual(4);
    expect(world.events('lag_recovered')).toHaveLength(1);
  });
});
