import { describe, expect, it } from 'vitest';
import { type FleetOptions, fleetOf, forgetHosts, HOST_ORDERS } from '../../../src/operate/fleet.ts';
import type { HostRecord } from '../../../src/sink/sink-admin.ts';

const NOW = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

function host(hostname: string, silentFor: number | null, change: Partial<HostRecord> = {}): HostRecord {
  return {
    hostname,
    first_seen: silentFor === null ? null : NOW - 86_400_000,
    last_seen: silentFor === null ? null : NOW - silentFor,
    agent_version: '1.0.0',
    spool_depth: 0,
    spool_bytes: 4096,
    spool_oldest_age_seconds: 0,
    samples: 10,
    received: 10,
    lost: 0,
    missing: 0,
    retired_at: null,
    ...change,
  };
}

const FLEET = [
  host('web-1', 5000, { spool_depth: 3, lost: 2 }),
  host('web-2', 20 * MINUTE, { spool_depth: 700, missing: 1 }),
  host('old-1', 90 * 86_400_000, { retired_at: NOW - MINUTE }),
  host('noted', null, { samples: 0, spool_depth: null }),
];

function fleet(change: Partial<FleetOptions> = {}) {
  return fleetOf(FLEET, { order: 'name', silentFor: null, activeOnly: false, maxSilent: null, ...change }, NOW);
}
const names = (change: Partial<FleetOptions>) => fleet(change).hosts.map(({ hostname }) => hostname);

describe('the fleet', () => {
  it('tells of each host how long it has been silent', () => {
    const { hosts, ...head } = fleet();
    expect(head).toEqual({
      severity: 'ok',
      reasons: [],
      reason_codes: [],
      checked_at: '2026-01-01T00:00:00.000Z',
      known: 4,
      retired: 1,
    });
    expect(hosts.map(({ hostname, silent_seconds }) => [hostname, silent_seconds])).toEqual([
      ['noted', null],
      ['old-1', 7_776_000],
      ['web-1', 5],
      ['web-2', 1200],
    ]);
  });

  it('is cut down to the silent, and to those not retired', () => {
    expect(names({ silentFor: 10 * MINUTE })).toEqual(['noted', 'old-1', 'web-2']);
    expect(names({ silentFor: 10 * MINUTE, activeOnly: true })).toEqual(['noted', 'web-2']);
    expect(fleet({ activeOnly: true }).known).toBe(4);
  });

  it('comes in the order asked for, what wants looking at first', () => {
    expect(names({ order: 'last-seen' })).toEqual(['noted', 'old-1', 'web-2', 'web-1']);
    expect(names({ order: 'depth' })).toEqual(['web-2', 'web-1', 'old-1', 'noted']);
    expect(names({ order: 'missing' })[0]).toBe('web-2');
    expect(names({ order: 'lost' })[0]).toBe('web-1');
    for (const order of HOST_ORDERS) expect(names({ order })).toHaveLength(4);
  });

  it('is critical when a host that is not retired was silent for too long, shown or not', () => {
    const report = fleet({ maxSilent: 10 * MINUTE, silentFor: 86_400_000 });
    expect(report.severity).toBe('critical');
    expect(report.reasons).toEqual(['web-2: silent for 20 min (limit 10m)', 'noted: never sent a sample (limit 10m)']);
    expect(fleet({ maxSilent: 20 * MINUTE }).reason_codes).toEqual(['host_silent']);
  });

  it('takes a host whose clock is ahead as heard of just now', () => {
    const ahead = fleetOf([host('x', -5000)], { order: 'name', silentFor: null, activeOnly: false, maxSilent: 0 }, NOW);
    expect(ahead).toMatchObject({ severity: 'ok', hosts: [{ silent_seconds: 0 }] });
  });
});

describe('forgetting hosts', () => {
  it('retires those there are, and names those there are not', async () => {
    const retired: string[] = [];
    const told: string[] = [];
    const database = {
      retireHost: async (hostname: string) => {
        if (!FLEET.some((each) => each.hostname === hostname)) return false;
        retired.push(hostname);
        return true;
      },
    };
    await forgetHosts(database, ['web-1', 'web-1'], (hostname) => told.push(hostname));
    expect([retired, told]).toEqual([['web-1'], ['web-1']]);
    await expect(forgetHosts(database, ['nope', 'web-2', 'Web-1'], (name) => told.push(name))).rejects.toMatchObject({
      code: 'HOST_UNKNOWN',
      message: 'the database knows no host nope, Web-1',
    });
    expect(told).toEqual(['web-1', 'web-2']);
  });
});
