/**
 * A load as the lines of the staging tables: an array per line, a value per column, in the order of the columns.
 *
 * Lines are numbered in the order in which they are to be written, which is the same for every writer: rows by run and
 * sequence number, accounts and gaps by run, hosts by name. So two writers that meet take their locks in one order.
 * The rows of a large load are made one by one, while they are sent; their times and identities stay what they are in a
 * sample, as bulk-rows.ts takes them.
 */
import { type Gap, tally } from '../../accounts/account.ts';
import type { AccountChange } from '../../accounts/advance-all.ts';
import { gapDifference } from '../../accounts/gap-difference.ts';
import type { DecodedSample } from '../../sample/decode.ts';
import { uuidToBytes } from '../../sample/identity.ts';
import { writeContacts } from '../contacts.ts';
import type { HostChange } from '../host-changes.ts';
import type { Load, OffsetMove } from '../sink.ts';

export type Line = readonly unknown[];

const time = (ms: number | null) => (ms === null ? null : new Date(ms));

export function* stageLines(rows: readonly DecodedSample[]): Generator<Line> {
  let n = 0;
  for (const { hostname, timestamp, event_id, run_id, seq, values } of inOrder(rows)) {
    yield [++n, hostname, timestamp, event_id, run_id, seq, ...values];
  }
}

/** By run, those without one first, and sequence number. */
function inOrder(rows: readonly DecodedSample[]): DecodedSample[] {
  return [...rows].sort((a, b) => {
    if (a.run_id === b.run_id) return (a.seq ?? 0) - (b.seq ?? 0);
    return (a.run_id ?? '') < (b.run_id ?? '') ? -1 : 1;
  });
}

export function fenceLines(moves: readonly OffsetMove[]): Line[] {
  return moves.map(({ partition, expected, epoch, next, evidence, began_at }) => [
    partition,
    expected?.epoch ?? null,
    expected?.offset ?? null,
    epoch,
    next,
    time(evidence?.timestamp ?? null),
    evidence?.sha256 ?? null,
    time(began_at),
  ]);
}

export function accountsInOrder(changes: readonly AccountChange[]): AccountChange[] {
  return [...changes].sort((a, b) => (a.after.run_id < b.after.run_id ? -1 : 1));
}

/** `changes`: in order. */
export function runLines(changes: readonly AccountChange[]): Line[] {
  return changes.map(({ after }, index) => {
    const { ended } = after;
    const { received, lost, missing } = tally(after);
    return [
      index + 1,
      uuidToBytes(after.run_id),
      after.hostname,
      new Date(after.first_seen),
      new Date(after.last_seen),
      after.last_seq,
      writeContacts(after.last_seq_by_partition),
      ended === null ? null : ended.clean ? 'clean' : 'unclean',
      after.uncertain,
      received,
      lost,
      missing,
      after.version,
    ];
  });
}

/** `changes`: in order. */
export function gapLines(changes: readonly AccountChange[]): Line[] {
  const lines: Line[] = [];
  for (const { before, after } of changes) {
    const run = uuidToBytes(after.run_id);
    const { gone, come } = gapDifference(before?.gaps ?? [], after.gaps);
    const add = (comes: boolean, { first_seq, last_seq, reason }: Gap) => {
      lines.push([lines.length + 1, comes, run, first_seq, last_seq, reason]);
    };
    for (const gap of gone) add(false, gap);
    for (const gap of come) add(true, gap);
  }
  return lines;
}

/** One for each host that the load tells about, and for each that it has rows of. */
export function hostLines({ hosts, rows }: Pick<Load, 'hosts' | 'rows'>): Line[] {
  const changes = new Map<string, HostChange | undefined>(hosts.map((change) => [change.hostname, change]));
  for (const { hostname } of rows) if (!changes.has(hostname)) changes.set(hostname, undefined);
  const names = [...changes.keys()].sort();
  return names.map((hostname, index) => {
    const change = changes.get(hostname);
    return [
      index + 1,
      hostname,
      time(change?.first_seen ?? null),
      time(change?.last_seen ?? null),
      change?.agent_version ?? null,
      change?.spool_depth ?? null,
      change?.spool_bytes ?? null,
      change?.spool_oldest_age_seconds ?? null,
      change?.received ?? 0,
      change?.lost ?? 0,
      change?.missing ?? 0,
    ];
  });
}

export function holeLines(holes: Load['holes']): Line[] {
  return holes.map(({ partition, epoch, first_offset, next_offset, reason, found_at }) => [
    partition,
    epoch,
    first_offset,
    next_offset,
    reason,
    new Date(found_at),
  ]);
}

export function wantedLines(runs: Iterable<string>): Line[] {
  return [...new Set(runs)].map((run) => [uuidToBytes(run)]);
}
