import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { LabelledValue } from '../../../src/ops/metrics-catalog.ts';
import type { HostRecord } from '../../../src/sink/sink-admin.ts';
import { Fleet, fleetMetrics } from '../../../src/writer/fleet.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const NOW = Date.UTC(2026, 0, 1);
const SETTINGS = { fleet_hosts: 100, fleet_silent_after: 300_000 };

function host(hostname: string, changes: Partial<HostRecord> = {}): HostRecord {
  return {
    hostname,
    first_seen: NOW - 1_000_000,
    last_seen: NOW - 5_000,
    agent_version: '0.1.0',
    spool_depth: 0,
    spool_bytes: 0,
    spool_oldest_age_seconds: 0,
    samples: 10,
    received: 10,
    lost: 0,
    missing: 0,
    retired_at: null,
    ...changes,
  };
}

const names = (reading: unknown) => (reading as LabelledValue[]).map(({ labels }) => labels.hostname);

describe('the metrics of a fleet', () => {
  it('count hosts, the silent ones, what waits and what is missing', () => {
    const hosts = [
      host('a', { spool_depth: 3, spool_oldest_age_seconds: 20, lost: 4 }),
      host('b', { last_seen: NOW - 300_001, spool_depth: 5, spool_oldest_age_seconds: 70.5, missing: 1 }),
      host('never', { last_seen: null, spool_depth: null, spool_oldest_age_seconds: null }),
      host('gone', { last_seen: NOW - 90_000_000, retired_at: NOW - 1, lost: 2, spool_depth: 1000 }),
    ];
    expect(fleetMetrics(hosts, SETTINGS, NOW)).toMatchObject({
      hostspool_fleet_hosts: 3,
      hostspool_fleet_silent_hosts: 2,
      hostspool_fleet_spool_depth: 8,
      hostspool_fleet_spool_oldest_age_seconds: 70.5,
      hostspool_fleet_samples_lost: 6,
      hostspool_fleet_samples_missing: 1,
    });
  });

  it('name only so many hosts, those furthest behind, and none when none is asked for', () => {
    const hosts = Array.from({ length: 5000 }, (_, index) => host(`host-${index}`));
    hosts.push(host('silent', { last_seen: NOW - 900_000 }), host('behind', { spool_oldest_age_seconds: 1_000 }));
    const few = fleetMetrics(hosts, { ...SETTINGS, fleet_hosts: 2 }, NOW);
    expect(names(few.hostspool_fleet_host_spool_depth)).toEqual(['behind', 'silent']);
    expect(names(few.hostspool_fleet_host_last_seen_timestamp_seconds)).toEqual(['behind', 'silent']);
    const none = fleetMetrics(hosts, { ...SETTINGS, fleet_hosts: 0 }, NOW);
    expect(none.hostspool_fleet_host_spool_depth).toEqual([]);
    expect(none.hostspool_fleet_hosts).toBe(5002);
  });

  it('have no value for what a host never told', () => {
    const metrics = fleetMetrics([host('never', { last_seen: null, spool_depth: null })], SETTINGS, NOW);
    expect(metrics.hostspool_fleet_host_last_seen_timestamp_seconds).toEqual([]);
    expect(metrics.hostspool_fleet_host_spool_depth).toEqual([]);
  });
});

describe('reading the fleet', () => {
  it('asks the database at most every ten seconds, and once however many scrape', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const fleet = new Fleet(async () => [host(`host-${++asked}`)], clock);
    const both = await Promise.all([fleet.read(SETTINGS), fleet.read(SETTINGS)]);
    for (const { hostspool_fleet_hosts } of both) expect(hostspool_fleet_hosts).toBe(1);
    clock.pass(9_000);
    await fleet.read(SETTINGS);
    expect(asked).toBe(1);
    clock.pass(1_001);
    await fleet.read(SETTINGS);
    expect(asked).toBe(2);
  });

  it('does not hold up a scrape, and tells what it read last while the database is away', async () => {
    const clock = new FakeClock();
    let answer: () => Promise<HostRecord[]> = async () => [host('a')];
    const fleet = new Fleet(() => answer(), clock);
    const readAt = clock.now() / 1000;
    await fleet.read(SETTINGS);
    clock.pass(60_000);
    answer = () => Promise.reject(new HostspoolError('SINK_UNAVAILABLE', 'away', { retryable: true }));
    expect(await fleet.read(SETTINGS)).toMatchObject({
      hostspool_fleet_hosts: 1,
      hostspool_fleet_read_timestamp_seconds: readAt,
    });
    answer = () => new Promise(() => undefined);
    const scrape = fleet.read(SETTINGS);
    await clock.advance(1_000);
    expect(await scrape).toMatchObject({ hostspool_fleet_hosts: 1 });
  });

  it('tells nothing of a fleet that it never could read', async () => {
    const fleet = new Fleet(() => Promise.reject(new Error('away')), new FakeClock());
    expect(await fleet.read(SETTINGS)).toEqual({});
  });
});
