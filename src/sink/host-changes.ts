/**
 * What a load tells about hosts: when each was last heard of and what its agent said of itself then, and how the sums
 * over its runs change. The sums are differences, so a load writes one line per host however many runs it touches;
 * they stay right because the accounts they come from are written under their version check in the same transaction.
 */
import { type AccountChange, difference } from '../accounts/advance-all.ts';
import type { DecodedSample } from '../sample/decode.ts';
import { fieldIndex } from '../sample/fields.ts';

export interface HostChange {
  readonly hostname: string;
  /** Timestamp of the oldest sample of this load, ms since the epoch; null: the load has none, only notes. */
  readonly first_seen: number | null;
  /** Of the newest, at most the time of the load: a host whose clock was ahead once must be able to fall silent. */
  readonly last_seen: number | null;
  /** The agent as the newest sample tells. */
  readonly agent_version: string | null;
  readonly spool_depth: number | bigint | null;
  readonly spool_bytes: number | bigint | null;
  readonly spool_oldest_age_seconds: number | null;
  /** Added to the sums over the runs of the host. */
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
}

const VERSION = fieldIndex('agent_version');
const DEPTH = fieldIndex('spool_depth');
const BYTES = fieldIndex('spool_bytes');
const AGE = fieldIndex('spool_oldest_age_seconds');

/** One change per host that the samples (duplicates included) or the accounts tell about. `now`: ms since the epoch. */
export function hostChanges(
  samples: Iterable<DecodedSample>,
  accounts: readonly AccountChange[],
  now: number,
): HostChange[] {
  const spans = new Map<string, { oldest: DecodedSample; newest: DecodedSample }>();
  for (const sample of samples) {
    const span = spans.get(sample.hostname);
    if (span === undefined) spans.set(sample.hostname, { oldest: sample, newest: sample });
    else if (sample.timestamp >= span.newest.timestamp) span.newest = sample;
    else if (sample.timestamp < span.oldest.timestamp) span.oldest = sample;
  }
  const changes = new Map<string, HostChange>();
  for (const [hostname, { oldest, newest: sample }] of spans) {
    changes.set(hostname, {
      hostname,
      first_seen: Math.min(oldest.timestamp, now),
      last_seen: Math.min(sample.timestamp, now),
      agent_version: sample.values[VERSION] as string | null,
      spool_depth: sample.values[DEPTH] as number | bigint | null,
      spool_bytes: sample.values[BYTES] as number | bigint | null,
      spool_oldest_age_seconds: sample.values[AGE] as number | null,
      received: 0,
      lost: 0,
      missing: 0,
    });
  }
  for (const change of accounts) {
    const moved = change.before !== undefined && change.before.hostname !== change.after.hostname;
    if (moved) {
      // A run that was first heard of through a note carried by another host's sample goes to where it belongs.
      const { received, lost, missing } = difference({ before: undefined, after: change.before });
      add(changes, change.before.hostname, { received: -received, lost: -lost, missing: -missing });
    }
    const sums = difference(moved ? { before: undefined, after: change.after } : change);
    add(changes, change.after.hostname, sums);
  }
  return [...changes.values()];
}

function add(
  changes: Map<string, HostChange>,
  hostname: string,
  sums: { readonly received: number; readonly lost: number; readonly missing: number },
): void {
  const known = changes.get(hostname) ?? nothingOf(hostname);
  changes.set(hostname, {
    ...known,
    received: known.received + sums.received,
    lost: known.lost + sums.lost,
    missing: known.missing + sums.missing,
  });
}

function nothingOf(hostname: string): HostChange {
  return {
    hostname,
    first_seen: null,
    last_seen: null,
    agent_version: null,
    spool_depth: null,
    spool_bytes: null,
    spool_oldest_age_seconds: null,
    received: 0,
    lost: 0,
    missing: 0,
  };
}
