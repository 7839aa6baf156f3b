/**
 * What the dashboards are put together from: panels, rows of them from left to right, and the whole as Grafana's JSON.
 *
 * Data sources are variables, so that one file serves provisioning and import alike; nothing has an id of an
 * installation. Panels are numbered and placed here, since Grafana wants unique numbers and no overlaps.
 */

export type Source = 'prometheus' | 'mssql';
/** The variable that holds the data source of a kind. */
export const SOURCE_VARIABLES: Readonly<Record<Source, string>> = {
  prometheus: 'DS_PROMETHEUS',
  mssql: 'DS_SQLSERVER',
};

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

export interface Target {
  /** PromQL, or T-SQL with Grafana's macros. */
  readonly query: string;
  /** Of a series; `{{label}}` stands for a label. Prometheus only. */
  readonly legend?: string;
  /** Newest values alone instead of a series. Prometheus only. */
  readonly instant?: boolean;
}

export interface Threshold {
  readonly above: number;
  readonly color: 'orange' | 'red';
}

export interface Panel {
  readonly type: 'stat' | 'timeseries' | 'table' | 'bargauge' | 'state-timeline';
  readonly title: string;
  /** What it shows and what is good, for whoever did not make it. */
  readonly description: string;
  readonly source: Source;
  readonly targets: readonly Target[];
  /** Of 24 columns. */
  readonly width: number;
  readonly unit?: string;
  readonly thresholds?: readonly Threshold[];
  readonly max?: number;
  readonly stacked?: boolean;
  /** Of single columns of a table: their unit, name and thresholds. */
  readonly columns?: Readonly<Record<string, Column>>;
}

export interface Column {
  readonly unit?: string;
  readonly name?: string;
  readonly thresholds?: readonly Threshold[];
  readonly hidden?: boolean;
}

export interface Row {
  readonly title: string;
  readonly height: number;
  readonly panels: readonly Panel[];
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly description?: string;
  readonly source?: Source;
  /** What gives the values; without a source they are these, separated by commas. */
  readonly query: string;
  readonly multi?: boolean;
  readonly all?: boolean;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly from: string;
  readonly source: Source;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

/** Grafana 10.4 and later read this version of the schema as it is. */
const SCHEMA_VERSION = 39;
const ROW_HEIGHT = 1;

/** The text of the file. */
export function renderDashboard(dashboard: Dashboard): string {
  const { uid, title, description, source, variables, rows } = dashboard;
  const json: JsonObject = {
    uid,
    title,
    description,
    tags: ['hostspool'],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    id: null,
    editable: true,
    graphTooltip: 1,
    refresh: '1m',
    time: { from: dashboard.from, to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [{ type: 'dashboards', title: 'hostspool', tags: ['hostspool'], asDropdown: true, keepTime: true }],
    templating: { list: [sourceVariable(source), ...variables.map(variableJson)] },
    panels: placed(rows),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function placed(rows: readonly Row[]): JsonObject[] {
  const panels: JsonObject[] = [];
  let y = 0;
  for (const { title, height, panels: members } of rows) {
    const gridPos = { x: 0, y, w: 24, h: ROW_HEIGHT };
    panels.push({ id: panels.length + 1, type: 'row', title, collapsed: false, gridPos, panels: [] });
    y += ROW_HEIGHT;
    let x = 0;
    for (const panel of members) {
      if (x + panel.width > 24) {
        x = 0;
        y += height;
      }
      panels.push(panelJson(panel, panels.length + 1, { x, y, w: panel.width, h: height }));
      x += panel.width;
    }
    y += height;
  }
  return panels;
}

function panelJson(panel: Panel, id: number, gridPos: JsonObject): JsonObject {
  const { type, title, description, source, unit, thresholds = [], max, columns = {}, stacked = false } = panel;
  return {
    id,
    type,
    title,
    description,
    datasource: reference(source),
    gridPos,
    // A step of less than some samples would show their grid.
    ...(type === 'timeseries' ? { interval: '10s' } : {}),
    targets: panel.targets.map((target, index) => targetJson(target, panel, 'ABCDEFGH'.charAt(index))),
    fieldConfig: {
      defaults: {
        ...(unit === undefined ? {} : { unit }),
        ...(max === undefined ? {} : { min: 0, max }),
        color: { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' },
        thresholds: thresholdsJson(thresholds),
        custom: type === 'timeseries' ? lines(stacked, thresholds.length > 0) : {},
      },
      overrides: Object.entries(columns).map(([name, column]) => overrideJson(name, column)),
    },
    options: OPTIONS[type],
  };
}

const reduceOptions = { calcs: ['lastNotNull'], fields: '', values: false };
const OPTIONS: Readonly<Record<Panel['type'], JsonObject>> = {
  stat: { reduceOptions, colorMode: 'value', graphMode: 'area', textMode: 'value_and_name' },
  timeseries: {
    legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  table: { showHeader: true, cellHeight: 'sm' },
  bargauge: { reduceOptions: { ...reduceOptions, values: true }, orientation: 'horizontal', displayMode: 'basic' },
  'state-timeline': { mergeValues: true, showValue: 'never', legend: { displayMode: 'list', showLegend: true } },
};

function lines(stacked: boolean, marked: boolean): JsonObject {
  return {
    drawStyle: 'line',
    fillOpacity: stacked ? 30 : 5,
    showPoints: 'never',
    // A step without a value is a gap to be seen.
    spanNulls: false,
    stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
    thresholdsStyle: { mode: marked ? 'line' : 'off' },
  };
}

function thresholdsJson(thresholds: readonly Threshold[]): JsonObject {
  const steps = thresholds.map(({ above, color }) => ({ value: above, color }));
  return { mode: 'absolute', steps: [{ value: null, color: 'green' }, ...steps] };
}

function overrideJson(field: string, { unit, name, thresholds, hidden = false }: Column): JsonObject {
  return {
    matcher: { id: 'byName', options: field },
    properties: [
      ...(name === undefined ? [] : [{ id: 'displayName', value: name }]),
      ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
      ...(hidden ? [{ id: 'custom.hidden', value: true }] : []),
      ...(thresholds === undefined
        ? []
        : [
            { id: 'thresholds', value: thresholdsJson(thresholds) },
            { id: 'custom.cellOptions', value: { type: 'color-text' } },
          ]),
    ],
  };
}

function targetJson({ query, legend, instant = false }: Target, { type, source }: Panel, refId: string): JsonObject {
  const datasource = reference(source);
  if (source === 'mssql') {
    const format = type === 'timeseries' ? 'time_series' : 'table';
    return { refId, datasource, editorMode: 'code', rawQuery: true, format, rawSql: query };
  }
  const legendFormat = legend ?? '__auto';
  const format = type === 'table' ? 'table' : 'time_series';
  return { refId, datasource, editorMode: 'code', expr: query, legendFormat, range: !instant, instant, format };
}

function reference(source: Source): JsonObject {
  return { type: source, uid: `\${${SOURCE_VARIABLES[source]}}` };
}

function sourceVariable(source: Source): JsonObject {
  const label = source === 'mssql' ? 'SQL Server' : 'Prometheus';
  return { name: SOURCE_VARIABLES[source], label, type: 'datasource', query: source, current: {}, hide: 0, regex: '' };
}

function variableJson({
  name,
  label,
  description = '',
  source,
  query,
  multi = false,
  all = false,
}: Variable): JsonObject {
  const common = { name, label, description, hide: 0, multi, includeAll: all };
  if (source === undefined) {
    const values = query.split(',');
    const options = values.map((value, index) => ({ text: value, value, selected: index === 0 }));
    return { ...common, type: 'custom', query, options, current: { text: values[0] ?? '', value: values[0] ?? '' } };
  }
  const asked = source === 'mssql' ? query : { query, refId: name };
  const current = all ? { text: 'All', value: '$__all' } : {};
  // 2: again when the time range changes.
  return {
    ...common,
    type: 'query',
    datasource: reference(source),
    query: asked,
    current,
    refresh: 2,
    sort: 1,
    regex: '',
  };
}
