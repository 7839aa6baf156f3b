/**
 * `npm run dashboards`: writes packaging/grafana/dashboards from the panels and queries beside it. A test fails while a
 * file is stale.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleet } from '../packaging/grafana/fleet.ts';
import { renderDashboard } from '../packaging/grafana/panels.ts';
import { pipeline } from '../packaging/grafana/pipeline.ts';

/** The text of each file, by its name. */
export const DASHBOARD_FILES: Readonly<Record<string, string>> = {
  'pipeline.json': renderDashboard(pipeline),
  'fleet.json': renderDashboard(fleet),
};

if (import.meta.main) {
  const folder = join(import.meta.dirname, '..', 'packaging', 'grafana', 'dashboards');
  for (const [name, text] of Object.entries(DASHBOARD_FILES)) writeFileSync(join(folder, name), text);
}
