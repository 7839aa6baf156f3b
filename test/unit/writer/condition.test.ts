/** How a writer is, asked over HTTP while everything around it fails. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { HttpEndpoint } from '../../../src/ops/http-endpoint.ts';
import { until } from '../../support/executable.ts';
import { ask, askJson } from '../../support/http-client.ts';
import { FakeHost, lost, type RunningWriter, WritingWorld } from './writing.ts';

let world: WritingWorld;
let host: FakeHost;
let writer: RunningWriter;
let endpoint: HttpEndpoint;
let port: number;

beforeEach(async () => {
  world = new WritingWorld();
  host = new FakeHost(world, 'host-1');
  writer = world.start();
  const observed = { condition: () => writer.writer.condition(), metrics: () => writer.writer.metrics() };
  const settings = { address: '127.0.0.1:0', token: undefined, tls: {} };
  endpoint = HttpEndpoint.start(settings, { observed, clock: world.clock, log: silentLog });
  await until(() => endpoint.address !== undefined, 'the endpoint listens');
  port = endpoint.address?.port as number;
});

afterEach(async () => {
  await endpoint.close();
  world[Symbol.dispose]();
});

async function metric(name: string): Promise<number> {
  const { text } = await ask(port, '/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

describe('a writer asked how it is', () => {
  it('is well while it loads, and counts what it does', async () => {
    host.send();
    host.repeat(0);
    host.sendPoison();
    await world.untilLoaded();
    expect(await askJson(port, '/health')).toEqual({ code: 200, status: 'ok', reasons: [] });
    expect(await askJson(port, '/health/ready')).toMatchObject({ code: 200 });
    expect(await metric('hostspool_messages_received_total')).toBe(3);
    expect(await metric('hostspool_rows_inserted_total')).toBe(1);
    expect(await metric('hostspool_dead_letters_total')).toBe(1);
    expect(await metric('hostspool_batch_messages_sum')).toBe(3);
    expect(await metric('hostspool_lag_messages')).toBe(0);
    expect(await metric('hostspool_fleet_hosts')).toBe(1);
    expect(await metric('hostspool_fleet_host_spool_depth')).toBeNaN();
    expect((await ask(port, '/status')).status).toBe(404);
  });

  it('is degraded while a load is tried again, failed after a minute of that, and well when it is over', async () => {
    host.send();
    await world.untilLoaded();
    writer.sink.away = lost();
    host.send();
    await world.clock.advance(10_000);
    expect(await askJson(port, '/health')).toMatchObject({ code: 200, status: 'degraded' });
    expect(await metric('hostspool_backoff_failures')).toBeGreaterThan(0);
    expect(await metric('hostspool_lag_messages')).toBe(1);
    await world.clock.advance(60_000);
    const failed = await askJson(port, '/health');
    expect(failed).toMatchObject({ code: 503, status: 'failed' });
    expect(String(failed.reasons)).toContain('the connection was lost');
    // Restarting it would not bring the database back.
    expect(await askJson(port, '/health/live')).toMatchObject({ code: 200 });
    expect(await askJson(port, '/health/ready')).toMatchObject({ code: 503 });
    writer.sink.away = undefined;
    await world.untilLoaded();
    expect(await askJson(port, '/health')).toEqual({ code: 200, status: 'ok', reasons: [] });
    expect(await metric('hostspool_backoff_failures')).toBe(0);
  });

  it('fails out of the group for a minute, and is not ready at once', async () => {
    host.send();
    await world.untilLoaded();
    writer.consumer.revoke();
    await world.clock.advance(1_000);
    expect(await askJson(port, '/health/ready')).toMatchObject({ code: 503 });
    expect(await askJson(port, '/health')).toMatchObject({ code: 200, status: 'degraded' });
    await world.clock.advance(61_000);
    expect(await askJson(port, '/health')).toMatchObject({ code: 503 });
  });
});
