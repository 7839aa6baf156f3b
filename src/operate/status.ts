/**
 * From a look at the spool to the report of `hostspool status`: the JSON contract of docs/status-json.md, whose fields
 * may be added to and never change. Pure: the same snapshot, thresholds and time give the same report.
 *
 * The snapshot says what was written; the report says what is so. A process that was killed leaves `shipping` behind
 * as its state, and the rate of its last second: neither is true of a process that is gone.
 */

import type { SpoolSnapshot } from '../spool/snapshot.ts';
import type { QueueEnd } from '../spool/snapshot-queue.ts';
import { type Finding, findings, type Severity, type Thresholds, worst } from './status-findings.ts';

export interface StatusReport {
  readonly severity: Severity;
  /** Why it is not ok, a sentence each, the worst first. */
  readonly reasons: readonly string[];
  /** The stable name of each reason, in the same order. */
  readonly reason_codes: readonly string[];
  /** When this was so. */
  readonly checked_at: string;
  readonly spool: SpoolReport;
  readonly agent: AgentReport;
  readonly shipping: ShippingReport;
  readonly losses: readonly LossReport[];
}

export interface SpoolReport {
  readonly path: string;
  readonly id: string | null;
  readonly source: SpoolSnapshot['source'];
  readonly depth: number | null;
  readonly depth_exact: boolean;
  readonly bytes: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly oldest_age_seconds: number;
  readonly capacity_bytes: number | null;
  readonly max_age_seconds: number | null;
  readonly fill_ratio: number | null;
  readonly age_ratio: number | null;
  readonly samples_per_second_in: number;
  readonly samples_per_second_out: number;
  readonly seconds_until_full: number | null;
  readonly filesystem_free_bytes: number | null;
  readonly notes_pending: number;
  readonly damage: readonly string[];
  readonly runs: readonly { run_id: string; samples: number; first_seq: number; last_seq: number }[];
  readonly runs_complete: boolean;
}

export interface AgentReport {
  readonly hostname: string | null;
  readonly pid: number | null;
  readonly running: boolean;
  readonly run_id: string | null;
  readonly last_seq: number | null;
  readonly last_sample_at: string | null;
  readonly version: string | null;
  readonly started_at: string | null;
  readonly interval_seconds: number | null;
  /** How the run ended; `open` while it goes on, or when it ended without having said so. */
  readonly run_ended: 'open' | 'clean' | 'unclean' | 'settled' | null;
  /** How it is known whether it runs. */
  readonly known_by: 'lock' | 'process';
  /** Process id of whoever has the spool open, the agent or a drain. */
  readonly held_by_pid: number | null;
}

export interface ShippingReport {
  readonly state: 'idle' | 'shipping' | 'backing_off' | 'stopped';
  readonly shipped_total: number;
  readonly last_ack_at: string | null;
  readonly last_error: string | null;
  readonly failures: number;
  readonly next_attempt_at: string | null;
}

export interface LossReport {
  readonly reason: string;
  readonly samples: number;
  readonly first_at: string;
  readonly last_at: string;
}

/** The agent's own mean decays so: after this long without an acknowledgement a third is left, ms. */
const RATE_TIME_CONSTANT_MS = 30_000;

/** Samples that are overdue by this many intervals, and at least this long, are not coming, ms. */
const OVERDUE_INTERVALS = 10;
const OVERDUE_LEAST_MS = 60_000;

/** What a status makes of a snapshot. `now`: wall clock, ms. */
export function evaluate(snapshot: SpoolSnapshot, thresholds: Thresholds, now: number): StatusReport {
  const held = snapshot.holder.held;
  // A drain holds the same lock; the agent is who said so when it opened the spool.
  const running = held && isAgent(snapshot);
  const stalledFor = running ? overdue(snapshot, now) : null;
  const spool = reportSpool(snapshot, { running, stalled: stalledFor !== null, now });
  const agent = reportAgent(snapshot, running);
  const shipping = reportShipping(snapshot, held);
  const losses = snapshot.losses.map(({ reason, samples, firstAt, lastAt }) => ({
    reason,
    samples,
    first_at: iso(firstAt),
    last_at: iso(lastAt),
  }));
  const found: readonly Finding[] = findings({ spool, agent, shipping, losses, held, stalledFor }, thresholds, now);
  return {
    severity: worst(found),
    reasons: found.map(({ sentence }) => sentence),
    reason_codes: found.map(({ code }) => code),
    checked_at: iso(now),
    spool,
    agent,
    shipping,
    losses,
  };
}

function isAgent({ holder, agent, run }: SpoolSnapshot): boolean {
  if (agent === null) return false;
  return holder.ownPid === null ? run?.ended === 'open' : holder.ownPid === agent.pid;
}

interface Moment {
  readonly running: boolean;
  readonly stalled: boolean;
  readonly now: number;
}

function reportSpool(snapshot: SpoolSnapshot, { running, stalled, now }: Moment): SpoolReport {
  const { queue, agent, bytes, filesystemFree } = snapshot;
  const age = queue?.oldest == null ? 0 : ageOf(queue.oldest, snapshot, now);
  const capacity = agent?.max_bytes ?? null;
  const maxAge = agent?.max_age_ms ?? null;
  const perSecondIn = running && !stalled ? inflow(snapshot) : 0;
  const perSecondOut = outflow(snapshot, now);
  const growth = (perSecondIn - perSecondOut) * (queue?.bytesPerSample ?? 0);
  const room = Math.min(capacity === null ? Infinity : capacity - bytes, filesystemFree ?? Infinity);
  return {
    path: snapshot.path,
    id: snapshot.spoolId,
    source: snapshot.source,
    depth: queue?.depth ?? null,
    depth_exact: queue?.exact ?? false,
    bytes,
    oldest: queue?.oldest == null ? null : iso(queue.oldest.takenAt),
    newest: queue?.newest == null ? null : iso(queue.newest.takenAt),
    oldest_age_seconds: round(age / 1000, 3),
    capacity_bytes: capacity,
    max_age_seconds: maxAge === null ? null : round(maxAge / 1000, 3),
    fill_ratio: capacity === null ? null : round(bytes / capacity, 4),
    age_ratio: maxAge === null ? null : round(age / maxAge, 4),
    samples_per_second_in: round(perSecondIn, 3),
    samples_per_second_out: round(perSecondOut, 3),
    seconds_until_full: growth > 0 && Number.isFinite(room) ? Math.round(Math.max(0, room) / growth) : null,
    filesystem_free_bytes: filesystemFree,
    notes_pending: snapshot.notesPending,
    damage: snapshot.damage,
    runs: (queue?.runs ?? []).map(({ runId, samples, firstSeq, lastSeq }) => ({
      run_id: runId,
      samples,
      first_seq: firstSeq,
      last_seq: lastSeq,
    })),
    runs_complete: queue?.runsComplete ?? false,
  };
}

function reportAgent({ agent, run, holder }: SpoolSnapshot, running: boolean): AgentReport {
  return {
    hostname: agent?.hostname ?? null,
    // The id of a process that is gone may be another's by now.
    pid: running ? (holder.pid ?? agent?.pid ?? null) : null,
    running,
    run_id: run?.runId ?? null,
    last_seq: run?.lastSeq ?? null,
    last_sample_at: run?.lastSampleAt == null ? null : iso(run.lastSampleAt),
    version: agent?.version ?? null,
    started_at: run?.startedAt == null ? null : iso(run.startedAt),
    interval_seconds: agent === null ? null : round(agent.interval_ms / 1000, 3),
    run_ended: run?.ended ?? null,
    known_by: holder.knownBy,
    held_by_pid: holder.pid,
  };
}

function reportShipping({ shipping, queue }: SpoolSnapshot, held: boolean): ShippingReport {
  // What a process saves first is how its first attempt ended; until then the file has the end of the one before.
  const begun = shipping.state === 'stopped' ? (queue?.depth === 0 ? 'idle' : 'shipping') : shipping.state;
  return {
    state: held ? begun : 'stopped',
    shipped_total: shipping.shipped_total,
    last_ack_at: time(shipping.last_ack_at),
    last_error: shipping.last_error,
    failures: shipping.failures,
    // Without a process nobody is there to make it.
    next_attempt_at: held ? time(shipping.next_attempt_at) : null,
  };
}

/** Age of a sample, ms, never negative: within a boot by the clock that nobody can set. */
function ageOf(
  { runId, takenAt, monotonicAt }: QueueEnd,
  { run, monotonicAt: nowMonotonic }: SpoolSnapshot,
  now: number,
) {
  const byMonotonic = run?.thisBoot === true && run.runId === runId;
  return Math.max(0, byMonotonic ? nowMonotonic - monotonicAt : now - takenAt);
}

/** Samples per second that come in: as measured, else as set. */
function inflow({ queue, run, agent }: SpoolSnapshot): number {
  const measured = queue?.inflow;
  if (measured != null && measured.runId === run?.runId) return measured.perSecond;
  return agent === null ? 0 : 1000 / agent.interval_ms;
}

/** Samples per second that were acknowledged of late. */
function outflow({ shipping }: SpoolSnapshot, now: number): number {
  const acknowledged = time(shipping.last_ack_at);
  if (acknowledged === null) return 0;
  const quiet = Math.max(0, now - Date.parse(acknowledged));
  return shipping.samples_per_second_out * Math.exp(-quiet / RATE_TIME_CONSTANT_MS);
}

/** For how long no sample has come although several were due, ms; null while they come. */
function overdue({ run, agent }: SpoolSnapshot, now: number): number | null {
  const last = run?.lastSampleAt ?? run?.startedAt;
  if (last == null || agent === null) return null;
  const quiet = now - last;
  return quiet > Math.max(OVERDUE_LEAST_MS, OVERDUE_INTERVALS * agent.interval_ms) ? quiet : null;
}

/** The text if it is a time. */
function time(text: string | null): string | null {
  return text === null || Number.isNaN(Date.parse(text)) ? null : text;
}

/** Greatest time that a Date holds, ms; a damaged row may hold any number. */
const LAST_TIME_MS = 8.64e15;

function iso(ms: number): string {
  return new Date(Math.min(Math.max(ms, -LAST_TIME_MS), LAST_TIME_MS)).toISOString();
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
