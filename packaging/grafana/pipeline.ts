/** The pipeline, from /metrics of the writers and of the agents that are scraped. */
import type { Dashboard, Panel, Target, Threshold } from './panels.ts';

const bad: readonly Threshold[] = [{ above: 1, color: 'red' }];
const odd: readonly Threshold[] = [{ above: 1, color: 'orange' }];
const chosen = 'instance=~"$instance"';

function of(
  type: Panel['type'],
  width: number,
  title: string,
  description: string,
  query: string | readonly Target[],
  more: Partial<Panel> = {},
): Panel {
  const targets = typeof query === 'string' ? [{ query, instant: type === 'table' }] : query;
  return { type, width, title, description, source: 'prometheus', targets, ...more };
}
const stat = of.bind(undefined, 'stat', 4);
const graph = of.bind(undefined, 'timeseries', 8);

export const pipeline: Dashboard = {
  uid: 'hostspool-pipeline',
  title: 'hostspool: pipeline',
  description: 'From the agents’ spools through Kafka into the database, as hostspool’s own metrics tell it.',
  from: 'now-6h',
  source: 'prometheus',
  variables: [
    {
      name: 'instance',
      label: 'Instance',
      description: 'Agents and writers as they are scraped.',
      source: 'prometheus',
      query: 'label_values(hostspool_build_info, instance)',
      multi: true,
      all: true,
    },
  ],
  rows: [
    {
      title: 'The promise',
      height: 4,
      panels: [
        stat(
          'Missing without a reason',
          'Samples that were taken, are not in the database, and nothing says why. Must be 0 once all is loaded.',
          'max(hostspool_fleet_samples_missing)',
          { thresholds: bad },
        ),
        stat(
          'Lost for a reason',
          'Samples of all hosts that are lost, with the reason on record.',
          'max(hostspool_fleet_samples_lost)',
          {
            thresholds: odd,
          },
        ),
        stat('Hosts', 'Hosts that the database knows and nobody retired.', 'max(hostspool_fleet_hosts)'),
        stat(
          'Silent hosts',
          'Hosts without a sample newer than http.fleet_silent_after.',
          'max(hostspool_fleet_silent_hosts)',
          {
            thresholds: odd,
          },
        ),
        stat('Lag', 'Messages in Kafka that are not loaded yet.', 'sum(hostspool_lag_messages)', {
          unit: 'short',
          thresholds: [{ above: 10_000, color: 'orange' }],
        }),
        stat(
          'Oldest in a spool',
          'The greatest age of a sample that waits on a host, as each host last told.',
          'max(hostspool_fleet_spool_oldest_age_seconds)',
          {
            unit: 's',
            thresholds: [
              { above: 600, color: 'orange' },
              { above: 3600, color: 'red' },
            ],
          },
        ),
      ],
    },
    {
      title: 'Writers',
      height: 8,
      panels: [
        graph(
          'Loaded',
          'Rows inserted and duplicates dropped per second. Duplicates are usual after a restart or an outage.',
          [
            { query: `sum(rate(hostspool_rows_inserted_total{${chosen}}[$__rate_interval]))`, legend: 'rows' },
            {
              query: `sum(rate(hostspool_duplicates_dropped_total{${chosen}}[$__rate_interval]))`,
              legend: 'duplicates',
            },
            { query: `sum(rate(hostspool_dead_letters_total{${chosen}}[$__rate_interval]))`, legend: 'dead letters' },
          ],
          { unit: 'ops' },
        ),
        graph('Lag by partition', 'Messages that are not loaded yet. Should come back to about nothing.', [
          { query: `sum by (partition) (hostspool_lag_messages{${chosen}})`, legend: 'partition {{partition}}' },
        ]),
        graph(
          'Time of a load',
          'A load is one transaction. Long ones are the database’s.',
          [0.5, 0.99].map((share) => ({
            query: `histogram_quantile(${share}, sum by (le) (rate(hostspool_load_duration_seconds_bucket{${chosen}}[$__rate_interval])))`,
            legend: `${share * 100} %`,
          })),
          { unit: 's' },
        ),
        graph(
          'Failures in a row',
          'Attempts that failed since the last success, by what refuses. 0 when all is well.',
          [{ query: `hostspool_backoff_failures{${chosen}} > 0`, legend: '{{instance}} {{target}}' }],
          { thresholds: [{ above: 3, color: 'red' }] },
        ),
        graph('Dead letters', 'Messages that could not become rows, per hour. hostspool dead-letters list says why.', [
          {
            query: `sum by (instance) (increase(hostspool_dead_letters_total{${chosen}}[1h]))`,
            legend: '{{instance}}',
          },
        ]),
        graph(
          'Partitions and messages held',
          'Partitions that each writer reads, and fetched messages that wait for a load.',
          [
            { query: `hostspool_partitions_assigned{${chosen}}`, legend: '{{instance}} partitions' },
            { query: `hostspool_messages_waiting{${chosen}}`, legend: '{{instance}} waiting' },
          ],
        ),
      ],
    },
    {
      title: 'The fleet, as the writers tell',
      height: 8,
      panels: [
        of(
          'table',
          12,
          'Hosts furthest behind',
          'The named hosts (http.fleet_hosts), by the age of what waits in their spools.',
          'topk(20, max by (hostname) (hostspool_fleet_host_spool_oldest_age_seconds))',
          { unit: 's', thresholds: [{ above: 3600, color: 'red' }], columns: { Time: { hidden: true } } },
        ),
        of(
          'timeseries',
          12,
          'Samples in spools',
          'Samples that wait on all hosts, as each last told. Falls after an outage of Kafka.',
          [{ query: 'max(hostspool_fleet_spool_depth)', legend: 'samples' }],
        ),
      ],
    },
    {
      title: 'Agents that are scraped',
      height: 8,
      panels: [
        graph(
          'Spool, share of its bound',
          'At 100 % the oldest samples are evicted.',
          [{ query: `hostspool_spool_bytes{${chosen}} / hostspool_spool_capacity_bytes`, legend: '{{instance}}' }],
          { unit: 'percentunit', thresholds: [{ above: 0.9, color: 'red' }] },
        ),
        graph(
          'Oldest sample, share of its bound',
          'At 100 % the oldest samples are evicted.',
          [
            {
              query: `hostspool_spool_oldest_age_seconds{${chosen}} / hostspool_spool_max_age_seconds`,
              legend: '{{instance}}',
            },
          ],
          { unit: 'percentunit', thresholds: [{ above: 0.8, color: 'red' }] },
        ),
        graph('Losses', 'Samples that the spools lost in the last hour, by reason.', [
          { query: `sum by (reason) (increase(hostspool_losses_total{${chosen}}[1h])) > 0`, legend: '{{reason}}' },
        ]),
        graph(
          'Taken and sent',
          'Samples per second. Sent above taken: a spool drains.',
          [
            { query: `sum(rate(hostspool_samples_taken_total{${chosen}}[$__rate_interval]))`, legend: 'taken' },
            { query: `sum(rate(hostspool_messages_sent_total{${chosen}}[$__rate_interval]))`, legend: 'sent' },
          ],
          { unit: 'ops' },
        ),
        graph(
          'From taking a sample to Kafka’s acknowledgement',
          'Time in the spool included.',
          [0.5, 0.99].map((share) => ({
            query: `histogram_quantile(${share}, sum by (le) (rate(hostspool_ship_latency_seconds_bucket{${chosen}}[$__rate_interval])))`,
            legend: `${share * 100} %`,
          })),
          { unit: 's' },
        ),
        graph('Missed ticks and failed readings', 'In the last hour. A missed tick is a sample that was not taken.', [
          { query: `increase(hostspool_ticks_missed_total{${chosen}}[1h]) > 0`, legend: '{{instance}} ticks' },
          {
            query: `increase(hostspool_collector_errors_total{${chosen}}[1h]) > 0`,
            legend: '{{instance}} {{collector}}',
          },
        ]),
      ],
    },
    {
      title: 'Processes',
      height: 7,
      panels: [
        of(
          'state-timeline',
          24,
          'Not in health',
          'Instances that answer degraded or failed at /health. An agent whose Kafka is away is degraded, not failed.',
          [{ query: `hostspool_health{${chosen}, status!="ok"} > 0`, legend: '{{instance}} {{status}}' }],
          { thresholds: odd },
        ),
        graph(
          'CPU',
          'Share of one CPU.',
          [{ query: `rate(hostspool_cpu_seconds_total{${chosen}}[$__rate_interval])`, legend: '{{instance}}' }],
          { unit: 'percentunit' },
        ),
        graph(
          'Memory',
          'Resident memory.',
          [{ query: `hostspool_resident_memory_bytes{${chosen}}`, legend: '{{instance}}' }],
          { unit: 'bytes' },
        ),
        graph(
          'Timers, 99 %',
          'How late timers fire: what keeps the process from running.',
          [
            {
              query: `histogram_quantile(0.99, sum by (instance, le) (rate(hostspool_event_loop_delay_seconds_bucket{${chosen}}[$__rate_interval])))`,
              legend: '{{instance}}',
            },
          ],
          { unit: 's' },
        ),
        of(
          'table',
          24,
          'Builds',
          'What runs where.',
          `max by (instance, mode, version, commit, node) (hostspool_build_info{${chosen}})`,
          { columns: { Time: { hidden: true }, Value: { hidden: true } } },
        ),
      ],
    },
  ],
};
