/**
 * What is wrong with a spool, and how much: the codes and sentences behind a severity.
 *
 *   critical   samples are being lost or soon will be, or nobody is there to ship what waits
 *   warning    something is not as it should be, and nothing is lost by it yet
 *
 * A sample that is lost stays lost, so a loss is a warning for a time and not for ever; the totals stay.
 */
import { formatDuration } from '../lib/units.ts';
import { ROOM_FOR_RESERVE } from '../spool/reserve.ts';
import type { AgentReport, LossReport, ShippingReport, SpoolReport } from './status.ts';

export type Severity = 'ok' | 'warning' | 'critical';

export interface Thresholds {
  /** Age of the oldest sample, ms. */
  readonly warnAge: number;
  readonly critAge: number;
  /** Share of the capacity, or of the greatest age, 0–1. */
  readonly warnFill: number;
  readonly critFill: number;
  /** How long a loss is a warning, ms; 0 = never. */
  readonly warnLoss: number;
}

/**
 * A healthy spool is empty within seconds, and no wait between attempts is longer than backoff.cap, a minute by
 * default: five minutes are several attempts that failed. An hour is more than a broker's restart or a network's
 * maintenance should take, and far less than the seven days after which samples are evicted.
 */
export const DEFAULT_THRESHOLDS: Thresholds = {
  warnAge: 5 * 60_000,
  critAge: 3_600_000,
  warnFill: 0.5,
  critFill: 0.9,
  warnLoss: 3_600_000,
};

export interface Finding {
  readonly severity: 'warning' | 'critical';
  readonly code: string;
  readonly sentence: string;
}

export interface Facts {
  readonly spool: SpoolReport;
  readonly agent: AgentReport;
  readonly shipping: ShippingReport;
  readonly losses: readonly LossReport[];
  /** Whether anybody has the spool open. */
  readonly held: boolean;
  /** For how long no sample came although some were due, ms; null while they come. */
  readonly stalledFor: number | null;
}

export function worst(found: readonly Finding[]): Severity {
  if (found.some(({ severity }) => severity === 'critical')) return 'critical';
  return found.length > 0 ? 'warning' : 'ok';
}

/** Everything that is wrong, the worst first. `now`: wall clock, ms. */
export function findings(facts: Facts, thresholds: Thresholds, now: number): Finding[] {
  const found = [
    ...damageOf(facts),
    ...agentOf(facts, thresholds),
    ...shippingOf(facts),
    ...agesOf(facts, thresholds),
    ...fillOf(facts, thresholds),
    ...lossesOf(facts, thresholds, now),
  ];
  const rank = ({ severity }: Finding) => (severity === 'critical' ? 0 : 1);
  return found.sort((one, other) => rank(one) - rank(other));
}

function critical(code: string, sentence: string): Finding {
  return { severity: 'critical', code, sentence };
}

function warning(code: string, sentence: string): Finding {
  return { severity: 'warning', code, sentence };
}

function damageOf({ spool }: Facts): Finding[] {
  if (spool.damage.length === 0) return [];
  return [critical('spool_damaged', `a part of the spool can't be read: ${spool.damage.join('; ')}`)];
}

function agentOf({ agent, spool, held, stalledFor }: Facts, { critAge }: Thresholds): Finding[] {
  if (stalledFor !== null) {
    const sentence = `the agent runs, but has taken no sample for ${ageInWords(stalledFor)}`;
    return [stalledFor >= critAge ? critical('sampling_stalled', sentence) : warning('sampling_stalled', sentence)];
  }
  if (agent.running) return [];
  if (held) {
    const pid = agent.held_by_pid === null ? '' : ` (process ${agent.held_by_pid})`;
    return [
      warning(
        'spool_held',
        `no agent runs; something has the spool open${pid}: a drain, or an agent that has not written to it yet`,
      ),
    ];
  }
  const waiting = spool.depth === null || spool.depth > 0;
  const waits = spool.depth === null ? '' : `, with ${samples(spool.depth)} waiting`;
  if (agent.run_ended === 'open') {
    return [critical('agent_died', `the agent ended without stopping in order${waiting ? waits : ''}`)];
  }
  if (waiting) return [critical('agent_stopped', `no agent runs${waits}`)];
  return [warning('agent_stopped', 'no agent runs: no samples are taken')];
}

function shippingOf({ shipping }: Facts): Finding[] {
  if (shipping.state !== 'backing_off') return [];
  const attempts = shipping.failures === 1 ? '1 attempt' : `${shipping.failures} attempts`;
  const error = shipping.last_error === null ? '' : `: ${shipping.last_error}`;
  return [warning('shipping_failing', `shipping fails, after ${attempts}${error}`)];
}

function agesOf({ spool }: Facts, { warnAge, critAge, warnFill, critFill }: Thresholds): Finding[] {
  const age = spool.oldest_age_seconds * 1000;
  const found: Finding[] = [];
  if (spool.oldest !== null) {
    const sentence = (limit: number) =>
      `the oldest sample has waited ${ageInWords(age)} (limit ${formatDuration(limit)})`;
    if (age >= critAge) found.push(critical('oldest_age', sentence(critAge)));
    else if (age >= warnAge) found.push(warning('oldest_age', sentence(warnAge)));
  }
  if (spool.age_ratio !== null && spool.max_age_seconds !== null && spool.age_ratio >= warnFill) {
    const left = Math.max(0, spool.max_age_seconds * 1000 - age);
    const sentence = `the oldest sample is evicted for its age in ${ageInWords(left)}`;
    found.push(spool.age_ratio >= critFill ? critical('near_max_age', sentence) : warning('near_max_age', sentence));
  }
  return found;
}

function fillOf({ spool, held }: Facts, { warnFill, critFill }: Thresholds): Finding[] {
  const found: Finding[] = [];
  if (spool.fill_ratio !== null && spool.fill_ratio >= warnFill) {
    const until = spool.seconds_until_full;
    const pace = until === null ? '' : `, full in ${ageInWords(until * 1000)}`;
    const sentence = `the spool is ${percent(spool.fill_ratio)} full${pace}`;
    found.push(spool.fill_ratio >= critFill ? critical('fill', sentence) : warning('fill', sentence));
  }
  // Where nobody writes, as on the medium of a rescued spool, it need not have room.
  if (held && spool.filesystem_free_bytes !== null && spool.filesystem_free_bytes < ROOM_FOR_RESERVE) {
    found.push(critical('disk_full', 'the filesystem of the spool is full'));
  }
  return found;
}

function lossesOf({ losses }: Facts, { warnLoss }: Thresholds, now: number): Finding[] {
  return losses
    .filter(({ last_at }) => warnLoss > 0 && now - Date.parse(last_at) < warnLoss)
    .map((loss) => {
      const ago = ageInWords(now - Date.parse(loss.last_at));
      return warning('samples_lost', `samples were lost ${ago} ago: ${loss.reason}, ${samples(loss.samples)} in all`);
    });
}

export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1).replace(/\.0$/, '')} %`;
}

export function samples(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'sample' : 'samples'}`;
}

const AGE_UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** A duration for people, to its two largest units: `3 d 4 h`, `12 min 5 s`, `5 s`. A negative one counts as 0. */
export function ageInWords(ms: number): string {
  const seconds = Math.round(Math.max(0, ms) / 1000);
  const largest = AGE_UNITS.findIndex(([, size]) => seconds >= size);
  const [unit, size] = AGE_UNITS[largest] ?? ['s', 1];
  const [finerUnit, finerSize] = AGE_UNITS[largest + 1] ?? ['s', Infinity];
  const finer = largest < 0 ? 0 : Math.floor((seconds % size) / finerSize);
  return `${Math.floor(seconds / size)} ${unit}${finer > 0 ? ` ${finer} ${finerUnit}` : ''}`;
}
