/** What sampling and its spool count, for /metrics: the same in an agent and in local mode. */
import type { ResolvedSettings } from '../config/load.ts';
import { labelled, type Readings } from '../ops/metrics-catalog.ts';
import { LOSS_REASONS } from '../sample/note.ts';
import type { ShippingState, Spool } from '../spool/spool.ts';
import type { Sampling } from './sampling.ts';

export function samplingMetrics(sampling: Sampling, spool: Spool, { spool: bounds }: ResolvedSettings): Readings {
  const { takenAt } = sampling;
  return {
    hostspool_event_loop_delay_seconds: sampling.tickDelays,
    hostspool_samples_taken_total: sampling.taken,
    hostspool_ticks_missed_total: sampling.missedTicks,
    hostspool_clock_steps_total: sampling.clockSteps,
    hostspool_last_sample_timestamp_seconds: takenAt === undefined ? null : takenAt / 1000,
    hostspool_sample_duration_seconds: labelled('collector', sampling.collectorDurations),
    hostspool_collector_errors_total: labelled('collector', sampling.collectorErrors),
    hostspool_spool_depth: spool.depth,
    hostspool_spool_bytes: spool.bytes,
    hostspool_spool_capacity_bytes: bounds.max_bytes,
    hostspool_spool_oldest_age_seconds: spool.oldestAgeSeconds(),
    hostspool_spool_max_age_seconds: bounds.max_age / 1000,
    hostspool_losses_total: labelled('reason', everyReason(spool.losses())),
  };
}

/** Also those without a loss, so that a first one is an increase. */
function everyReason(losses: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...LOSS_REASONS.map((reason) => [reason, 0] as const), ...losses]);
}

/** The time of the last acknowledgement, in seconds since the epoch; null before the first. */
export function acknowledgedAt({ last_ack_at }: ShippingState): number | null {
  const at = last_ack_at === null ? Number.NaN : Date.parse(last_ack_at);
  return Number.isNaN(at) ? null : at / 1000;
}
