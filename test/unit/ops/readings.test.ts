/** What each mode tells is what the catalog says of it: no more, and no less. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Agent } from '../../../src/agent/agent.ts';
import { loadSettings, type ResolvedSettings } from '../../../src/config/load.ts';
import { SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { LocalMode } from '../../../src/local/local-mode.ts';
import { METRICS, type MetricEntry } from '../../../src/ops/metrics-catalog.ts';
import { processMetrics } from '../../../src/ops/process-metrics.ts';
import type { Service } from '../../../src/ops/service.ts';
import { FakeHost, WritingWorld } from '../writer/writing.ts';

type Mode = ResolvedSettings['mode'];

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'readings-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

function settings(mode: Mode): ResolvedSettings {
  const flags = {
    config: '/dev/null',
    mode,
    'kafka.brokers': '127.0.0.1:1',
    'spool.path': join(directory, 'spool.db'),
    'collect.interval': '100ms',
  };
  return loadSettings({ flags, env: {} }).settings;
}

async function names(mode: Mode, service: Service): Promise<string[]> {
  return Object.keys({ ...processMetrics(mode, service.condition(), []), ...(await service.metrics()) }).sort();
}

function ofCatalog(mode: Mode): string[] {
  const entries = Object.entries(METRICS) as [string, MetricEntry][];
  return entries
    .filter(([, { modes }]) => modes.includes(mode))
    .map(([name]) => name)
    .sort();
}

it.each([
  ['agent', Agent],
  ['local', LocalMode],
] as const)('of mode %s', async (mode, opened) => {
  const service = opened.open(settings(mode), new SystemClock(), silentLog);
  expect(await names(mode, service)).toEqual(ofCatalog(mode));
  const stop = new AbortController();
  stop.abort();
  await service.run(stop.signal);
});

it('of mode writer', async () => {
  using world = new WritingWorld();
  new FakeHost(world, 'host-1').send();
  const { writer } = world.start();
  await world.untilLoaded();
  expect(await names('writer', writer)).toEqual(ofCatalog('writer'));
});
