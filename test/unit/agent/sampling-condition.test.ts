import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sampling } from '../../../src/agent/sampling.ts';
import { samplingCondition } from '../../../src/agent/sampling-condition.ts';
import { answerTo } from '../../../src/ops/condition.ts';
import type { Spool } from '../../../src/spool/spool.ts';
import { appendSamples, faultWith, LiveSpool } from '../../support/live-spool.ts';

const MiB = 1024 * 1024;

let live: LiveSpool;
let spool: Spool;
let sampling: { -readonly [Key in keyof Sampling]: Sampling[Key] };
let shipping: { failures: number; last_error: string | null };
let maxBytes: number;

beforeEach(() => {
  live = new LiveSpool();
  spool = live.open();
  const now = live.clock.monotonic();
  sampling = {
    ended: false,
    interval: 5000,
    taken: 1,
    tickedAt: now,
    sampledAt: now,
    failing: undefined,
    storing: true,
  } as unknown as typeof sampling;
  shipping = { failures: 0, last_error: null };
  maxBytes = 64 * MiB;
});

afterEach(() => live.remove());

function condition() {
  return samplingCondition({
    sampling: sampling as Sampling,
    spool,
    target: 'Kafka',
    shipping: { ...spool.shipping(), ...shipping },
    maxBytes,
    maxAge: 86_400_000,
    clock: live.clock,
  });
}

const health = () => answerTo('health', condition());

describe('the health of sampling', () => {
  it('is well while samples are taken and stored', () => {
    live.clock.pass(24_000);
    expect(health()).toEqual({ status: 'ok', reasons: [] });
  });

  it('fails, and asks for a restart, when ticks do not come for three intervals and ten seconds', () => {
    live.clock.pass(25_001);
    expect(health().status).toBe('failed');
    expect(answerTo('live', condition())).toEqual({
      status: 'failed',
      reasons: ['sampling stands still: the last tick was 25 s ago'],
    });
  });

  it('does not wait three hours for an hourly tick that is not coming', () => {
    sampling.interval = 3_600_000;
    live.clock.pass(3_600_000 + 130_000);
    expect(answerTo('live', condition()).status).toBe('ok');
    live.clock.pass(1);
    expect(answerTo('live', condition()).status).toBe('failed');
  });

  it('degrades at a reading that failed, and fails without a restart when none succeeds', () => {
    sampling.failing = 'no disk_percent: statfs hangs';
    expect(health()).toEqual({
      status: 'degraded',
      reasons: ['no sample could be taken: no disk_percent: statfs hangs'],
    });
    live.clock.pass(25_001);
    sampling.tickedAt = live.clock.monotonic();
    expect(health().status).toBe('failed');
    expect(answerTo('live', condition()).status).toBe('ok');
  });

  it('fails when the spool does not take a sample', () => {
    live.ports.at = (step) => {
      if (step === 'write:before-commit') throw faultWith('SQLITE_READONLY');
    };
    const identity = spool.identify();
    sampling.storing = spool.append(identity, 0, '{}');
    expect(health().status).toBe('failed');
    live.ports.at = () => undefined;
    sampling.storing = spool.append(spool.identify(), 0, '{}');
    expect(health().status).toBe('ok');
  });

  it('only degrades while Kafka is away, however long, and says how the last attempt failed', () => {
    shipping = { failures: 500, last_error: 'KAFKA_UNREACHABLE: no broker answers' };
    expect(health()).toEqual({
      status: 'degraded',
      reasons: ['Kafka: 500 attempts failed: KAFKA_UNREACHABLE: no broker answers'],
    });
    expect(answerTo('ready', condition()).status).toBe('degraded');
  });

  it('degrades before samples are lost at a bound', () => {
    appendSamples(spool, 3);
    expect(health().status).toBe('ok');
    live.clock.pass(80_000_000);
    sampling.tickedAt = live.clock.monotonic();
    sampling.sampledAt = live.clock.monotonic();
    expect(health().reasons.join()).toContain('92 % of spool.max_age');
    maxBytes = spool.bytes;
    expect(health().reasons.join()).toContain('100 % full');
  });

  it('is not ready before the first sample and while stopping, and is not to be restarted then', () => {
    sampling.taken = 0;
    expect(answerTo('ready', condition()).status).toBe('failed');
    sampling.taken = 5;
    sampling.ended = true;
    live.clock.pass(600_000);
    expect(answerTo('live', condition()).status).toBe('ok');
    expect(answerTo('ready', condition())).toMatchObject({ status: 'failed', reasons: ['it is stopping'] });
  });
});
