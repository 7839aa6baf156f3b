import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { describe, expect, it } from 'vitest';
import { toKafkaError } from '../../../src/kafka/errors.ts';
import { type EndReason, Heartbeats } from '../../../src/kafka/heartbeats.ts';
import type { LogFields } from '../../../src/lib/log.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const REBALANCE_IN_PROGRESS = 27;
const UNKNOWN_MEMBER_ID = 25;
const ILLEGAL_GENERATION = 22;
const NOT_COORDINATOR = 16;

/** Heartbeats whose coordinator answers as the test says. */
function start(answer: () => Promise<void>, sessionTimeout = 30_000) {
  const clock = new FakeClock();
  const seen = { beats: [] as number[], ends: [] as EndReason[], forgotten: 0, warned: [] as LogFields[] };
  const began = clock.monotonic();
  const heartbeats = new Heartbeats({
    membership: {
      heartbeat: () => {
        seen.beats.push(clock.monotonic() - began);
        return answer();
      },
      forget: () => {
        seen.forgotten++;
      },
    },
    sessionTimeout,
    toError: (thrown) => toKafkaError(thrown, { brokers: ['b:1'], group: 'g' }),
    over: (reason) => seen.ends.push(reason),
    log: { ...silentLog, warn: (fields) => seen.warned.push(fields) },
    clock,
  });
  heartbeats.start();
  return { clock, seen, heartbeats };
}

const refused = (code: number) => async () => {
  throw createErrorFromCode(code);
};

describe('heartbeats', () => {
  it.each([
    [10_000, 1000],
    [30_000, 3000],
    [300_000, 3000],
  ])('with a session timeout of %i ms come every %i ms', async (sessionTimeout, interval) => {
    const { clock, seen, heartbeats } = start(async () => undefined, sessionTimeout);
    await clock.advance(interval * 3);
    expect(seen.beats).toEqual([interval, interval * 2, interval * 3]);
    expect(seen.ends).toEqual([]);
    await heartbeats.stop();
    await clock.advance(interval * 3);
    expect(seen.beats).toHaveLength(3);
  });

  it('go on through a rebalance, so that nobody is expelled while he finishes his work', async () => {
    const { clock, seen, heartbeats } = start(refused(REBALANCE_IN_PROGRESS));
    await clock.advance(60_000);
    expect(seen.ends[0]).toBe('rebalance');
    expect(new Set(seen.ends)).toEqual(new Set(['rebalance']));
    expect(seen.beats).toHaveLength(20);
    expect(seen.forgotten).toBe(0);
    await heartbeats.stop();
  });

  it.each([UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION])('end when the member is none any more (%i)', async (code) => {
    const { clock, seen, heartbeats } = start(refused(code));
    await clock.advance(60_000);
    expect(seen.ends).toEqual(['expelled']);
    expect(seen.beats).toHaveLength(1);
    expect(seen.forgotten).toBe(1);
    await heartbeats.stop();
  });

  it.each([
    ['the connection is lost', async () => Promise.reject(new Error('lost'))],
    ['the coordinator has moved', refused(NOT_COORDINATOR)],
  ])('end nothing while %s, before the session timeout has passed', async (_what, answer) => {
    let sound = false;
    const { clock, seen, heartbeats } = start(() => (sound ? Promise.resolve() : answer()));
    await clock.advance(29_000);
    expect(seen.ends).toEqual([]);
    expect(seen.beats).toHaveLength(9);
    expect(seen.warned).toMatchObject([{ event: 'heartbeat_failed' }]);
    sound = true;
    await clock.advance(29_000);
    expect(seen.ends).toEqual([]);
    expect(heartbeats.expired).toBe(false);
    sound = false;
    await clock.advance(34_000);
    expect(seen.ends[0]).toBe('coordinator_lost');
    await heartbeats.stop();
  });

  it('know at the first look after a long stop that the session is over', async () => {
    const { clock, seen, heartbeats } = start(async () => undefined);
    await clock.advance(6000);
    expect(heartbeats.expired).toBe(false);
    clock.pass(60_000);
    expect(heartbeats.expired).toBe(true);
    await clock.advance(3000);
    expect(seen.ends).toEqual(['coordinator_lost']);
    await heartbeats.stop();
  });

  it('count from when an answered one was sent, not from its answer', async () => {
    const late = Promise.withResolvers<void>();
    const { clock, heartbeats } = start(() => late.promise);
    await clock.advance(3000 + 29_000);
    expect(heartbeats.expired).toBe(true);
    late.resolve();
    await clock.advance(0);
    expect(heartbeats.expired).toBe(false);
    await clock.advance(2000);
    expect(heartbeats.expired).toBe(true);
    await heartbeats.stop();
  });
});
