/**
 * The wire contract: one sample of one host, as it lies in the spool and travels through Kafka as flat JSON.
 *
 * The eleven contract fields are those of the plain pipeline, with psutil's meanings (7.2): a consumer written for it
 * reads a hostspool message unchanged. Everything else is beside them, and a reader ignores what it doesn't know.
 */
import type { Note } from './note.ts';

/** What makes a sample itself: never reused, never changed, kept by whoever stores or forwards it. */
export interface SampleIdentity {
  /** UUIDv7, made once when the sample is taken: the key of deduplication. */
  readonly event_id: string;
  /** UUIDv7 of the agent's run: new each time an agent opens its spool. */
  readonly run_id: string;
  /** 1, 2, 3 … within the run. */
  readonly seq: number;
}

/** The eleven contract fields, but for hostname and timestamp. Percents and sizes are rounded to two decimals. */
export interface RequiredMetrics {
  /** Share of the whole interval since the last sample that the CPUs were busy, 0–100. */
  readonly cpu_percent: number;
  /** (total − available) / total, 0–100. */
  readonly memory_percent: number;
  /** total − available, MiB. */
  readonly memory_used_mb: number;
  readonly memory_total_mb: number;
  /** Root filesystem: used / (used + available to users), 0–100. */
  readonly disk_percent: number;
  /** Root filesystem, GiB. */
  readonly disk_used_gb: number;
  readonly disk_total_gb: number;
  /** Since boot, summed over every interface but loopback. */
  readonly network_bytes_sent: number;
  readonly network_bytes_recv: number;
}

/** Scalars that are there when this kernel and this moment could give them. */
export interface OptionalMetrics {
  readonly cpu_user_percent?: number;
  readonly cpu_system_percent?: number;
  readonly cpu_iowait_percent?: number;
  readonly cpu_steal_percent?: number;
  /** Logical CPUs online. */
  readonly cpu_count?: number;
  readonly load_1?: number;
  readonly load_5?: number;
  readonly load_15?: number;
  readonly memory_available_mb?: number;
  readonly swap_total_mb?: number;
  readonly swap_used_mb?: number;
  readonly swap_percent?: number;
  /** Since boot, summed over whole disks (not partitions, not stacked devices). */
  readonly disk_read_bytes?: number;
  readonly disk_write_bytes?: number;
  readonly uptime_seconds?: number;
  readonly process_count?: number;
  /** Pressure-stall information: share of the last 10 s in which some (all: full) tasks waited, 0–100. */
  readonly pressure_cpu_some_percent?: number;
  readonly pressure_memory_some_percent?: number;
  readonly pressure_memory_full_percent?: number;
  readonly pressure_io_some_percent?: number;
  readonly pressure_io_full_percent?: number;
}

export interface FilesystemDetail {
  readonly mount: string;
  readonly device: string;
  readonly type: string;
  readonly total_gb: number;
  readonly used_gb: number;
  readonly percent: number;
}

export interface InterfaceDetail {
  readonly name: string;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  readonly errors: number;
  readonly drops: number;
}

export interface DiskDetail {
  readonly name: string;
  readonly read_bytes: number;
  readonly write_bytes: number;
  readonly reads: number;
  readonly writes: number;
}

/** What the collectors found out: a sample without its identity. */
export interface HostReading extends RequiredMetrics, OptionalMetrics {
  readonly filesystems?: readonly FilesystemDetail[];
  readonly interfaces?: readonly InterfaceDetail[];
  readonly disks?: readonly DiskDetail[];
}

/** What the agent says of itself in each sample, so that the centre sees every spool without reaching the hosts. */
export interface AgentState {
  readonly agent_version: string;
  /** Samples waiting in the spool when this one was taken, without it. */
  readonly spool_depth: number;
  readonly spool_bytes: number;
  /** 0 when the spool was empty. */
  readonly spool_oldest_age_seconds: number;
  /** By how much the wall clock jumped since the last sample, ms; only when it did. */
  readonly clock_stepped_ms?: number;
}

export interface Sample extends SampleIdentity, HostReading, AgentState {
  readonly hostname: string;
  /** ISO 8601, UTC, with ms and Z. */
  readonly timestamp: string;
  readonly notes?: readonly Note[];
}
