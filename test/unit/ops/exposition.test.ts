import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../src/lib/histogram.ts';
import { exposition } from '../../../src/ops/exposition.ts';
import { labelled, METRICS, type MetricEntry } from '../../../src/ops/metrics-catalog.ts';

const lines = async (readings: Parameters<typeof exposition>[0]) =>
  (await exposition(readings)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the text that Prometheus scrapes', () => {
  it('has a line for each value, in the order of the catalog', async () => {
    const text = await lines({ hostspool_spool_depth: 3, hostspool_samples_taken_total: 7 });
    expect(text).toEqual(['hostspool_samples_taken_total 7', 'hostspool_spool_depth 3']);
  });

  it('leaves out what is not known', async () => {
    expect(await lines({ hostspool_last_sample_timestamp_seconds: null, hostspool_spool_depth: 0 })).toEqual([
      'hostspool_spool_depth 0',
    ]);
  });

  it('writes a histogram with its buckets, sum and count, per label', async () => {
    const durations = new Histogram([0.1, 1]);
    for (const seconds of [0.05, 0.5, 5]) durations.observe(seconds);
    expect(await lines({ hostspool_sample_duration_seconds: labelled('collector', [['cpu', durations]]) })).toEqual([
      'hostspool_sample_duration_seconds_bucket{collector="cpu",le="0.1"} 1',
      'hostspool_sample_duration_seconds_bucket{collector="cpu",le="1"} 2',
      'hostspool_sample_duration_seconds_bucket{collector="cpu",le="+Inf"} 3',
      'hostspool_sample_duration_seconds_sum{collector="cpu"} 5.55',
      'hostspool_sample_duration_seconds_count{collector="cpu"} 3',
    ]);
  });

  it('keeps a hostname with quotes, backslashes and newlines inside its label', async () => {
    const evil = 'a"} 1\nhostspool_spool_depth 99\\';
    const text = await lines({ hostspool_fleet_host_spool_depth: labelled('hostname', [[evil, 5]]) });
    expect(text).toEqual(['hostspool_fleet_host_spool_depth{hostname="a\\"} 1\\nhostspool_spool_depth 99\\\\"} 5']);
  });
});

describe('the catalog of metrics', () => {
  const entries = Object.entries(METRICS) as [string, MetricEntry][];

  it.each(entries)('%s follows the naming rules', (name, { type, help, labels = [] }) => {
    expect(name).toMatch(/^hostspool_[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(name).not.toMatch(/_(count|sum|bucket|ms|milliseconds|minutes|kb|mb|percent)$/);
    expect(help).toMatch(/\.$/);
    for (const label of labels) expect(label).toMatch(/^(?!le$|quantile$)[a-z]+$/);
  });
});
