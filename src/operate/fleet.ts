/**
 * `hostspool hosts`: the fleet as the database knows it. How long a host has been silent is counted from its newest
 * sample, by this host's clock; a host that somebody retired is expected to be silent.
 */
import { HostspoolError } from '../lib/errors.ts';
import { formatDuration } from '../lib/units.ts';
import type { HostRecord, SinkAdmin } from '../sink/sink-admin.ts';
import { critical, type Verdict, verdictOf } from './monitoring.ts';
import { ageInWords } from './status-findings.ts';

export const HOST_ORDERS = ['name', 'last-seen', 'depth', 'samples', 'lost', 'missing'] as const;
export type HostOrder = (typeof HOST_ORDERS)[number];

export interface FleetOptions {
  readonly order: HostOrder;
  /** Only hosts that have been silent for longer, ms; null: all. */
  readonly silentFor: number | null;
  /** Leave retired hosts out. */
  readonly activeOnly: boolean;
  /** A host that is not retired and has been silent for longer is critical, ms; null: none is. */
  readonly maxSilent: number | null;
}

export interface HostLine {
  readonly hostname: string;
  readonly first_seen: string | null;
  /** Time of its newest sample; null where only notes of it were heard. */
  readonly last_seen: string | null;
  readonly silent_seconds: number | null;
  readonly retired_at: string | null;
  readonly agent_version: string | null;
  /** As its agent last told. */
  readonly spool_depth: number | null;
  readonly spool_bytes: number | null;
  readonly spool_oldest_age_seconds: number | null;
  readonly samples: number;
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
}

export interface FleetReport extends Verdict {
  readonly checked_at: string;
  /** How many the database knows; `hosts` has those that were asked for. */
  readonly known: number;
  readonly retired: number;
  readonly hosts: readonly HostLine[];
}

/** `now`: ms since the epoch. */
export function fleetOf(records: readonly HostRecord[], options: FleetOptions, now: number): FleetReport {
  const { silentFor, activeOnly, maxSilent } = options;
  const lines = records.map((record) => lineOf(record, now));
  const silentLonger = ({ silent_seconds }: HostLine, limit: number) =>
    silent_seconds === null || silent_seconds * 1000 > limit;
  const overdue =
    maxSilent === null ? [] : lines.filter((line) => line.retired_at === null && silentLonger(line, maxSilent));
  return {
    ...verdictOf(overdue.map((line) => critical('host_silent', silenceOf(line, maxSilent ?? 0)))),
    checked_at: new Date(now).toISOString(),
    known: lines.length,
    retired: lines.filter(({ retired_at }) => retired_at !== null).length,
    hosts: lines
      .filter((line) => silentFor === null || silentLonger(line, silentFor))
      .filter(({ retired_at }) => !activeOnly || retired_at === null)
      .sort(COMPARE[options.order]),
  };
}

function lineOf(record: HostRecord, now: number): HostLine {
  const { hostname, agent_version, spool_depth, spool_bytes, spool_oldest_age_seconds } = record;
  const { samples, received, lost, missing, last_seen } = record;
  return {
    hostname,
    first_seen: timeText(record.first_seen),
    last_seen: timeText(last_seen),
    silent_seconds: last_seen === null ? null : Math.max(0, now - last_seen) / 1000,
    retired_at: timeText(record.retired_at),
    agent_version,
    spool_depth,
    spool_bytes,
    spool_oldest_age_seconds,
    samples,
    received,
    lost,
    missing,
  };
}

function silenceOf({ hostname, silent_seconds }: HostLine, limit: number): string {
  const since = silent_seconds === null ? 'never sent a sample' : `silent for ${ageInWords(silent_seconds * 1000)}`;
  return `${hostname}: ${since} (limit ${formatDuration(limit)})`;
}

function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

type Compare = (one: HostLine, other: HostLine) => number;

const byName: Compare = (one, other) => (one.hostname < other.hostname ? -1 : one.hostname > other.hostname ? 1 : 0);
const most =
  (value: (line: HostLine) => number): Compare =>
  (one, other) =>
    value(other) - value(one) || byName(one, other);

/** What wants looking at comes first: the longest silent, the most. */
const COMPARE: Readonly<Record<HostOrder, Compare>> = {
  name: byName,
  'last-seen': most(({ silent_seconds }) => silent_seconds ?? Number.MAX_VALUE),
  depth: most(({ spool_depth }) => spool_depth ?? -1),
  samples: most(({ samples }) => samples),
  lost: most(({ lost }) => lost),
  missing: most(({ missing }) => missing),
};

/** Retires the hosts that there are; throws HOST_UNKNOWN, with all others named, when that is not all of them. */
export async function forgetHosts(
  database: Pick<SinkAdmin, 'retireHost'>,
  hostnames: readonly string[],
  forgot: (hostname: string) => void,
): Promise<void> {
  const unknown: string[] = [];
  for (const hostname of new Set(hostnames)) {
    if (await database.retireHost(hostname)) forgot(hostname);
    else unknown.push(hostname);
  }
  if (unknown.length === 0) return;
  throw new HostspoolError('HOST_UNKNOWN', `the database knows no host ${unknown.join(', ')}`, {
    hint: 'names are case-sensitive; hostspool hosts list has them',
  });
}
