/** packaging/grafana/dashboards: made from the code beside them, and such that Grafana takes them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { DASHBOARD_FILES } from '../../../scripts/dashboards.ts';
import { unknownMetrics } from './metric-names.ts';

const grafana = join(import.meta.dirname, '../../../packaging/grafana');

interface Position {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}
interface Reference {
  readonly type: string;
  readonly uid: string;
}
interface Target {
  readonly refId: string;
  readonly datasource: Reference;
  readonly expr?: string;
  readonly rawSql?: string;
}
interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: Position;
  readonly datasource?: Reference;
  readonly targets?: readonly Target[];
}
interface VariableJson {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
  readonly datasource?: Reference;
}
interface DashboardJson {
  readonly uid: string;
  readonly id: null;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly VariableJson[] };
  readonly panels: readonly PanelJson[];
}

const files = readdirSync(join(grafana, 'dashboards')).map((name) => {
  const text = readFileSync(join(grafana, 'dashboards', name), 'utf8');
  return [name, JSON.parse(text) as DashboardJson, text] as const;
});
const targetsOf = ({ panels }: DashboardJson) => panels.flatMap(({ targets = [] }) => targets);
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

it('the dashboards are what `npm run dashboards` makes now', () => {
  expect(files.map(([name]) => name).toSorted()).toEqual(Object.keys(DASHBOARD_FILES).toSorted());
  for (const [name, , text] of files) {
    expect(text === DASHBOARD_FILES[name], `${name} is stale: run npm run dashboards`).toBe(true);
  }
});

describe.each(files)('%s', (_, dashboard, text) => {
  const { panels, templating } = dashboard;
  const shown = panels.filter(({ type }) => type !== 'row');

  it('belongs to no installation', () => {
    expect(dashboard).toMatchObject({ id: null, uid: expect.stringMatching(/^hostspool-[a-z]+$/) });
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
    const references = [...panels, ...targetsOf(dashboard), ...templating.list].flatMap((one) => one.datasource ?? []);
    expect(references.length).toBeGreaterThan(shown.length);
    const sources = templating.list.filter(({ type }) => type === 'datasource');
    for (const { type, uid } of references) {
      expect(sources.map(({ name, query }) => [`\${${name}}`, query])).toContainEqual([uid, type]);
    }
  });

  it('has panels with numbers, titles, descriptions and something to ask', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(shown.length).toBeGreaterThan(10);
    for (const { title, description = '', targets = [], datasource } of shown) {
      expect(description, title).toMatch(/\.$/);
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      for (const target of targets) {
        expect((datasource?.type === 'mssql' ? target.rawSql : target.expr) ?? '', title).toMatch(/\w/);
      }
    }
  });

  it('puts no panel over another or beyond the edge', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
  });

  it('uses the variables that it has, and has none that it does not use', () => {
    const used = [...text.matchAll(/\$\{?([A-Za-z_]+)/g)].map(([, name = '']) => name);
    const own = new Set(used.filter((name) => !name.startsWith('__')));
    expect([...own].toSorted()).toEqual(templating.list.map(({ name }) => name).toSorted());
  });

  it('asks only for metrics and labels that hostspool has', () => {
    const variables = templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query));
    const asked = [
      ...targetsOf(dashboard).map(({ expr = '' }) => expr),
      ...variables.filter((query) => /^label_/.test(query)),
    ];
    expect(unknownMetrics(asked.join('\n'))).toEqual([]);
  });

  const queries = targetsOf(dashboard).flatMap(({ expr }) => expr ?? []);
  const reason = queries.length === 0 ? 'it asks SQL Server' : hasPromtool ? undefined : 'promtool is not here';
  const title = `asks in PromQL that Prometheus takes${reason === undefined ? '' : ` (skipped: ${reason})`}`;
  it.skipIf(reason !== undefined)(title, () => {
    const scratch = mkdtempSync(join(tmpdir(), 'dashboards-'));
    const expanded = queries.map((expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'));
    const rules = expanded.map((expr, index) => ({ record: `query:number:q${index}`, expr }));
    writeFileSync(join(scratch, 'rules.yml'), stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', 'rules.yml'], {
      cwd: scratch,
      encoding: 'utf8',
    });
    rmSync(scratch, { recursive: true });
    expect({ status, stderr }, stdout + stderr).toEqual({ status: 0, stderr: '' });
  });
});

it('every query in queries/ is asked by the fleet dashboard', () => {
  const [, fleet] = files.find(([name]) => name === 'fleet.json') as (typeof files)[number];
  const asked = [...targetsOf(fleet).map(({ rawSql }) => rawSql), ...fleet.templating.list.map(({ query }) => query)];
  for (const name of readdirSync(join(grafana, 'queries'))) {
    expect(asked, name).toContain(readFileSync(join(grafana, 'queries', name), 'utf8').trimEnd());
  }
});
