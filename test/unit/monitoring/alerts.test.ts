/** packaging/prometheus: the alert rules, and that each has a test and an entry in the runbook. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { unknownMetrics } from './metric-names.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'packaging/prometheus');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface RuleTest {
  readonly promql_expr_test?: readonly { readonly exp_samples: readonly { readonly labels: string }[] }[];
}

const rulesText = read('packaging/prometheus/hostspool.rules.yml');
const rules = (parse(rulesText) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const tests = (parse(read('packaging/prometheus/hostspool.rules.test.yml')) as { tests: RuleTest[] }).tests;
const runbook = /\n## Runbook\n[\s\S]*?(?=\n## |$)/.exec(read('docs/operations.md'))?.[0] ?? '';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe('the alert rules', () => {
  it('ask only for metrics and labels that hostspool has', () => {
    expect(rules.length).toBeGreaterThan(20);
    expect(unknownMetrics(rulesText)).toEqual([]);
  });

  it('would be caught asking for others', () => {
    const text = 'sum(hostspool_lags) + hostspool_lag_messages{topic="x"} + rate(hostspool_load_duration_seconds[5m])';
    const caught = ['hostspool_lags', 'hostspool_lag_messages{topic}', 'hostspool_load_duration_seconds'];
    expect(unknownMetrics(text)).toEqual(caught);
  });

  it('use only recorded series that a rule records', () => {
    const recorded = new Set(rules.map(({ record }) => record));
    const used = rules.flatMap(({ expr }) => [...expr.matchAll(/\b\w+:\w+:\w+/g)].map(([name]) => name));
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !recorded.has(name))).toEqual([]);
  });

  it('are named, weighed and told in one manner', () => {
    for (const { alert = '', labels, annotations } of alerts) {
      expect(alert).toMatch(/^Hostspool([A-Z][a-z]+)+$/);
      expect(labels?.severity, alert).toMatch(/^(critical|warning|info)$/);
      expect(annotations?.summary, alert).toMatch(/[^.]$/);
      expect(annotations?.description, alert).toMatch(/\.$/);
      expect(annotations?.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    }
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it('each have an entry in the runbook, which has no other', () => {
    const entries = [...runbook.matchAll(/^### (\S+)$/gm)].map(([, name]) => name);
    expect(entries.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  it('each fire in a test, and stay silent in another', () => {
    const fired = tests.map(({ promql_expr_test = [] }) =>
      promql_expr_test
        .flatMap(({ exp_samples }) => exp_samples.map(({ labels }) => labels))
        .map((labels) => /alertname="(\w+)"/.exec(labels)?.[1]),
    );
    for (const { alert } of alerts) {
      expect(
        fired.some((names) => names.includes(alert)),
        alert,
      ).toBe(true);
      expect(
        fired.some((names) => !names.includes(alert)),
        alert,
      ).toBe(true);
    }
  });
});

describe.skipIf(!hasPromtool)(
  `the alert rules under promtool${hasPromtool ? '' : ' (skipped: it is not here)'}`,
  () => {
    it.each(['check rules hostspool.rules.yml', 'test rules hostspool.rules.test.yml'])('%s', (command) => {
      const { status, stdout, stderr } = spawnSync('promtool', command.split(' '), { cwd: folder, encoding: 'utf8' });
      expect({ status, stderr }, stdout + stderr).toEqual({ status: 0, stderr: '' });
    });
  },
);
