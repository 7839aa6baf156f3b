import { describe, expect, it } from 'vitest';
import { FakeHost, lost, WritingWorld } from './writing.ts';

describe('a writer', () => {
  it('loads what is in the log and what comes, once, and commits to Kafka', async () => {
    using world = new WritingWorld(2);
    const [a, b] = [new FakeHost(world, 'a'), new FakeHost(world, 'b')];
    for (let n = 0; n < 10; n++) [a, b].map((host) => host.send());
    const { consumer } = world.start();
    await world.untilLoaded();
    a.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(21);
    expect(world.sums()).toEqual({ received: 21, lost: 0, missing: 0 });
    await world.until(() => consumer.committed.get(a.partition) === 11, 'Kafka heard of it');
  });

  it('has a trickling row in the table within the batch timeout', async () => {
    using world = new WritingWorld(1, { 'writer.batch_timeout': '2s' });
    const host = new FakeHost(world, 'a');
    world.start();
    await world.clock.advance(10_000);
    host.send();
    await world.clock.advance(1900);
    expect(world.rows()).toHaveLength(0);
    await world.clock.advance(100);
    expect(world.rows()).toHaveLength(1);
  });

  it('does not wait where there is enough for a load', async () => {
    using world = new WritingWorld(1, { 'writer.batch_size': 10, 'writer.batch_timeout': '10m' });
    const host = new FakeHost(world, 'a');
    world.start();
    for (let n = 0; n < 10; n++) host.send();
    await world.clock.advance(100);
    expect(world.rows()).toHaveLength(10);
  });

  it('puts each event once into a load, and tells the accounts of every message', async () => {
    using world = new WritingWorld();
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 6; n++) host.send();
    for (let n = 0; n < 6; n++) host.repeat(n);
    const { sink } = world.start();
    await world.untilLoaded();
    expect(sink.sizes).toEqual([6]);
    expect(world.events('load_committed')).toMatchObject([{ rows: 6, messages: 12 }]);
    expect(world.sums()).toEqual({ received: 6, lost: 0, missing: 0 });
  });

  it('finds out that a load was committed whose answer was lost', async () => {
    using world = new WritingWorld();
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 6; n++) host.send();
    const { sink } = world.start();
    sink.faults.push({ at: 'after', error: lost() });
    await world.untilLoaded();
    host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(7);
    expect(world.sums()).toEqual({ received: 7, lost: 0, missing: 0 });
    // What the database had was not loaded again.
    expect(sink.sizes).toEqual([6, 6, 1]);
  });
});
