/** What every process tells of itself, beside what its service counts; read when somebody asks. */
import type { Settings } from '../config/schema.ts';
import { commit, version } from '../lib/version.ts';
import { answerTo, type Condition } from './condition.ts';
import { type LabelledValue, labelled, type Readings } from './metrics-catalog.ts';

export function processMetrics(
  mode: Settings['mode'],
  condition: Condition,
  certificateEnds: readonly LabelledValue[],
): Readings {
  const { user, system } = process.cpuUsage();
  const { status } = answerTo('health', condition);
  return {
    hostspool_build_info: [{ labels: { version, commit, node: process.versions.node, mode }, value: 1 }],
    hostspool_start_time_seconds: Math.round(performance.timeOrigin) / 1000,
    hostspool_health: labelled(
      'status',
      (['ok', 'degraded', 'failed'] as const).map((name) => [name, name === status ? 1 : 0]),
    ),
    hostspool_resident_memory_bytes: process.memoryUsage.rss(),
    hostspool_cpu_seconds_total: (user + system) / 1e6,
    hostspool_certificate_expiry_timestamp_seconds: certificateEnds,
  };
}
