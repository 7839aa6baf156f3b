import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../../src/config/load.ts';
import { standingOf, stuckReasons, type WriterMotion } from '../../../src/writer/standing.ts';
import { FakeHost, lost, WritingWorld } from './writing.ts';

const { settings } = loadSettings({ flags: {}, env: {}, defaultFile: '' });
const moving: WriterMotion = {
  runningFor: 1_000_000,
  partitions: 3,
  unjoinedFor: 0,
  silentFor: 500,
  stalledFor: 0,
  lag: 0,
  loaded: 12,
};
const HOUR = 3_600_000;

describe('how a writer stands', () => {
  it('is ready with its group, or after ten seconds without it', () => {
    const { partitions: _, ...alone } = moving;
    expect(standingOf({ ...moving, runningFor: 10 }, []).ready).toBe(true);
    expect(standingOf({ ...alone, partitions: undefined, runningFor: 9000 }, []).ready).toBe(false);
    expect(standingOf({ ...alone, partitions: undefined, runningFor: 10_000 }, []).ready).toBe(true);
  });

  it('says what it does, or what troubles it', () => {
    expect(standingOf(moving, []).status).toBe('3 partitions, 0 messages behind; 12 samples loaded since the start');
    expect(standingOf(moving, ['the database refuses']).status).toContain('trouble: the database refuses');
  });

  it('is stuck only beyond what the time limits of its requests add up to', () => {
    expect(stuckReasons(moving, settings)).toEqual([]);
    expect(stuckReasons({ ...moving, silentFor: 120_000 }, settings)).toEqual([]);
    expect(stuckReasons({ ...moving, silentFor: HOUR }, settings)[0]).toContain('fetched');
    expect(stuckReasons({ ...moving, stalledFor: HOUR }, settings)[0]).toContain('loaded');
    expect(stuckReasons({ ...moving, partitions: undefined, unjoinedFor: HOUR }, settings)[0]).toContain('joining');
  });
});

describe('a running writer', () => {
  it('is ready, and not stuck however long nothing comes', async () => {
    using world = new WritingWorld();
    const { writer } = world.start();
    await world.until(() => writer.standing().ready, 'it has its partitions');
    await world.clock.advance(HOUR / 4);
    expect(writer.standing().ready).toBe(true);
    expect(writer.condition().stuck).toEqual([]);
  });

  it('is not stuck while the database is away, and says what troubles it', async () => {
    using world = new WritingWorld();
    const host = new FakeHost(world, 'a');
    const { writer, sink } = world.start();
    await world.until(() => writer.standing().ready, 'it has its partitions');
    sink.away = lost();
    host.send();
    await world.clock.advance(HOUR / 4);
    expect(writer.condition().stuck).toEqual([]);
    expect(writer.standing().status).toContain('trouble: database');
  });

  it('is stuck when joining its group never ends', async () => {
    using world = new WritingWorld();
    const running = world.start();
    await world.until(() => running.writer.standing().ready, 'it has its partitions');
    running.consumer.revoke();
    await world.clock.advance(HOUR);
    expect(running.writer.condition().stuck[0]).toContain('joining');
  });
});
