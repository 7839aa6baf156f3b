/**
 * A small fleet in a database, and what the queries of the fleet dashboard have to answer of it. The acceptance suite
 * asks SQL Server; the unit tests ask SQLite, by what of T-SQL the queries use.
 *
 * Three hosts: host-1 is busy, reboots, and is here now; host-2 is here, has lost samples and misses some; host-3 has been
 * silent for a day. Times are counted back from `now`, since "silent" is.
 */
import type { Sink } from '../../src/sink/sink.ts';
import { loadOf, message, READER, uuid } from '../unit/sink/a-load.ts';
import type { GrafanaContext } from './grafana-macros.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export interface Question {
  readonly query: string;
  readonly answer: readonly Readonly<Record<string, unknown>>[];
}

/** The whole minute that the fleet's last samples lie a little after. */
export function lastMinute(now: number): number {
  return Math.floor(now / MINUTE) * MINUTE - MINUTE;
}

export async function seedFleet(sink: Sink, now: number): Promise<void> {
  const end = lastMinute(now);
  const at = (ms: number) => new Date(end + ms).toISOString();
  const lost = (first_seq: number, last_seq: number, reason: string) => {
    return { kind: 'lost', run_id: uuid(2), first_seq, last_seq, reason };
  };
  const bytes = (sent: number, read: number) => ({
    network_bytes_sent: sent,
    network_bytes_recv: sent * 2,
    disk_read_bytes: read,
    disk_write_bytes: read * 3,
  });
  const one = { cpu_count: 4, load_5: 6, agent_version: '1.2.0', spool_depth: 0, spool_oldest_age_seconds: 0 };
  const messages = [
    // Two minutes of 10 s and 20 s; the boot between the fourth and the fifth sample tells no rate.
    message(1, 1, { ...one, timestamp: at(-120_000), cpu_percent: 10, ...bytes(1_000, 500) }),
    message(1, 2, { ...one, timestamp: at(-110_000), cpu_percent: 20, ...bytes(2_000, 700) }),
    message(1, 3, { ...one, timestamp: at(-90_000), cpu_percent: 60, ...bytes(8_000, 1_300) }),
    message(1, 4, { ...one, timestamp: at(-60_000), cpu_percent: 80, disk_percent: 40, ...bytes(11_000, 1_300) }),
    message(1, 5, { ...one, timestamp: at(-40_000), cpu_percent: 90, disk_percent: 45, ...bytes(100, 50) }),
    message(1, 6, { ...one, timestamp: at(-30_000), cpu_percent: 100, disk_percent: 44, ...bytes(600, 150) }),
    message(2, 1, { timestamp: at(-3 * MINUTE), agent_version: '1.1.0', cpu_percent: 30 }),
    message(2, 10, {
      timestamp: at(-20_000),
      agent_version: '1.1.0',
      cpu_percent: 5,
      memory_percent: 99,
      spool_depth: 12,
      spool_oldest_age_seconds: 90.5,
      notes: [lost(2, 4, 'spool_full'), lost(5, 5, 'crash')],
    }),
    message(3, 1, { timestamp: at(-DAY), agent_version: null, cpu_percent: 99, spool_depth: 7 }),
  ];
  const found_at = end - MINUTE;
  const holes = [
    { partition: 0, epoch: 0, first_offset: 100, next_offset: 103, reason: 'expired_in_kafka' as const, found_at },
    {
      partition: 1,
      epoch: 0,
      first_offset: 7,
      next_offset: null,
      reason: 'topic_recreated' as const,
      found_at: end - 2 * DAY,
    },
  ];
  await sink.load({ ...(await loadOf(sink, messages, null)), holes });
}

export function contextOf(now: number): GrafanaContext {
  const end = lastMinute(now);
  return {
    from: new Date(end - 10 * MINUTE),
    to: new Date(end + MINUTE),
    intervalMs: MINUTE,
    hosts: ['host-1', "o'host"],
    silentAfter: 600,
    top: 2,
  };
}

/** Numbers as numbers, times as ms since the epoch; columns that are not in the answer are not compared. */
export function questions(now: number): readonly Question[] {
  const end = lastMinute(now);
  const first = { time: end - 2 * MINUTE, metric: 'host-1' };
  const second = { time: end - MINUTE, metric: 'host-1' };
  return [
    { query: 'hosts', answer: [{ hostname: 'host-1' }, { hostname: 'host-2' }, { hostname: 'host-3' }] },
    {
      query: 'fleet-totals',
      answer: [{ hosts: 3, silent: 1, spool_depth: 19, oldest_age_seconds: 90.5, samples: 9, lost: 4, missing: 4 }],
    },
    { query: 'accounting', answer: [{ taken: 17, received: 9, lost: 4, missing: 4 }] },
    {
      query: 'host-table',
      answer: [
        { hostname: 'host-3', silent: 1, last_seen: end - DAY, cpu_percent: 99, spool_depth: 7, agent_version: null },
        { hostname: 'host-1', silent: 0, last_seen: end - 30_000, cpu_percent: 100, disk_percent: 44, missing: 0 },
        { hostname: 'host-2', silent: 0, memory_percent: 99, oldest_age_seconds: 90.5, lost: 4, missing: 4 },
      ],
    },
    {
      query: 'versions',
      answer: [
        { agent_version: '1.1.0', hosts: 1 },
        { agent_version: '1.2.0', hosts: 1 },
        { agent_version: 'unknown', hosts: 1 },
      ],
    },
    {
      query: 'top-cpu',
      answer: [
        { hostname: 'host-1', cpu_percent: 100 },
        { hostname: 'host-2', cpu_percent: 5 },
      ],
    },
    {
      query: 'top-memory',
      answer: [
        { hostname: 'host-2', memory_percent: 99 },
        { hostname: 'host-1', memory_percent: 50 },
      ],
    },
    {
      query: 'top-disk',
      answer: [
        { hostname: 'host-1', disk_percent: 44 },
        { hostname: 'host-2', disk_percent: 10 },
      ],
    },
    {
      query: 'cpu',
      answer: [
        { ...first, cpu_percent: 30 },
        { ...second, cpu_percent: 90 },
      ],
    },
    {
      query: 'memory',
      answer: [
        { ...first, memory_percent: 50 },
        { ...second, memory_percent: 50 },
      ],
    },
    {
      query: 'disk',
      answer: [
        { ...first, disk_percent: 10 },
        { ...second, disk_percent: 45 },
      ],
    },
    {
      query: 'load',
      answer: [
        { ...first, load_per_cpu: 1.5 },
        { ...second, load_per_cpu: 1.5 },
      ],
    },
    {
      query: 'samples',
      answer: [
        { ...first, samples_per_minute: 3 },
        { ...second, samples_per_minute: 3 },
      ],
    },
    {
      query: 'network',
      answer: [
        { ...first, sent: 7_000 / 30, received: 14_000 / 30 },
        { ...second, sent: 3_500 / 40, received: 7_000 / 40 },
      ],
    },
    {
      query: 'disk-io',
      answer: [
        { ...first, read_bytes: 800 / 30, written_bytes: 2_400 / 30 },
        { ...second, read_bytes: 100 / 40, written_bytes: 300 / 40 },
      ],
    },
    {
      query: 'missing',
      answer: [
        {
          hostname: 'host-2',
          run_id: uuid(2).replaceAll('-', '').toUpperCase(),
          first_seq: 6,
          last_seq: 9,
          samples: 4,
        },
      ],
    },
    {
      query: 'losses-by-reason',
      answer: [
        { reason: 'spool_full', samples: 3, hosts: 1 },
        { reason: 'crash', samples: 1, hosts: 1 },
      ],
    },
    {
      query: 'losses-by-host',
      answer: [
        { hostname: 'host-2', reason: 'spool_full', samples: 3 },
        { hostname: 'host-2', reason: 'crash', samples: 1 },
      ],
    },
    {
      query: 'offset-holes',
      answer: [{ found_at: end - MINUTE, partition_id: 0, first_offset: 100, messages: 3, reason: 'expired_in_kafka' }],
    },
    {
      query: 'positions',
      answer: [{ group_id: READER.group, topic: READER.topic, partition_id: 0, next_offset: 9 }],
    },
  ];
}

/** The columns of the answer, as `plain` makes them comparable. */
export function compared(
  rows: readonly Readonly<Record<string, unknown>>[],
  { answer }: Question,
  plain: (value: unknown, expected: unknown) => unknown,
): unknown[] {
  return rows.map((row, index) => {
    const expected = answer[index] ?? answer[0] ?? {};
    return Object.fromEntries(Object.keys(expected).map((name) => [name, plain(row[name], expected[name])]));
  });
}
