/**
 * Every metric there is: its name, type, meaning and labels, and which modes have it. docs/metrics.md is made from this
 * list, a service answers its values by these names, and nothing else is exported.
 *
 * Names follow Prometheus' rules: base units, `_total` for counters alone. They are stable like the fields of
 * docs/status-json.md: added to, never renamed.
 */
import type { Settings } from '../config/schema.ts';
import type { Histogram } from '../lib/histogram.ts';

type Mode = Settings['mode'];

export interface MetricEntry {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
  readonly modes: readonly Mode[];
}

const ALL: readonly Mode[] = ['agent', 'writer', 'local'];
const HOST: readonly Mode[] = ['agent', 'local'];
const LOADING: readonly Mode[] = ['writer', 'local'];

export const METRICS = {
  hostspool_build_info: {
    type: 'gauge',
    help: 'Always 1; the labels say which build this is and what it runs as.',
    labels: ['version', 'commit', 'node', 'mode'],
    modes: ALL,
  },
  hostspool_start_time_seconds: { type: 'gauge', help: 'When the process started, since the epoch.', modes: ALL },
  hostspool_health: {
    type: 'gauge',
    help: '1 for the status that /health answers now, 0 for the others.',
    labels: ['status'],
    modes: ALL,
  },
  hostspool_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the process.', modes: ALL },
  hostspool_cpu_seconds_total: { type: 'counter', help: 'CPU time of the process, all threads.', modes: ALL },
  hostspool_certificate_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'When the certificates of a file in use end, since the epoch: of kafka.tls.cert and http.tls.cert the first of the chain, of kafka.tls.ca and sqlserver.ca the last of the authorities. Only of files that are set.',
    labels: ['setting'],
    modes: ALL,
  },
  hostspool_event_loop_delay_seconds: {
    type: 'histogram',
    help: 'How late timers fire: of an agent and local mode at each tick of sampling, of a writer twice a second.',
    modes: ALL,
  },
  hostspool_errors_total: {
    type: 'counter',
    help: 'Failures by kind: sample, store (agent, local); kafka, refused (agent); database (writer, local); dead_letters (writer).',
    labels: ['kind'],
    modes: ALL,
  },
  hostspool_backoff_failures: {
    type: 'gauge',
    help: 'Attempts that failed since the last success; 0 when all is well.',
    labels: ['target'],
    modes: ALL,
  },
  hostspool_batch_messages: {
    type: 'histogram',
    help: 'Size of a batch: samples in a request to Kafka (agent), messages or samples in a load (writer, local).',
    modes: ALL,
  },

  hostspool_samples_taken_total: { type: 'counter', help: 'Samples taken by this process.', modes: HOST },
  hostspool_ticks_missed_total: {
    type: 'counter',
    help: 'Points of the interval’s grid that went by without a sample because the one before took too long.',
    modes: HOST,
  },
  hostspool_clock_steps_total: {
    type: 'counter',
    help: 'Steps of the wall clock, forward or backward, that this process saw between two samples.',
    modes: HOST,
  },
  hostspool_last_sample_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last sample was taken, since the epoch.',
    modes: HOST,
  },
  hostspool_sample_duration_seconds: {
    type: 'histogram',
    help: 'Time that each collector takes per sample.',
    labels: ['collector'],
    modes: HOST,
  },
  hostspool_collector_errors_total: {
    type: 'counter',
    help: 'Readings that a collector could not give; one that never failed is not there.',
    labels: ['collector'],
    modes: HOST,
  },
  hostspool_spool_depth: { type: 'gauge', help: 'Samples that wait in the spool.', modes: HOST },
  hostspool_spool_bytes: { type: 'gauge', help: 'What the spool takes of the disk.', modes: HOST },
  hostspool_spool_capacity_bytes: { type: 'gauge', help: 'Bound of the spool, spool.max_bytes.', modes: HOST },
  hostspool_spool_oldest_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest sample that waits; 0 when none does.',
    modes: HOST,
  },
  hostspool_spool_max_age_seconds: { type: 'gauge', help: 'Bound of a sample’s age, spool.max_age.', modes: HOST },
  hostspool_losses_total: {
    type: 'counter',
    help: 'Samples that this spool ever lost, by reason; goes on over restarts.',
    labels: ['reason'],
    modes: HOST,
  },
  hostspool_last_acknowledgement_timestamp_seconds: {
    type: 'gauge',
    help: 'When samples last left the spool acknowledged, since the epoch; absent before the first time.',
    modes: HOST,
  },
  hostspool_messages_sent_total: { type: 'counter', help: 'Samples that Kafka acknowledged.', modes: ['agent'] },
  hostspool_ship_latency_seconds: {
    type: 'histogram',
    help: 'From taking a sample to its acknowledgement by Kafka, time in the spool included.',
    modes: ['agent'],
  },

  hostspool_messages_received_total: { type: 'counter', help: 'Messages taken from Kafka.', modes: ['writer'] },
  hostspool_rows_inserted_total: { type: 'counter', help: 'Rows inserted into the database.', modes: LOADING },
  hostspool_duplicates_dropped_total: {
    type: 'counter',
    help: 'Samples that the database had already, and that were not inserted again.',
    modes: LOADING,
  },
  hostspool_load_duration_seconds: {
    type: 'histogram',
    help: 'Time of a load that was committed.',
    modes: LOADING,
  },
  hostspool_dead_letters_total: {
    type: 'counter',
    help: 'Messages that could not become rows and went to the dead-letter topic.',
    modes: ['writer'],
  },
  hostspool_lag_messages: {
    type: 'gauge',
    help: 'Messages in Kafka that are not loaded yet, by partition of this writer.',
    labels: ['partition'],
    modes: ['writer'],
  },
  hostspool_partitions_assigned: { type: 'gauge', help: 'Partitions that this writer reads.', modes: ['writer'] },
  hostspool_messages_waiting: {
    type: 'gauge',
    help: 'Messages that are fetched and wait for a load.',
    modes: ['writer'],
  },

  hostspool_fleet_hosts: {
    type: 'gauge',
    help: 'Hosts that the database knows and nobody retired. All hostspool_fleet_ metrics are the same at every writer.',
    modes: ['writer'],
  },
  hostspool_fleet_silent_hosts: {
    type: 'gauge',
    help: 'Of them, hosts whose newest sample is older than http.fleet_silent_after.',
    modes: ['writer'],
  },
  hostspool_fleet_spool_depth: {
    type: 'gauge',
    help: 'Samples that wait in the spools of all hosts, as each last told.',
    modes: ['writer'],
  },
  hostspool_fleet_spool_oldest_age_seconds: {
    type: 'gauge',
    help: 'The greatest age of an oldest sample in a spool, as each last told.',
    modes: ['writer'],
  },
  hostspool_fleet_samples_lost: {
    type: 'gauge',
    help: 'Samples of all hosts, retired ones included, that are lost for a known reason. One that arrives after all is none.',
    modes: ['writer'],
  },
  hostspool_fleet_samples_missing: {
    type: 'gauge',
    help: 'Samples of all hosts, retired ones included, that are missing without a reason: what must be 0 once all is loaded.',
    modes: ['writer'],
  },
  hostspool_fleet_read_timestamp_seconds: {
    type: 'gauge',
    help: 'When the fleet was read from the database, since the epoch.',
    modes: ['writer'],
  },
  hostspool_fleet_host_last_seen_timestamp_seconds: {
    type: 'gauge',
    help: 'Time of the newest sample of a host. Only of http.fleet_hosts hosts, those furthest behind.',
    labels: ['hostname'],
    modes: ['writer'],
  },
  hostspool_fleet_host_spool_depth: {
    type: 'gauge',
    help: 'Samples that wait in the spool of a host, as it last told. Of the same hosts.',
    labels: ['hostname'],
    modes: ['writer'],
  },
  hostspool_fleet_host_spool_oldest_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest sample in the spool of a host, as it last told. Of the same hosts.',
    labels: ['hostname'],
    modes: ['writer'],
  },
} as const satisfies Readonly<Record<string, MetricEntry>>;

export type MetricName = keyof typeof METRICS;

export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | Histogram;
}

/** A value, or one for each combination of labels; nothing where it is not known now. */
export type Reading = number | Histogram | readonly LabelledValue[] | null;

export type Readings = { readonly [Name in MetricName]?: Reading };

/** Values by the one label they have. */
export function labelled(
  label: string,
  values: Iterable<readonly [name: string | number, value: number | Histogram]>,
): LabelledValue[] {
  return Array.from(values, ([name, value]) => ({ labels: { [label]: String(name) }, value }));
}
