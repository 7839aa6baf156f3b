import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { StoredOffset } from '../../../src/sink/sink.ts';
import { FakeHost, lost, sampleOf, TOPIC, WritingWorld } from './writing.ts';

function sent(world: WritingWorld, samples: number, name = 'a'): FakeHost {
  const host = new FakeHost(world, name);
  for (let n = 0; n < samples; n++) host.send();
  return host;
}

const holes = (world: WritingWorld) =>
  world.query(
    'SELECT partition_id, epoch, first_offset, next_offset, reason FROM offset_holes ORDER BY partition_id, epoch, first_offset',
  );
const offsets = (world: WritingWorld) =>
  world.query('SELECT epoch, next_offset FROM consumer_offsets ORDER BY partition_id');

describe('a topic that is made anew', () => {
  for (const [how, samples] of [
    ['is shorter than what was read', 3],
    ['has grown exactly as far', 10],
    ['has grown past it', 15],
  ] as const) {
    for (const when of ['under a running session', 'between two sessions'] as const) {
      it(`is read from its beginning when it ${how}, ${when}`, async () => {
        using world = new WritingWorld();
        const host = sent(world, 10);
        const { consumer } = world.start();
        await world.untilLoaded();
        if (when === 'between two sessions') consumer.revoke();
        await world.clock.advance(1000);
        world.log.recreate();
        for (let n = 0; n < samples; n++) host.send();
        if (when === 'between two sessions') consumer.assign([0]);
        await world.untilLoaded();
        expect(world.rows()).toHaveLength(10 + samples);
        expect(offsets(world)).toEqual([{ epoch: 1, next_offset: samples }]);
        expect(holes(world)).toEqual([
          { partition_id: 0, epoch: 0, first_offset: 10, next_offset: null, reason: 'topic_recreated' },
        ]);
        expect(world.events('topic_recreated')).toMatchObject([{ level: 'error' }]);
        expect(world.sums().missing).toBe(0);
      });
    }
  }

  it('is noticed however fast it was, without any error', async () => {
    using world = new WritingWorld(1, { 'writer.batch_size': 1 });
    const host = sent(world, 4);
    world.start();
    await world.untilLoaded();
    host.send();
    await world.clock.advance(1);
    world.log.recreate();
    for (let n = 0; n < 9; n++) host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(14);
  });

  it('does not keep a writer from reading a log whose batches fill an answer alone', async () => {
    using world = new WritingWorld();
    world.fetchMessages = 1;
    sent(world, 50);
    world.start();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(50);
  });

  it('is told from a fetch error at once', async () => {
    using world = new WritingWorld();
    const host = sent(world, 4);
    const { consumer } = world.start();
    await world.untilLoaded();
    world.log.recreate();
    for (let n = 0; n < 9; n++) host.send();
    consumer.failFetch(new HostspoolError('KAFKA_UNKNOWN_TOPIC', 'gone'));
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(13);
  });

  it('explains what went with it', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    for (let n = 0; n < 5; n++) host.send();
    world.log.recreate();
    consumer.assign([0]);
    host.send();
    await world.untilLoaded();
    expect(world.reasons()).toEqual({ topic_recreated: 5 });
    expect(world.sums()).toEqual({ received: 11, lost: 5, missing: 0 });
  });

  it('may be so again and again', async () => {
    using world = new WritingWorld();
    const host = sent(world, 3);
    world.start();
    await world.untilLoaded();
    for (let time = 1; time <= 4; time++) {
      await world.clock.advance(1000);
      world.log.recreate();
      for (let n = 0; n < 5; n++) host.send();
      await world.untilLoaded();
      expect(offsets(world)).toEqual([{ epoch: time, next_offset: 5 }]);
    }
    expect(world.rows()).toHaveLength(23);
  });

  it('loses nothing that was gathered and not yet loaded', async () => {
    using world = new WritingWorld(1, { 'writer.batch_timeout': '5m' });
    const host = sent(world, 3);
    world.start();
    await world.clock.advance(1000);
    world.log.recreate();
    for (let n = 0; n < 2; n++) host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(5);
    expect(holes(world)).toMatchObject([{ first_offset: 3, next_offset: null }]);
  });
});

describe('a log that lets messages go', () => {
  it('that nobody had read: the hole is on record and explains the gap', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    for (let n = 0; n < 6; n++) host.send();
    world.log.expire(0, 14);
    consumer.assign([0]);
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(12);
    expect(holes(world)).toEqual([
      { partition_id: 0, epoch: 0, first_offset: 10, next_offset: 14, reason: 'expired_in_kafka' },
    ]);
    expect(world.sums()).toEqual({ received: 12, lost: 4, missing: 0 });
    expect(world.events('expired_in_kafka')).toMatchObject([{ level: 'error' }]);
  });

  it('that were read: no evidence is left, and nothing is lost', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    world.log.expire(0, 10);
    host.send();
    consumer.assign([0]);
    await world.untilLoaded();
    expect(holes(world)).toEqual([]);
    expect(world.rows()).toHaveLength(11);
  });

  it('even without any message left: the hole is recorded all the same', async () => {
    using world = new WritingWorld();
    const host = sent(world, 2);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    for (let n = 0; n < 6; n++) host.send();
    world.log.expire(0, 8);
    consumer.assign([0]);
    await world.until(() => holes(world).length === 1, 'the hole is on record');
    expect(offsets(world)).toEqual([{ epoch: 0, next_offset: 8 }]);
  });

  it('before the group had read anything: nobody lost them', async () => {
    using world = new WritingWorld();
    const host = sent(world, 6);
    world.log.expire(0, 4);
    world.start();
    await world.untilLoaded();
    host.send();
    await world.untilLoaded();
    expect(holes(world)).toEqual([]);
    expect(world.reasons()).toEqual({ before_first_contact: 4 });
    expect(world.rows()).toHaveLength(3);
  });

  it('is told from samples that are missing, although the first message read was stamped in the future', async () => {
    using world = new WritingWorld();
    const now = world.clock.now();
    const value = JSON.stringify(sampleOf('ahead', now));
    world.log.produce(0, { key: 'ahead', value, timestamp: now + 365 * 24 * 3600 * 1000 });
    world.start();
    await world.until(() => offsets(world).length === 1, 'the first message is loaded');
    await world.clock.advance(1000);
    new FakeHost(world, 'a').send({ seq: 5 });
    await world.untilLoaded();
    expect(world.reasons()).toEqual({ missing: 4 });
  });

  it('one by one, as compaction does it: the evidence goes and reading goes on', async () => {
    using world = new WritingWorld();
    const host = sent(world, 6);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    world.log.compact(0, ({ offset }) => offset < 3);
    host.send();
    consumer.assign([0]);
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(7);
    expect(holes(world)).toEqual([]);
  });
});

describe('two writers that believe to own one partition', () => {
  it('load every sample once, and the one that is always late joins anew', async () => {
    using world = new WritingWorld(1, { 'writer.batch_timeout': '100ms' });
    const host = sent(world, 5);
    const [first, second] = [world.start(), world.start()];
    for (let n = 0; n < 60; n++) {
      host.send();
      await world.clock.advance(150);
    }
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(65);
    expect(world.sums()).toEqual({ received: 65, lost: 0, missing: 0 });
    expect(first.consumer.sessions + second.consumer.sessions).toBeGreaterThanOrEqual(2);
  });

  it('of which one was stopped in the middle of a load and wakes a minute later', async () => {
    using world = new WritingWorld();
    const host = sent(world, 5);
    const sleeper = world.start();
    sleeper.sink.faults.push({ at: 'late', until: () => world.clock.sleep(60_000) });
    await world.clock.advance(3000);
    world.start();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(5);
    await world.clock.advance(60_000);
    host.send();
    await world.untilLoaded();
    await world.clock.advance(10_000);
    expect(world.rows()).toHaveLength(6);
    expect(world.sums()).toEqual({ received: 6, lost: 0, missing: 0 });
  });

  it('explain a gap that opens after the other one found the hole', async () => {
    using world = new WritingWorld(2);
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 5; n++) host.send({}, 0);
    const [zero] = [world.start([0]), world.start([1])];
    await world.until(() => world.rows().length === 5, 'all is loaded');
    zero.consumer.revoke();
    for (let n = 0; n < 4; n++) host.send({}, 0);
    world.log.expire(0, 9);
    zero.consumer.assign([0]);
    await world.until(() => holes(world).length === 1, 'the hole is on record');
    await world.clock.advance(10_000);
    host.send({}, 1);
    await world.until(() => world.rows().length === 6, 'the sample is there');
    await world.until(() => world.sums().missing === 0, 'the gap is explained');
    expect(world.reasons()).toEqual({ expired_in_kafka: 4 });
  });

  it('explain a gap that was open before the other one found the hole', async () => {
    using world = new WritingWorld(2);
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 5; n++) host.send({}, 0);
    const [zero, one] = [world.start([0]), world.start([1])];
    await world.until(() => world.rows().length === 5, 'all is loaded');
    zero.consumer.revoke();
    for (let n = 0; n < 4; n++) host.send({}, 0);
    world.log.expire(0, 9);
    // The host's key moves to the new partition; its gap is opened before the hole is known.
    host.send({}, 1);
    await world.until(() => world.sums().missing === 4, 'the gap is open');
    zero.consumer.assign([0]);
    await world.until(() => world.sums().missing === 0, 'the gap is explained');
    expect(world.reasons()).toEqual({ expired_in_kafka: 4 });
    expect(one.hasEnded).toBe(false);
  });

  it('explain a gap by a hole whose load was committed, though its answer was lost', async () => {
    using world = new WritingWorld(2);
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 5; n++) host.send({}, 0);
    const [zero] = [world.start([0]), world.start([1])];
    await world.until(() => world.rows().length === 5, 'all is loaded');
    for (let n = 0; n < 4; n++) host.send({}, 0);
    world.log.expire(0, 9);
    zero.sink.faults.push({ at: 'before', error: lost() }, { at: 'after', error: lost() });
    // The host's key moves to the new partition; its gap is opened while the hole waits to be loaded.
    host.send({}, 1);
    await world.until(() => world.reasons().missing === 4, 'the gap is open');
    await world.until(() => world.sums().missing === 0, 'the gap is explained');
    expect(world.reasons()).toEqual({ expired_in_kafka: 4 });
    expect(holes(world)).toHaveLength(1);
  });

  it('explain a run that is told of by its note only, though the hole was committed while the session began', async () => {
    using world = new WritingWorld();
    const host = sent(world, 5);
    const owner = world.start();
    await world.untilLoaded();
    owner.consumer.revoke();
    host.restart();
    for (let n = 0; n < 4; n++) host.send();
    host.restart();
    world.log.expire(0, 9);
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const next = world.start(undefined);
    const { readHoles } = next.sink;
    let asked = false;
    next.sink.readHoles = async (reader) => {
      next.sink.readHoles = readHoles;
      const known = await readHoles(reader);
      asked = true;
      await held;
      return known;
    };
    next.consumer.assign([0]);
    await world.until(() => asked, 'the next session reads the holes');
    owner.consumer.assign([0]);
    await world.until(() => holes(world).length === 1, 'the owner before has recorded one');
    owner.consumer.revoke();
    goOn();
    host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(6);
    expect(world.reasons()).toEqual({ expired_in_kafka: 4 });
    expect(world.sums().missing).toBe(0);
  });

  describe.each([0, 1])('one of which slept while the topic was made anew (times before that: %d)', (before) => {
    it('do not take what they hold of the log that is gone for what is in the new one', async () => {
      using world = new WritingWorld();
      world.fetchMessages = 100;
      const host = new FakeHost(world, 'a');
      const sleeper = world.start();
      if (before === 1) {
        for (let n = 0; n < 5; n++) host.send();
        await world.untilLoaded();
        world.log.recreate();
      }
      for (let n = 0; n < 10; n++) host.send();
      const wakeUp = Promise.withResolvers<void>();
      sleeper.sink.faults.push({ at: 'late', until: () => wakeUp.promise });
      await world.until(() => sleeper.sink.faults.length === 0, 'the one that will sleep loads');
      sleeper.consumer.stall();
      world.log.recreate();
      for (let n = 0; n < 4; n++) host.send();
      const other = world.start();
      await world.until(
        () => world.query('SELECT 1 FROM consumer_offsets WHERE next_offset = 4').length === 1,
        'it is read',
      );
      const goOn = Promise.withResolvers<void>();
      other.sink.faults.push({ at: 'late', until: () => goOn.promise });
      for (let n = 0; n < 8; n++) host.send();
      await world.until(() => other.sink.faults.length === 0, 'the other loads what came');
      wakeUp.resolve();
      await world.clock.advance(20_000);
      goOn.resolve();
      await world.clock.advance(60_000);
      host.send();
      await world.clock.advance(60_000);
      expect(world.notLoaded()).toEqual([]);
    });
  });

  it('record of a hole only what the other one has not passed', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    const late = world.start();
    await world.untilLoaded();
    late.sink.away = lost();
    // What the late one does not see: its partition is another's meanwhile, who reads on.
    late.consumer.revoke();
    await world.clock.advance(1000);
    const owner = world.start();
    for (let n = 0; n < 5; n++) host.send();
    await world.untilLoaded();
    owner.consumer.revoke();
    for (let n = 0; n < 5; n++) host.send();
    world.log.expire(0, 20);
    host.send();
    const before = { epoch: 0, next: 10, partition: 0, evidence: null, began_at: null };
    late.sink.away = undefined;
    const { readOffsets } = late.sink;
    late.sink.readOffsets = async () => {
      late.sink.readOffsets = readOffsets;
      return new Map([[0, before]]);
    };
    late.consumer.assign([0]);
    await world.untilLoaded();
    await world.clock.advance(10_000);
    expect(holes(world)).toEqual([
      { partition_id: 0, epoch: 0, first_offset: 15, next_offset: 20, reason: 'expired_in_kafka' },
    ]);
    expect(world.reasons()).toEqual({ expired_in_kafka: 5 });
  });
});

describe('a database that has lost what it had committed', () => {
  it('gets it again within a minute, though nothing more comes to the partition', async () => {
    using world = new WritingWorld();
    const host = sent(world, 6);
    world.start();
    await world.untilLoaded();
    const tables = ['server_metrics', 'runs', 'hosts', 'consumer_offsets'];
    world.execute(tables.map((table) => `CREATE TABLE kept_${table} AS SELECT * FROM ${table};`).join('\n'));
    for (let n = 0; n < 4; n++) host.send();
    await world.untilLoaded();
    const restore = (table: string) => `DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept_${table};`;
    world.execute(`BEGIN; ${tables.map(restore).join('\n')} COMMIT;`);
    expect([world.sums(), world.rows().length]).toEqual([{ received: 6, lost: 0, missing: 0 }, 6]);
    await world.clock.advance(65_000);
    expect([world.sums(), world.rows().length]).toEqual([{ received: 10, lost: 0, missing: 0 }, 10]);
    expect(offsets(world)).toEqual([{ epoch: 0, next_offset: 10 }]);
    host.send();
    await world.untilLoaded();
    expect([world.sums(), world.rows().length]).toEqual([{ received: 11, lost: 0, missing: 0 }, 11]);
  });
});

describe('a person who goes back and then past what was never read', () => {
  it('leaves a record that explains the gap, though it begins before the last message of the run', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    await world.clock.advance(1000);
    for (let n = 0; n < 5; n++) host.send();
    const reader = { group: world.settings.kafka.group, topic: TOPIC };
    const reset = async (to: number, reason?: 'skipped_by_operator') => {
      const stored = (await world.database.readOffsets(reader)).get(0) as StoredOffset;
      const skip = { partition: 0, epoch: 0, first_offset: stored.next, next_offset: to, found_at: world.clock.now() };
      const holes = reason === undefined ? [] : [{ ...skip, reason }];
      expect(await world.database.resetOffsets(reader, [{ partition: 0, stored, next: to }], holes)).toEqual([]);
    };
    await reset(4);
    await reset(15, 'skipped_by_operator');
    consumer.assign([0]);
    host.send();
    await world.until(() => world.rows().length === 11, 'the last one was loaded');
    expect(world.sums()).toEqual({ received: 11, lost: 5, missing: 0 });
    expect(world.reasons()).toEqual({ skipped_by_operator: 5 });
  });
});
