import { describe, expect, it } from 'vitest';
import { type NotifyChannel, openNotifyChannel } from '../../../src/ops/notify.ts';
import type { Standing } from '../../../src/ops/service.ts';
import { Supervision } from '../../../src/ops/supervision.ts';
import { FakeClock } from '../../support/fake-clock.ts';

type Fields = Readonly<Record<string, string>>;

class FakeChannel implements NotifyChannel {
  readonly sent: Fields[] = [];
  readonly watchdogMs: number | undefined;
  broken = false;

  constructor(watchdogMs: number | undefined) {
    this.watchdogMs = watchdogMs;
  }

  send(fields: Fields): boolean {
    if (!this.broken) this.sent.push(fields);
    return !this.broken;
  }

  count(name: string): number {
    return this.sent.filter((fields) => fields[name] === '1').length;
  }
}

class World {
  readonly clock = new FakeClock();
  readonly channel: FakeChannel;
  readonly errors: unknown[] = [];
  standing: Standing = { ready: true, status: 'fine' };
  stuck: string[] = [];
  readonly supervision: Supervision;

  constructor(given: { watchdogMs?: number | undefined; standing?: Partial<Standing> } = {}) {
    this.channel = new FakeChannel('watchdogMs' in given ? given.watchdogMs : 30_000);
    this.become(given.standing ?? {});
    const nothing = () => undefined;
    this.supervision = new Supervision({
      channel: this.channel,
      service: {
        standing: () => this.standing,
        condition: () => ({ stuck: this.stuck, failed: [], degraded: [], unready: [] }),
      },
      clock: this.clock,
      log: { debug: nothing, info: nothing, warn: nothing, error: (fields) => this.errors.push(fields) },
    });
  }

  become(standing: Partial<Standing>): void {
    this.standing = { ...this.standing, ...standing };
  }
}

describe('what a service manager hears', () => {
  it('is READY once, as soon as the service has begun', async () => {
    const world = new World({ standing: { ready: false } });
    await world.clock.advance(5000);
    expect(world.channel.count('READY')).toBe(0);
    world.become({ ready: true });
    await world.clock.advance(100);
    expect(world.channel.count('READY')).toBe(1);
    await world.clock.advance(60_000);
    expect(world.channel.count('READY')).toBe(1);
  });

  it('is READY again where it could not be sent', async () => {
    const world = new World({ standing: { ready: false } });
    world.channel.broken = true;
    world.become({ ready: true });
    await world.clock.advance(1000);
    world.channel.broken = false;
    await world.clock.advance(100);
    expect(world.channel.count('READY')).toBe(1);
  });

  it('feeds the watchdog thrice within its time, and not at all where there is none', async () => {
    const world = new World({ watchdogMs: 9000 });
    await world.clock.advance(9000);
    expect(world.channel.count('WATCHDOG')).toBe(4);
    const without = new World({ watchdogMs: undefined });
    await without.clock.advance(60_000);
    expect(without.channel.count('WATCHDOG')).toBe(0);
    expect(without.channel.sent.length).toBeGreaterThan(5);
  });

  it('says that work is stuck and lets the watchdog starve', async () => {
    const world = new World({ watchdogMs: 9000 });
    world.stuck = ['no tick'];
    await world.clock.advance(6000);
    const fed = world.channel.count('WATCHDOG');
    await world.clock.advance(60_000);
    expect(world.channel.count('WATCHDOG')).toBe(fed);
    expect(world.channel.sent.at(-1)?.STATUS).toBe('no tick');
    expect(world.errors).toHaveLength(1);
  });

  it('does not take one late look, as after a stop of the whole process, for stuck', async () => {
    const world = new World({ watchdogMs: 9000 });
    world.stuck = ['no tick'];
    await world.clock.advance(3000);
    world.stuck = [];
    await world.clock.advance(3000);
    expect(world.channel.count('WATCHDOG')).toBe(3);
    expect(world.errors).toEqual([]);
  });

  it('is RELOADING with the monotonic time, then READY', () => {
    const world = new World();
    world.supervision.reloading();
    world.supervision.reloaded();
    const [, reloading, ready] = world.channel.sent;
    expect(reloading).toMatchObject({ RELOADING: '1', MONOTONIC_USEC: expect.stringMatching(/^\d+$/) });
    expect(ready).toMatchObject({ READY: '1' });
  });

  it('feeds the watchdog while it stops, and is not READY again', async () => {
    const world = new World({ watchdogMs: 9000 });
    world.supervision.stopping();
    await world.clock.advance(9000);
    expect(world.channel.sent.filter(({ STOPPING }) => STOPPING === '1')).toHaveLength(1);
    expect(world.channel.count('READY')).toBe(1);
    expect(world.channel.count('WATCHDOG')).toBeGreaterThan(2);
  });
});

describe('the channel to a service manager', () => {
  const nothing = () => undefined;
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

  it('is not there without NOTIFY_SOCKET, and then nothing is loaded', () => {
    const load = () => expect.unreachable();
    expect(openNotifyChannel({}, log, load)).toBeUndefined();
    expect(openNotifyChannel({ NOTIFY_SOCKET: '' }, log, load)).toBeUndefined();
  });

  it('writes a line an assignment, whatever a text holds', () => {
    const sent: [string, string][] = [];
    const load = () => (path: string, text: string) => sent.push([path, text]) * 0;
    const channel = openNotifyChannel({ NOTIFY_SOCKET: '/run/notify' }, log, load);
    expect(channel?.send({ STATUS: 'a\nREADY=1\0b', WATCHDOG: '1' })).toBe(true);
    expect(sent).toEqual([['/run/notify', 'STATUS=a READY=1 b\nWATCHDOG=1']]);
  });

  it('says when an errno came back', () => {
    const channel = openNotifyChannel({ NOTIFY_SOCKET: '@abstract' }, log, () => () => 111);
    expect(channel?.send({ READY: '1' })).toBe(false);
  });

  it('goes on without, and warns, where the addon is missing or the address is another kind', () => {
    const warnings: unknown[] = [];
    const warning = { ...log, warn: (fields: object) => warnings.push(fields) };
    const failing = () => {
      throw new Error('no such asset');
    };
    expect(openNotifyChannel({ NOTIFY_SOCKET: '/run/notify' }, warning, failing)).toBeUndefined();
    expect(openNotifyChannel({ NOTIFY_SOCKET: 'vsock:2:1' }, warning, () => () => 0)).toBeUndefined();
    expect(warnings).toHaveLength(2);
  });

  it('knows whose watchdog it is', () => {
    const open = (env: NodeJS.ProcessEnv) =>
      openNotifyChannel({ NOTIFY_SOCKET: '/run/notify', ...env }, log, () => () => 0)?.watchdogMs;
    expect(open({ WATCHDOG_USEC: '2000000' })).toBe(2000);
    expect(open({ WATCHDOG_USEC: '2000000', WATCHDOG_PID: String(process.pid) })).toBe(2000);
    expect(open({ WATCHDOG_USEC: '2000000', WATCHDOG_PID: '1' })).toBeUndefined();
    expect(open({ WATCHDOG_USEC: 'soon' })).toBeUndefined();
    expect(open({})).toBeUndefined();
  });
});
