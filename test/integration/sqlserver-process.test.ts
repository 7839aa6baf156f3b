/** The TDS double as a process of its own: killed with -9, it keeps what it had committed and nothing else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { SqlServerSettings } from '../../src/sink/sqlserver/connection-settings.ts';
import { ensureSqlServerSchema } from '../../src/sink/sqlserver/schema-check.ts';
import { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import { loadPersistently } from '../support/persistent-loader.ts';
import { sqlServerSettings } from '../support/sqlserver-fixture.ts';
import { TdsProcess } from '../support/tds/process.ts';
import { loadAll, loadOf, message } from '../unit/sink/a-load.ts';

let directory: string;
let server: TdsProcess;
let settings: SqlServerSettings;
let sink: SqlServerSink;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tds-process-'));
  server = await TdsProcess.start({ directory, args: ['--password', 'from the test'] });
  settings = sqlServerSettings(server.port, { password: 'from the test' });
  await ensureSqlServerSchema({ settings, log: silentLog, clock: new SystemClock(), migrate: true });
  sink = new SqlServerSink({ settings, log: silentLog });
});

afterEach(async () => {
  await sink.close();
  const surprises = await server.tell('surprises');
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
  expect(surprises).toEqual([]);
});

const log = Array.from({ length: 30 }, (_, index) => message(1 + (index % 2), 1 + Math.floor(index / 2)));

it('keeps what was committed over kill -9, and nothing of what was not', async () => {
  expect(await loadAll(sink, log.slice(0, 10), null)).toMatchObject({ inserted: 10 });
  await server.fault({ at: 'hosts-add', do: 'hang' });
  const load = await loadOf(sink, log.slice(10), 10);
  const loading = sink.load(load);
  const failed = expect(loading).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
  await expect.poll(() => server.tell('count', 'gaps-come'), { timeout: 30_000 }).toBe(2);
  await server.kill();
  await failed;
  await server.restart();
  expect(await server.table('server_metrics')).toHaveLength(10);
  await loadPersistently(sink, log);
  expect(await server.totals()).toEqual({ runs: 2, taken: 30, received: 30, lost: 0, missing: 0, duplicates: 0 });
});

it('is told of faults, and frozen, over its control port', async () => {
  await server.fault({ at: 'end', do: 'drop', when: 'after' });
  const { errors, outcomes } = await loadPersistently(sink, log);
  expect(errors.map(({ code }) => code)).toEqual(['SINK_UNAVAILABLE']);
  expect(outcomes).toEqual([]);
  expect(await server.tell('struck')).toBe(1);
  const other = new SqlServerSink({ settings: { ...settings, connect_timeout: 500 }, log: silentLog });
  await server.tell('freeze');
  await expect(other.listHosts()).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
  await server.tell('thaw');
  await expect.poll(() => other.listHosts().catch(() => []), { timeout: 30_000 }).toHaveLength(2);
  await other.close();
});
