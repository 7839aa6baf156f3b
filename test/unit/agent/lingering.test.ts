/** The shipper over a real spool: what waits for its linger while Kafka is there is lost for nothing else. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Pace } from '../../../src/agent/pace.ts';
import { Shipper } from '../../../src/agent/shipper.ts';
import { Backoff } from '../../../src/lib/backoff.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { Spool } from '../../../src/spool/spool.ts';
import { appendSamples, LiveSpool } from '../../support/live-spool.ts';

const MiB = 1024 * 1024;
const LOW = { free: 500 * MiB, total: 10_000 * MiB };
const ROOM = { free: 2000 * MiB, total: 10_000 * MiB };
const minFree = { bytes: 1000 * MiB };
/** So large that the few free pages that a file has anyway are soon used up. */
const PAYLOAD = 'x'.repeat(3000);

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

async function ship(spool: Spool, isAway: () => boolean, work: (sample: () => Promise<void>) => Promise<void>) {
  const { clock } = fixture;
  const sent: number[] = [];
  const shipper = new Shipper({
    spool,
    producer: {
      send: async (_topic, messages) => {
        if (isAway()) throw new HostspoolError('KAFKA_UNREACHABLE', 'no broker answers', { retryable: true });
        sent.push(messages.length);
      },
    },
    topic: 'server-metrics',
    batchSamples: 500,
    batchBytes: 1e6,
    linger: 5000,
    pace: new Pace(0, clock),
    backoff: new Backoff({ base: 1000, cap: 1000 }, () => 1),
    clock,
    log: silentLog,
  });
  const stop = new AbortController();
  const running = shipper.run(stop.signal);
  await work(async () => {
    appendSamples(spool, 1, PAYLOAD);
    shipper.wake();
    await clock.advance(1000);
  });
  stop.abort();
  await running;
  return sent;
}

it('loses nothing on a disk that is low, or becomes so, while Kafka is there', async () => {
  const spool = fixture.open({ minFree });
  const sent = await ship(
    spool,
    () => false,
    async (sample) => {
      for (let second = 0; second < 60; second++) {
        fixture.ports.space_ = second % 7 < 4 ? ROOM : LOW;
        if (second > 30) fixture.ports.space_ = LOW;
        await sample();
      }
      await fixture.clock.advance(5000);
    },
  );
  expect(fixture.losses()).toEqual({});
  expect(sent.reduce((sum, samples) => sum + samples, 0)).toBe(60);
  expect(sent.length).toBeLessThan(20);
});

it('stops the file’s growth on such a disk as ever once Kafka is away', async () => {
  fixture.ports.space_ = LOW;
  const spool = fixture.open({ minFree });
  await ship(
    spool,
    () => true,
    async (sample) => {
      for (let second = 0; second < 60; second++) await sample();
    },
  );
  expect(spool.depth).toBeLessThan(60);
  expect(fixture.losses()).toEqual({ disk_full: 60 - spool.depth });
});
