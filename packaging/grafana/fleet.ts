/** The fleet, from the database. The T-SQL lies in queries/, where the acceptance suite runs it too. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Column, Dashboard, Panel, Threshold } from './panels.ts';

const bad: readonly Threshold[] = [{ above: 1, color: 'red' }];
const odd: readonly Threshold[] = [{ above: 1, color: 'orange' }];
const full: readonly Threshold[] = [
  { above: 80, color: 'orange' },
  { above: 95, color: 'red' },
];
const old: readonly Threshold[] = [
  { above: 600, color: 'orange' },
  { above: 3600, color: 'red' },
];

/** The text of queries/NAME.sql. */
export function queryText(name: string): string {
  return readFileSync(join(import.meta.dirname, 'queries', `${name}.sql`), 'utf8').trimEnd();
}

function of(
  type: Panel['type'],
  width: number,
  title: string,
  description: string,
  query: string,
  more: Partial<Panel> = {},
): Panel {
  return { type, width, title, description, source: 'mssql', targets: [{ query: queryText(query) }], ...more };
}
const graph = of.bind(undefined, 'timeseries', 12);
const table = of.bind(undefined, 'table', 12);
const bars = of.bind(undefined, 'bargauge', 8);

const when: Column = { unit: 'dateTimeFromNow' };

export const fleet: Dashboard = {
  uid: 'hostspool-fleet',
  title: 'hostspool: fleet',
  description:
    'The hosts, as their samples in SQL Server tell: load, silence, and what of the samples is missing or lost.',
  from: 'now-6h',
  source: 'mssql',
  variables: [
    {
      name: 'host',
      label: 'Host',
      description: 'Hosts in the graphs. A few at a time: each is read from its own part of the index.',
      source: 'mssql',
      query: queryText('hosts'),
      multi: true,
    },
    {
      name: 'silent_after',
      label: 'Silent after, s',
      description: 'Age of its newest sample after which a host counts as silent.',
      query: '300,60,900,3600',
    },
    { name: 'top', label: 'Top', description: 'How many hosts the rankings show.', query: '10,20,50' },
  ],
  rows: [
    {
      title: 'The fleet',
      height: 5,
      panels: [
        of(
          'stat',
          14,
          'Hosts',
          'Hosts and samples. Retired hosts count with what they took and lost only.',
          'fleet-totals',
          {
            columns: {
              hosts: { name: 'Hosts' },
              silent: { name: 'Silent', thresholds: odd },
              spool_depth: { name: 'In spools', unit: 'short' },
              oldest_age_seconds: { name: 'Oldest in a spool', unit: 's', thresholds: old },
              samples: { name: 'Samples', unit: 'short' },
              lost: { name: 'Lost', thresholds: odd },
              missing: { name: 'Missing', thresholds: bad },
            },
          },
        ),
        of(
          'stat',
          10,
          'The proof',
          'taken = received + lost + missing; missing must be 0 once all is loaded.',
          'accounting',
          {
            unit: 'short',
            columns: {
              taken: { name: 'Taken' },
              received: { name: 'Received' },
              lost: { name: 'Lost', thresholds: odd },
              missing: { name: 'Missing', thresholds: bad },
            },
          },
        ),
      ],
    },
    {
      title: 'Hosts',
      height: 10,
      panels: [
        of('table', 24, 'Hosts', 'The longest silent first; a thousand at most.', 'host-table', {
          columns: {
            hostname: { name: 'Host' },
            silent: { name: 'Silent', thresholds: bad },
            last_seen: { ...when, name: 'Last seen' },
            cpu_percent: { name: 'CPU', unit: 'percent', thresholds: full },
            memory_percent: { name: 'Memory', unit: 'percent', thresholds: full },
            disk_percent: { name: 'Disk', unit: 'percent', thresholds: full },
            spool_depth: { name: 'In the spool', unit: 'short' },
            oldest_age_seconds: { name: 'Oldest', unit: 's', thresholds: old },
            lost: { name: 'Lost', thresholds: odd },
            missing: { name: 'Missing', thresholds: bad },
            agent_version: { name: 'Agent' },
          },
        }),
      ],
    },
    {
      title: 'Rankings, now',
      height: 8,
      panels: [
        bars('CPU', 'The busiest hosts.', 'top-cpu', { unit: 'percent', max: 100, thresholds: full }),
        bars('Memory', 'The fullest hosts.', 'top-memory', { unit: 'percent', max: 100, thresholds: full }),
        bars('Disk', 'The fullest root filesystems.', 'top-disk', { unit: 'percent', max: 100, thresholds: full }),
      ],
    },
    {
      title: 'The chosen hosts',
      height: 8,
      panels: [
        graph('CPU', 'Mean of each step.', 'cpu', { unit: 'percent', max: 100 }),
        graph('Memory', 'Mean of each step.', 'memory', { unit: 'percent', max: 100 }),
        graph('Disk', 'The root filesystem.', 'disk', { unit: 'percent', max: 100, thresholds: full }),
        graph('Load per CPU', 'Load over five minutes; above 1 tasks wait for a CPU.', 'load', {
          thresholds: [{ above: 1, color: 'orange' }],
        }),
        graph('Network', 'Every interface but loopback.', 'network', { unit: 'Bps' }),
        graph('Disk throughput', 'All disks.', 'disk-io', { unit: 'Bps' }),
        of(
          'timeseries',
          24,
          'Samples in the database',
          'Per minute. A dip is a host that was off, or samples that are still on their way.',
          'samples',
        ),
      ],
    },
    {
      title: 'Missing and lost',
      height: 8,
      panels: [
        table(
          'Missing without a reason',
          'Must be empty once all is loaded; hostspool lag tells whether it is.',
          'missing',
          {
            columns: { last_seen: when, samples: { thresholds: bad } },
          },
        ),
        table('Lost, by reason', 'Of runs heard of since the beginning of the time range.', 'losses-by-reason'),
        table('Lost, by host', 'Of runs heard of since the beginning of the time range.', 'losses-by-host', {
          columns: { last_seen: when },
        }),
        table(
          'Holes in the log',
          'Messages that went before they were read, found within the time range.',
          'offset-holes',
          {
            columns: { found_at: when },
          },
        ),
      ],
    },
    {
      title: 'The writers and the agents',
      height: 8,
      panels: [
        of('table', 16, 'Loaded up to', 'How far each partition is loaded, and when it last was.', 'positions', {
          columns: { last_message_at: when, updated_at: when },
        }),
        of('table', 8, 'Versions', 'How many hosts run which version of the agent.', 'versions'),
      ],
    },
  ],
};
