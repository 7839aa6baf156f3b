import { METRICS, type MetricEntry } from '../../../src/ops/metrics-catalog.ts';

const PARTS: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'] };

/** Names as a scrape has them: of a histogram its three series. */
const SERIES: ReadonlyMap<string, MetricEntry> = new Map(
  Object.entries(METRICS as Readonly<Record<string, MetricEntry>>).flatMap(([name, entry]) =>
    (PARTS[entry.type] ?? ['']).map((part): [string, MetricEntry] => [`${name}${part}`, entry]),
  ),
);
/** What Prometheus adds to every series, and what a histogram's buckets have. */
const ADDED = ['job', 'instance', 'le'];

/** Metrics of ours in PromQL that are not in the catalog, or are asked for by a label that they lack. */
export function unknownMetrics(text: string): string[] {
  const unknown: string[] = [];
  // Behind a colon it is part of a recorded name, which has the metric's own.
  for (const [, name = '', selector = ''] of text.matchAll(/(?<!:)\b(hostspool_\w+)(?:\{([^}]*)\})?/g)) {
    const entry = SERIES.get(name);
    if (entry === undefined) unknown.push(name);
    for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)) {
      if (![...(entry?.labels ?? []), ...ADDED].includes(label)) unknown.push(`${name}{${label}}`);
    }
  }
  return unknown;
}
