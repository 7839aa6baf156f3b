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
  /** Of the newest, at most when it was sent: a host whose clock was ahead once must be able to fall silent. */
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

interface Span {
  first: number;
  last: number;
  newest: DecodedSample;
}

/**
 * One change per host that the samples (duplicates included) or the accounts tell about. `sentAt`: when each sample was
 * sent, ms since the epoch, where that is known beside its own time. Not the time of the load: a replay changes nothing.
 */
export function hostChanges(
  samples: readonly DecodedSample[],
  accounts: readonly AccountChange[],
  sentAt?: readonly number[],
): HostChange[] {
  const spans = new Map<string, Span>();
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index] as DecodedSample;
    const seen = Math.min(sample.timestamp, sentAt?.[index] ?? sample.timestamp);
    const span = spans.get(sample.hostname);
    if (span === undefined) {
      spans.set(sample.hostname, { first: seen, last: seen, newest: sample });
      continue;
    }
    span.first = Math.min(span.first, seen);
    if (seen < span.last) continue;
    span.last = seen;
    span.newest = sample;
  }
  const changes = new Map<string, HostChange>();
  for (const [hostname, { first, last, newest: sample }] of spans) {
    changes.set(hostname, {
      hostname,
      first_seen: first,
      last_seen: last,
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
