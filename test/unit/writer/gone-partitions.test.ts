import { describe, expect, it } from 'vitest';
import { FakeHost, lost, type RunningWriter, WritingWorld } from './writing.ts';

const holes = (world: WritingWorld) =>
  world.query(
    'SELECT partition_id, epoch, first_offset, next_offset, reason FROM offset_holes ORDER BY partition_id, epoch',
  );
const offsetOf = (world: WritingWorld, partition: number) =>
  world.query(`SELECT epoch, next_offset FROM consumer_offsets WHERE partition_id = ${partition}`)[0];
const GONE = { partition_id: 1, epoch: 0, first_offset: 5, next_offset: null, reason: 'topic_recreated' };

/** Two partitions: five of the host's samples are loaded from the second, and nothing was ever in the first. */
async function loaded(world: WritingWorld): Promise<{ host: FakeHost; first: RunningWriter }> {
  const host = new FakeHost(world, 'a');
  for (let n = 0; n < 5; n++) host.send({}, 1);
  const first = world.start([0, 1]);
  await world.untilLoaded();
  return { host, first };
}

/** Five more of the host's that nobody reads, then the topic is made anew with one partition, to which it goes on. */
async function shrunk(world: WritingWorld) {
  const story = await loaded(world);
  story.first.consumer.revoke();
  for (let n = 0; n < 5; n++) story.host.send({}, 1);
  world.log.recreate(1);
  story.host.send({}, 0);
  return story;
}

const untilOnRecord = (world: WritingWorld) =>
  world.until(() => holes(world).some((hole) => JSON.stringify(hole) === JSON.stringify(GONE)), 'the hole is there');

describe('partitions of a topic that was made anew with fewer', () => {
  it('are put on record, which explains what they held unread', async () => {
    using world = new WritingWorld(2);
    const { first } = await shrunk(world);
    first.consumer.assign([0]);
    await world.until(() => world.sums().missing === 5, 'the gap is open');
    await world.until(() => world.sums().missing === 0, 'the gap is explained');
    expect(holes(world)).toEqual([GONE]);
    expect(offsetOf(world, 1)).toEqual({ epoch: 1, next_offset: 0 });
    expect(world.sums()).toEqual({ received: 6, lost: 5, missing: 0 });
    expect(world.events('topic_recreated')).toMatchObject([{ level: 'error', partition: 1, read_up_to: 5 }]);
  });

  it('explain a gap that opens after that as well', async () => {
    using world = new WritingWorld(2);
    const { host, first } = await loaded(world);
    first.consumer.revoke();
    for (let n = 0; n < 5; n++) host.send({}, 1);
    world.log.recreate(1);
    first.consumer.assign([0]);
    await untilOnRecord(world);
    host.send({}, 0);
    await world.until(() => world.reasons().topic_recreated === 5, 'the gap is explained');
    expect(world.sums()).toEqual({ received: 6, lost: 5, missing: 0 });
  });

  it('are put on record once, however long the writer goes on and whoever comes after it', async () => {
    using world = new WritingWorld(2);
    const { first } = await shrunk(world);
    first.consumer.assign([0]);
    await untilOnRecord(world);
    await world.clock.advance(300_000);
    first.consumer.assign([0]);
    await world.clock.advance(300_000);
    expect(holes(world)).toEqual([GONE]);
    expect(offsetOf(world, 1)).toEqual({ epoch: 1, next_offset: 0 });
  });

  it('are read from their beginning when they come back', async () => {
    using world = new WritingWorld(2);
    const { host, first } = await shrunk(world);
    first.consumer.assign([0]);
    await untilOnRecord(world);
    world.log.addPartition();
    for (let n = 0; n < 9; n++) host.send({}, 1);
    first.consumer.assign([0, 1]);
    await world.untilLoaded();
    expect(offsetOf(world, 1)).toEqual({ epoch: 1, next_offset: 9 });
    expect(world.sums()).toEqual({ received: 15, lost: 5, missing: 0 });
  });

  it('are looked for by the member with the lowest partition alone', async () => {
    using world = new WritingWorld(3);
    const { first } = await loaded(world);
    first.consumer.revoke();
    world.log.recreate(3);
    const [none, other] = [world.start([]), world.start([2])];
    for (const { consumer } of [first, none, other]) consumer.staleMetadata = [0, 2];
    first.consumer.assign([2]);
    await world.clock.advance(200_000);
    expect(holes(world)).toEqual([]);
    other.consumer.assign([0]);
    await untilOnRecord(world);
  });

  it('are put on record by one of two writers that both believe to be the one', async () => {
    using world = new WritingWorld(2);
    const { first } = await shrunk(world);
    first.consumer.assign([0]);
    world.start([0]);
    await untilOnRecord(world);
    await world.clock.advance(300_000);
    expect(holes(world)).toEqual([GONE]);
    expect(offsetOf(world, 1)).toEqual({ epoch: 1, next_offset: 0 });
    expect(world.events('topic_recreated').filter(({ partition }) => partition === 1)).toHaveLength(1);
  });

  it('are put on record when the database is back', async () => {
    using world = new WritingWorld(2);
    const { first } = await shrunk(world);
    first.consumer.assign([0]);
    await world.until(() => world.sums().missing === 5, 'the gap is open');
    first.sink.faults.push({ at: 'before', error: lost() }, { at: 'after', error: lost() });
    await untilOnRecord(world);
    await world.until(() => world.sums().missing === 0, 'the gap is explained');
    expect(first.sink.faults).toEqual([]);
  });
});

describe('a broker whose metadata leave out a partition that there is', () => {
  it('is not believed when the next answer has it again', async () => {
    using world = new WritingWorld(2);
    const { host, first } = await loaded(world);
    const second = world.start([1]);
    first.consumer.assign([0]);
    first.consumer.staleMetadata = [0];
    await world.clock.advance(30_000);
    first.consumer.staleMetadata = undefined;
    await world.clock.advance(60_000);
    host.send({}, 1);
    await world.untilLoaded();
    expect(holes(world)).toEqual([]);
    expect(offsetOf(world, 1)).toEqual({ epoch: 0, next_offset: 6 });
    expect(second.hasEnded).toBe(false);
  });

  it('does no harm even when it is believed: all is read once more, and nothing twice or lost', async () => {
    using world = new WritingWorld(2);
    const { host, first } = await loaded(world);
    const second = world.start([1]);
    first.consumer.assign([0]);
    first.consumer.staleMetadata = [0];
    await untilOnRecord(world);
    first.consumer.staleMetadata = undefined;
    for (let n = 0; n < 3; n++) host.send({}, 1);
    await world.until(() => world.rows().length === 8, 'the new ones are there');
    host.send({}, 1);
    await world.untilLoaded();
    expect(offsetOf(world, 1)).toEqual({ epoch: 1, next_offset: 9 });
    expect(world.sums()).toEqual({ received: 9, lost: 0, missing: 0 });
    expect(second.consumer.sessions).toBeLessThan(5);
  });
});
