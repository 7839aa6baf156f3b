/** Loads for the tests of sinks: messages of runs as a reader of a log would turn them into rows and accounts. */
import type { Account } from '../../../src/accounts/account.ts';
import type { AccountEvent, LogHole } from '../../../src/accounts/advance.ts';
import { advanceAll, runsOf } from '../../../src/accounts/advance-all.ts';
import { type DecodedSample, decodeMessage } from '../../../src/sample/decode.ts';
import { hostChanges } from '../../../src/sink/host-changes.ts';
import type { Load, LoadOutcome, LogReader, Sink } from '../../../src/sink/sink.ts';

export const READER: LogReader = { group: 'test', topic: 'server-metrics' };
/** When the group began to read: before any of the runs below. */
export const BEGAN = Date.UTC(2025, 0, 1);

/** A UUIDv7 of May 2025. */
export function uuid(high: number, low = 0): string {
  return `0196a5b0-${high.toString(16).padStart(4, '0')}-7000-8000-${low.toString(16).padStart(12, '0')}`;
}

export function message(run: number, seq: number, change: Record<string, unknown> = {}): string {
  return JSON.stringify({
    hostname: `host-${run}`,
    timestamp: new Date(BEGAN + seq * 1000).toISOString(),
    cpu_percent: 12.5,
    memory_percent: 50,
    memory_used_mb: 2048.25,
    memory_total_mb: 4096,
    disk_percent: 10,
    disk_used_gb: 10.01,
    disk_total_gb: 100,
    network_bytes_sent: seq,
    network_bytes_recv: seq * 2,
    event_id: uuid(run, seq),
    run_id: uuid(run),
    seq,
    agent_version: '1.0.0',
    spool_depth: seq,
    ...change,
  });
}

/** What a reader of partition 0 that holds `[expected, …)` makes of the messages, from `expected` on. */
export async function loadOf(
  sink: Sink,
  messages: readonly string[],
  expected: number | null,
  change: { accounts?: ReadonlyMap<string, Account>; holes?: readonly LogHole[]; partition?: number } = {},
): Promise<Load> {
  const { holes = [], partition = 0 } = change;
  const first = expected ?? 0;
  const rows = new Map<string, DecodedSample>();
  const events: AccountEvent[] = [];
  for (const [index, text] of messages.entries()) {
    const sample = decodeMessage(text);
    const { hostname, run_id, seq, timestamp } = sample;
    const origin = { partition, epoch: 0, offset: first + index, at: timestamp, began_at: BEGAN };
    for (const note of sample.notes) events.push({ kind: 'note', note, hostname, origin });
    if (run_id !== null && seq !== null) events.push({ kind: 'received', run_id, seq, hostname, origin });
    rows.set(sample.event_id, sample);
  }
  const known = change.accounts ?? (await sink.readAccounts(runsOf(events)));
  const accounts = advanceAll(known, events, holes);
  return {
    ...READER,
    rows: [...rows.values()],
    accounts,
    hosts: hostChanges([...rows.values()], accounts),
    offsets: [
      {
        partition,
        expected: expected === null ? null : { epoch: 0, offset: expected },
        epoch: 0,
        next: first + messages.length,
        evidence: null,
        began_at: BEGAN,
      },
    ],
    holes,
  };
}

export async function loadAll(sink: Sink, messages: readonly string[], expected: number | null): Promise<LoadOutcome> {
  return sink.load(await loadOf(sink, messages, expected));
}
