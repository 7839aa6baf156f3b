import { describe, expect, it } from 'vitest';
import { splayOf, type Tick, Ticker } from '../../../src/agent/ticker.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const INTERVAL = 5000;
const SPLAY = splayOf('web-1', INTERVAL);

function start(clock: FakeClock, work: (tick: Tick) => Promise<void> | void = () => undefined) {
  const ticks: Tick[] = [];
  const stop = new AbortController();
  const ticker = new Ticker(INTERVAL, 'web-1', clock);
  const running = ticker.run(async (tick) => {
    ticks.push(tick);
    await work(tick);
  }, stop.signal);
  return { ticker, ticks, stop, running };
}

describe('the ticker', () => {
  it('ticks on the wall-clock grid of the interval plus the splay, without drift', async () => {
    const clock = new FakeClock();
    const { ticks } = start(clock, () => clock.pass(37));
    await clock.advance(60_000);
    expect(ticks).toHaveLength(12);
    for (const tick of ticks) expect((tick.at - SPLAY) % INTERVAL).toBe(0);
  });

  it('counts how late each tick comes, and remembers when the last came', async () => {
    const clock = new FakeClock();
    const { ticker } = start(clock);
    expect(ticker.tickedAt).toBeUndefined();
    await clock.advance(2 * INTERVAL);
    expect(ticker.delays).toMatchObject({ count: 2, sum: 0 });
    // The process is kept from its timers for more than an interval.
    clock.pass(INTERVAL + 2000);
    await clock.advance(0);
    expect(ticker.delays.count).toBe(3);
    expect(ticker.delays.sum).toBeGreaterThan(2);
    expect(ticker.tickedAt).toBe(clock.monotonic());
  });

  it('spreads a fleet evenly over the interval, each host at its own place', () => {
    const places = Array.from({ length: 1000 }, (_, host) => splayOf(`host-${host}`, INTERVAL));
    const perSecond = [0, 1, 2, 3, 4].map(
      (second) => places.filter((place) => Math.floor(place / 1000) === second).length,
    );
    for (const count of perSecond) expect(count).toBeGreaterThan(150);
    expect(splayOf('host-1', INTERVAL)).toBe(places[1]);
  });

  it('counts the grid points that went by while a tick took too long, and does not make up for them', async () => {
    const clock = new FakeClock();
    let first = true;
    const { ticker, ticks } = start(clock, () => {
      if (first) clock.pass(2 * INTERVAL + 100);
      first = false;
    });
    await clock.advance(2 * INTERVAL);
    await clock.advance(4 * INTERVAL);
    expect(ticker.missed).toBe(2);
    expect((ticks[1]?.at ?? 0) - (ticks[0]?.at ?? 0)).toBe(3 * INTERVAL);
  });

  it('says by how much the wall clock was set forward, counts nothing as missed and goes on on the new grid', async () => {
    const clock = new FakeClock();
    const { ticker, ticks } = start(clock);
    await clock.advance(2 * INTERVAL);
    const before = ticks.length;
    clock.stepWall(3_600_123);
    await clock.advance(3 * INTERVAL);
    expect(ticks[before]?.steppedMs).toBe(3_600_123);
    expect(ticker.steps).toBe(1);
    expect(ticks.slice(before + 1).every((tick) => tick.steppedMs === 0 && (tick.at - SPLAY) % INTERVAL === 0)).toBe(
      true,
    );
    expect(ticks.length).toBeGreaterThanOrEqual(before + 3);
    expect(ticker.missed).toBe(0);
  });

  it('goes on sampling when the wall clock is set back by an hour', async () => {
    const clock = new FakeClock();
    const { ticker, ticks } = start(clock);
    await clock.advance(2 * INTERVAL);
    const before = ticks.length;
    clock.stepWall(-3_600_000);
    await clock.advance(3 * INTERVAL);
    expect(ticks.length).toBeGreaterThanOrEqual(before + 3);
    expect(ticks[before]?.steppedMs).toBe(-3_600_000);
    expect(ticker.steps).toBe(1);
    expect(ticker.missed).toBe(0);
  });

  it('follows a slewed clock without calling it a step', async () => {
    const clock = new FakeClock();
    const { ticker, ticks } = start(clock, () => clock.stepWall(2));
    await clock.advance(20 * INTERVAL);
    expect(ticks.length).toBeGreaterThan(15);
    expect(ticks.every((tick) => tick.steppedMs === 0)).toBe(true);
    expect(ticker.steps).toBe(0);
  });

  it('takes a new interval at once', async () => {
    const clock = new FakeClock();
    const { ticker, ticks } = start(clock);
    await clock.advance(INTERVAL);
    const before = ticks.length;
    ticker.setInterval(1000);
    await clock.advance(3000);
    expect(ticks.length - before).toBe(3);
    expect(((ticks.at(-1)?.at ?? 0) - splayOf('web-1', 1000)) % 1000).toBe(0);
  });

  it('takes a new interval that comes while a tick is worked on', async () => {
    const clock = new FakeClock();
    const started = start(clock, async () => started.ticker.setInterval(1000));
    await clock.advance(INTERVAL);
    const before = started.ticks.length;
    await clock.advance(3000);
    expect(started.ticks.length - before).toBe(3);
  });

  it('finishes the tick that has begun when it is stopped, and begins no other', async () => {
    const clock = new FakeClock();
    let finish: () => void = () => undefined;
    let finished = false;
    const { stop, running, ticks } = start(clock, async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      finished = true;
    });
    await clock.advance(INTERVAL);
    stop.abort();
    finish();
    await running;
    expect(finished).toBe(true);
    expect(ticks).toHaveLength(1);
  });
});
