/**
 * A storm: agents and writers at work, faults by the seed's schedule, then quiet, then the audit.
 *
 * `runStorm` answers with what was found; an empty list is a storm that cost nothing. It throws only where the harness
 * itself failed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { executable } from '../support/executable.ts';
import { audit, type Evidence, type Finding } from './audit.ts';
import type { StormDatabase } from './database.ts';
import type { DatabaseCopy } from './evidence.ts';
import type { Fault, StormPart } from './fault.ts';
import { FAULTS, LOST_LOG_FAULTS } from './faults/index.ts';
import type { LedgerRun } from './ledger.ts';
import { quieten } from './quiet.ts';
import { Random } from './random.ts';
import { type Lane, makeSchedule, type StormShape } from './schedule.ts';
import { GROUP, StormWorld, TOPIC } from './world.ts';

export interface StormOptions extends StormShape {
  /** Logs, spools and databases; kept. */
  readonly directory: string;
  readonly openDatabase: (directory: string, writers: number) => Promise<StormDatabase>;
  /** Told what happens while it happens. */
  readonly say: (line: string) => void;
  /** What agents and writers run; build/hostspool where left out. */
  readonly executable?: string;
  /** The same in another version. */
  readonly otherVersion?: string;
  readonly part?: StormPart;
  /** Ends the storm before its time; quiet and audit follow. */
  readonly stop?: AbortSignal;
  /** Alters the evidence before the audit, to try the auditor. */
  readonly sabotage?: (evidence: Evidence) => Evidence;
}

const FAULTS_OF: Readonly<Record<StormPart, readonly Fault[]>> = { everything: FAULTS, 'lost logs': LOST_LOG_FAULTS };

export interface StormReport {
  readonly findings: readonly Finding[];
  readonly database: string;
  /** Fault to how often it was done. */
  readonly faults: ReadonlyMap<string, number>;
  readonly starts: { readonly agents: number; readonly writers: number };
  readonly samples: {
    readonly taken: number;
    /** Named in a log, and never begun: the kill fell between the two. */
    readonly unbegun: number;
    readonly rows: number;
    /** Losses on record, by reason. */
    readonly lost: Readonly<Record<string, number>>;
    /** Of runs whose last messages went with a log: on no record, and told here. Host, run and numbers. */
    readonly untold: readonly { readonly run: string; readonly first: number; readonly last: number }[];
    readonly plain: number;
    readonly poison: number;
    /** Messages in the topic: what was sent again included. */
    readonly messages: number;
  };
}

export async function runStorm(options: StormOptions): Promise<StormReport> {
  const { durationMs, say } = options;
  await using world = await StormWorld.open({ executable, ...options });
  const schedule = makeSchedule(options, [...FAULTS_OF[options.part ?? 'everything'], ...world.database.faults]);
  const counts = new Map<string, number>();
  await world.start();
  const began = performance.now();
  const tell = (line: string) => say(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const over = AbortSignal.any([
    AbortSignal.timeout(durationMs),
    ...(options.stop === undefined ? [] : [options.stop]),
  ]);

  await Promise.all(schedule.map((lane) => runLane(world, lane, over, counts, tell)));
  tell(`the storm is over; ${world.ledger.samples} samples were taken so far`);
  const unrest = await quieten(world);
  tell('everything is at rest; the audit begins');

  const evidence: Evidence = {
    ledger: world.ledger.close(),
    database: await world.database.copy({ group: GROUP, topic: TOPIC }),
    topic: await world.traffic.copy(),
    deadLetters: await world.traffic.deadLetters(),
  };
  const findings = [
    ...unrest.map((message) => ({ check: 'unrest', message })),
    ...world.ledger.problems.map((message) => ({ check: 'ledger', message })),
    ...[...world.agents, ...world.writers].flatMap((process) =>
      process.findings.map((message) => ({ check: 'process', message })),
    ),
    ...(await world.database.findings()).map((message) => ({ check: 'harness', message })),
    ...audit(options.sabotage?.(evidence) ?? evidence),
  ];
  return { findings, database: world.database.name, faults: counts, ...sums(world, evidence) };
}

async function runLane(
  world: StormWorld,
  lane: Lane,
  stop: AbortSignal,
  counts: Map<string, number>,
  tell: (line: string) => void,
): Promise<void> {
  const pause = async (ms: number) => {
    await delay(ms, undefined, { signal: stop }).catch(() => undefined);
  };
  for (const { after, fault, seed } of lane.faults) {
    await pause(after);
    if (stop.aborted) return;
    const where = `${lane.on} ${lane.target + 1}: ${fault.name}`;
    tell(where);
    const note = (what: string) => tell(`${where}: ${what}`);
    let skipped = false;
    const skip = (why: string) => {
      skipped = true;
      note(`skipped: ${why}`);
    };
    await fault.run({ world, target: lane.target, random: new Random(seed), stop, pause, note, skip });
    if (!skipped) counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
  }
}

function sums(world: StormWorld, { ledger, database, topic }: Evidence): Pick<StormReport, 'starts' | 'samples'> {
  const starts = (processes: StormWorld['agents']) => processes.reduce((sum, process) => sum + process.starts, 0);
  const lost: Record<string, number> = {};
  for (const { reasons } of database.accounting) {
    for (const [reason, samples] of Object.entries(reasons)) lost[reason] = (lost[reason] ?? 0) + samples;
  }
  return {
    starts: { agents: starts(world.agents), writers: starts(world.writers) },
    samples: {
      taken: ledger.runs.reduce((sum, { events }) => sum + events.length, 0),
      unbegun: ledger.runs.filter(({ lastUnbegun }) => lastUnbegun).length,
      rows: database.rows.length,
      lost,
      untold: ledger.runs.flatMap((run) => untoldOf(run, database)),
      plain: ledger.plain.size,
      poison: ledger.poison.size,
      messages: topic.messages.length,
    },
  };
}

function untoldOf({ untold, runId, hostname, events, lastUnbegun }: LedgerRun, { accounting }: DatabaseCopy) {
  const told = accounting.find(({ run_id }) => run_id === runId)?.taken ?? 0;
  const taken = events.length - (lastUnbegun ? 1 : 0);
  return untold && told < taken ? [{ run: `${hostname} ${runId}`, first: told + 1, last: taken }] : [];
}
