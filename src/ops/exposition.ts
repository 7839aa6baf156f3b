/**
 * Readings as the text that Prometheus scrapes. prom-client writes it and is loaded at the first scrape: an agent that
 * nobody scrapes does without. The values come from counters that are kept anyway, so there are no prom-client counters
 * to keep up between two scrapes; it is given what it would ask of one.
 */
import type { Metric } from 'prom-client';
import { Histogram } from '../lib/histogram.ts';
import { METRICS, type MetricEntry, type MetricName, type Reading, type Readings } from './metrics-catalog.ts';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The readings in the order of the catalog. */
export async function exposition(readings: Readings): Promise<string> {
  const { default: Registry } = await import('prom-client/lib/registry.js');
  const registry = new Registry();
  for (const [name, entry] of Object.entries(METRICS) as [MetricName, MetricEntry][]) {
    const reading = readings[name];
    if (reading === undefined || reading === null) continue;
    const family = { name, help: entry.help, type: entry.type, values: linesOf(name, reading), aggregator: 'sum' };
    const metric: unknown = { name, get: async () => family };
    registry.registerMetric(metric as Metric);
  }
  return registry.metrics();
}

interface Line {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function linesOf(name: string, reading: Exclude<Reading, null>): Line[] {
  const values = isList(reading) ? reading : [{ labels: {}, value: reading }];
  return values.flatMap(({ labels, value }): Line[] => {
    if (!(value instanceof Histogram)) return [{ labels, value }];
    const cumulative = value.cumulative();
    return [
      ...value.bounds.map((le, bucket) => ({
        metricName: `${name}_bucket`,
        labels: { ...labels, le },
        value: cumulative[bucket] as number,
      })),
      { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: value.count },
      { metricName: `${name}_sum`, labels, value: value.sum },
      { metricName: `${name}_count`, labels, value: value.count },
    ];
  });
}

function isList(reading: Reading): reading is Extract<Reading, readonly unknown[]> {
  return Array.isArray(reading);
}
