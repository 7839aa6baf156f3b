/**
 * How sampling and its spool are: the same in an agent and in local mode. It samples while ticks come and each gives a
 * sample; its spool holds while it takes what is appended. Where samples go from there may be away for hours: that is
 * what a spool is for, so it degrades and does not fail.
 */
import type { Clock } from '../lib/clock.ts';
import type { Condition } from '../ops/condition.ts';
import type { ShippingState, Spool } from '../spool/spool.ts';
import type { Sampling } from './sampling.ts';

/** What is overdue by so many intervals and this long is not coming, ms. */
const OVERDUE_INTERVALS = 3;
const OVERDUE_SLACK_MS = 10_000;
/** A tick, which every collector's time limit bounds, needs no second hour to show that it is not coming. */
const LATEST_TICK_MS = 120_000;
/** Share of a bound from which on losing samples is near. */
const NEARLY = 0.9;

export interface Conditioned {
  readonly sampling: Sampling;
  readonly spool: Spool;
  /** Where samples go from the spool, and how that goes. */
  readonly target: string;
  readonly shipping: ShippingState;
  readonly maxBytes: number;
  readonly maxAge: number;
  readonly clock: Clock;
}

export function samplingCondition(conditioned: Conditioned): Condition {
  const { sampling } = conditioned;
  if (sampling.ended) return { stuck: [], failed: [], degraded: degraded(conditioned), unready: ['it is stopping'] };
  const late = lateness(conditioned);
  return {
    stuck: late.ticks === undefined ? [] : [`sampling stands still: the last tick was ${late.ticks} s ago`],
    failed: failed(conditioned, late.samples),
    degraded: [...reading(sampling), ...degraded(conditioned)],
    unready: sampling.taken === 0 ? ['no sample has been taken yet'] : [],
  };
}

/** For how many seconds there has been no tick, and no sample, where that is longer than it may be. */
function lateness({ sampling, clock }: Conditioned): { ticks: number | undefined; samples: number | undefined } {
  const { interval, tickedAt, sampledAt } = sampling;
  const now = clock.monotonic();
  const overdue = (last: number, limit: number) => {
    return now - last > limit + OVERDUE_SLACK_MS ? Math.round((now - last) / 1000) : undefined;
  };
  const several = OVERDUE_INTERVALS * interval;
  return {
    ticks: overdue(tickedAt, Math.min(several, interval + LATEST_TICK_MS)),
    samples: overdue(sampledAt, several),
  };
}

function failed({ sampling }: Conditioned, quietFor: number | undefined): string[] {
  const reasons: string[] = [];
  if (quietFor !== undefined) reasons.push(`the last sample was taken ${quietFor} s ago`);
  if (!sampling.storing) reasons.push('the spool does not take samples; what is lost will be noted');
  return reasons;
}

function reading({ failing }: Sampling): string[] {
  return failing === undefined ? [] : [`no sample could be taken: ${failing}`];
}

function degraded({ spool, target, shipping, maxBytes, maxAge }: Conditioned): string[] {
  const reasons: string[] = [];
  if (shipping.failures > 0) {
    const attempts = shipping.failures === 1 ? '1 attempt' : `${shipping.failures} attempts`;
    reasons.push(`${target}: ${attempts} failed: ${shipping.last_error ?? 'the log says why'}`);
  }
  const filled = spool.bytes / maxBytes;
  if (filled >= NEARLY) reasons.push(`the spool is ${Math.floor(filled * 100)} % full; at its bound the oldest go`);
  const age = (spool.oldestAgeSeconds() * 1000) / maxAge;
  if (age >= NEARLY) reasons.push(`the oldest sample has reached ${Math.floor(age * 100)} % of spool.max_age`);
  return reasons;
}
