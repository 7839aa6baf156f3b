/** What new settings change at once, and what stays as it is until a restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Agent } from '../../../src/agent/agent.ts';
import { Sampling } from '../../../src/agent/sampling.ts';
import { samplingCondition } from '../../../src/agent/sampling-condition.ts';
import { SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { LocalMode } from '../../../src/local/local-mode.ts';
import { LiveSpool } from '../../support/live-spool.ts';
import { load } from '../config/scratch.ts';

const MIB = 1024 ** 2;
const HOUR = 3_600_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reload-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function settings(flags: Record<string, string>) {
  return load({ flags: { 'kafka.brokers': '127.0.0.1:1', 'spool.path': join(directory, 'spool.db'), ...flags } })
    .settings;
}

it.each(['agent', 'local'])('%s: health and metrics go by the bounds of the spool that are in force', async (mode) => {
  const bounded = (size: string) => settings({ mode, 'spool.max_bytes': size });
  const open = mode === 'agent' ? Agent.open : LocalMode.open;
  const service = open(bounded('16MiB'), new SystemClock(), silentLog);
  service.apply(bounded('16GiB'));
  const { hostspool_spool_capacity_bytes } = service.metrics();
  const stop = new AbortController();
  stop.abort();
  await service.run(stop.signal);
  expect(hostspool_spool_capacity_bytes).toBe(16 * MIB);
});

it('an interval that was made shorter is no reason to take an agent for stuck', async () => {
  const live = new LiveSpool();
  const spool = live.open();
  const { clock } = live;
  const every = (interval: string) => settings({ 'collect.interval': interval, 'collect.hostname': 'host-1' });
  const sampling = Sampling.open({ settings: every('1h'), spool, clock, log: silentLog, appended: () => undefined });
  const stop = new AbortController();
  const running = sampling.run(stop.signal);
  await clock.advance(HOUR);
  await expect.poll(() => sampling.taken).toBe(1);
  clock.pass(HOUR - 600_000);
  sampling.apply(every('30m'));
  await clock.advance(60_000);
  const bounds = { maxBytes: 1e9, maxAge: 1e9 };
  const { stuck } = samplingCondition({
    sampling,
    spool,
    target: 'Kafka',
    shipping: spool.shipping(),
    clock,
    ...bounds,
  });
  stop.abort();
  await running;
  sampling.close();
  live.remove();
  expect(stuck).toEqual([]);
});
