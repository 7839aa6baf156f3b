/**
 * The fleet, for /metrics: what the samples of all hosts carried, as the database has it. So every writer tells the
 * same, also of hosts whose partitions another one reads or that fell silent before this one started.
 *
 * It is read when somebody scrapes, at most every few seconds, and a scrape never waits long for it: while the database
 * is away it tells what was read last, and when that was.
 *
 * However large the fleet, only so many hosts are named: those furthest behind, by their silence or by the age of what
 * waits in their spools.
 */
import type { Settings } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { labelled, type Readings } from '../ops/metrics-catalog.ts';
import type { HostRecord } from '../sink/sink-admin.ts';

type FleetSettings = Pick<Settings['http'], 'fleet_hosts' | 'fleet_silent_after'>;

/** What was read is good for so long, ms. */
const FRESH_MS = 10_000;
/** How long a scrape waits for the database, ms. */
const WAIT_MS = 1_000;

interface Fleeting {
  readonly hosts: readonly HostRecord[];
  /** Wall and monotonic clock, ms. */
  readonly at: number;
  readonly monotonicAt: number;
}

export class Fleet {
  readonly #list: () => Promise<readonly HostRecord[]>;
  readonly #clock: Clock;
  #last: Fleeting | undefined;
  #reading: Promise<void> | undefined;

  constructor(list: () => Promise<readonly HostRecord[]>, clock: Clock) {
    this.#list = list;
    this.#clock = clock;
  }

  /** Nothing where the database could never be read. */
  async read(settings: FleetSettings): Promise<Readings> {
    const age = this.#clock.monotonic() - (this.#last?.monotonicAt ?? Number.NEGATIVE_INFINITY);
    if (age > FRESH_MS) {
      this.#reading ??= this.#refresh();
      const limit = new AbortController();
      await Promise.race([this.#reading, this.#clock.sleep(WAIT_MS, limit.signal)]);
      limit.abort();
    }
    if (this.#last === undefined) return {};
    const { hosts, at } = this.#last;
    return { ...fleetMetrics(hosts, settings, this.#clock.now()), hostspool_fleet_read_timestamp_seconds: at / 1000 };
  }

  async #refresh(): Promise<void> {
    try {
      const at = this.#clock.now();
      const monotonicAt = this.#clock.monotonic();
      this.#last = { hosts: await this.#list(), at, monotonicAt };
    } catch {
      // The loads meet the same database, and say what is wrong with it; here it shows as a reading that gets old.
    } finally {
      this.#reading = undefined;
    }
  }
}

/** `now`: ms since the epoch. */
export function fleetMetrics(hosts: readonly HostRecord[], settings: FleetSettings, now: number): Readings {
  const { fleet_hosts, fleet_silent_after } = settings;
  const active = hosts.filter(({ retired_at }) => retired_at === null);
  const silence = ({ last_seen }: HostRecord) => (last_seen === null ? Number.POSITIVE_INFINITY : now - last_seen);
  const behind = (host: HostRecord) => Math.max(silence(host), (host.spool_oldest_age_seconds ?? 0) * 1000);
  const named = active.toSorted((one, other) => compare(behind(other), behind(one))).slice(0, fleet_hosts);
  const byHost = (value: (host: HostRecord) => number | null) =>
    labelled(
      'hostname',
      named.flatMap((host): [string, number][] => {
        const known = value(host);
        return known === null ? [] : [[host.hostname, known]];
      }),
    );
  return {
    hostspool_fleet_hosts: active.length,
    hostspool_fleet_silent_hosts: active.filter((host) => silence(host) > fleet_silent_after).length,
    hostspool_fleet_spool_depth: sumOf(active, ({ spool_depth }) => spool_depth),
    hostspool_fleet_spool_oldest_age_seconds: active.reduce(
      (most, { spool_oldest_age_seconds }) => Math.max(most, spool_oldest_age_seconds ?? 0),
      0,
    ),
    hostspool_fleet_samples_lost: sumOf(hosts, ({ lost }) => lost),
    hostspool_fleet_samples_missing: sumOf(hosts, ({ missing }) => missing),
    hostspool_fleet_host_last_seen_timestamp_seconds: byHost(({ last_seen }) =>
      last_seen === null ? null : last_seen / 1000,
    ),
    hostspool_fleet_host_spool_depth: byHost(({ spool_depth }) => spool_depth),
    hostspool_fleet_host_spool_oldest_age_seconds: byHost(({ spool_oldest_age_seconds }) => spool_oldest_age_seconds),
  };
}

function compare(one: number, other: number): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

function sumOf(hosts: readonly HostRecord[], value: (host: HostRecord) => number | null): number {
  return hosts.reduce((sum, host) => sum + (value(host) ?? 0), 0);
}
