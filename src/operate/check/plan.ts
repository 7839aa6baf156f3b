/** Which checks a mode has, and what they come to. */
import type { LoadedSettings } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { version } from '../../lib/version.ts';
import { BrokerChecks } from './brokers.ts';
import type { Check, CheckState, Outcome } from './check.ts';
import { clockCheck } from './clock.ts';
import type { CheckContext } from './context.ts';
import { groupChecks } from './group.ts';
import { hostRootCheck } from './host-root.ts';
import { httpCheck } from './http.ts';
import { type CheckResult, runChecks } from './run-checks.ts';
import { checkSettings } from './settings.ts';
import { spoolChecks } from './spool.ts';
import { sqliteCheck } from './sqlite.ts';
import { SqlServerChecks } from './sqlserver.ts';
import { TopicChecks } from './topic.ts';

/** What `hostspool check --json` prints: fields may be added, none is removed; docs/check-json.md describes it. */
export interface CheckReport {
  /** The worst there is; `skipped` counts for nothing. */
  readonly state: Exclude<CheckState, 'skipped'>;
  readonly checked_at: string;
  readonly version: string;
  /** null: the settings do not tell. */
  readonly mode: string | null;
  /** Who looked: another user may have other rights. */
  readonly uid: number | null;
  readonly counts: Readonly<Record<CheckState, number>>;
  readonly checks: readonly CheckResult[];
}

export interface CheckOptions {
  /** Throws what is wrong with the settings. */
  readonly load: () => LoadedSettings;
  /** How long a step with a server may take, ms; undefined: connect_timeout of the settings. */
  readonly limit: number | undefined;
  readonly log: Log;
  readonly clock: Clock;
  /** Throws where collect.host_root is no host's root. */
  readonly requireHostRoot: (root: string) => void;
}

export async function check({ load, limit, log, clock, requireHostRoot }: CheckOptions): Promise<CheckReport> {
  const began = clock.monotonic();
  const { outcome, loaded } = checkSettings(load);
  const settled = resultOf(outcome, clock.monotonic() - began);
  if (loaded === undefined) return reportOf([settled], null, clock);
  const { settings } = loaded;
  const { kafka, sqlserver } = settings;
  const brokerLimit = limit ?? kafka.connect_timeout;
  const limited = { connect_timeout: brokerLimit, request_timeout: brokerLimit };
  const context: CheckContext = {
    settings: { ...settings, kafka: { ...kafka, ...limited } },
    log,
    clock,
    brokerLimit,
    databaseLimit: limit ?? sqlserver.connect_timeout,
    requireHostRoot,
  };
  using brokers = new BrokerChecks(context);
  await using database = new SqlServerChecks(context);
  const results = await runChecks(checksOf(context, brokers, database), clock);
  return reportOf([settled, ...results], settings.mode, clock);
}

function checksOf(context: CheckContext, brokers: BrokerChecks, database: SqlServerChecks): Check[] {
  const { mode, writer } = context.settings;
  const topic = () => [...brokers.checks, ...new TopicChecks(context, brokers).checks];
  switch (mode) {
    case 'agent':
      return [...hostChecks(context), ...spoolChecks(context), httpCheck(context), ...topic()];
    case 'local':
      return [...hostChecks(context), ...spoolChecks(context), sqliteCheck(context), httpCheck(context)];
    case 'writer': {
      const sink = writer.sink === 'sqlite' ? [sqliteCheck(context)] : database.checks;
      return [clockCheck(context), httpCheck(context), ...topic(), ...groupChecks(context, brokers), ...sink];
    }
  }
}

function hostChecks(context: CheckContext): Check[] {
  return [clockCheck(context), ...hostRootCheck(context)];
}

function resultOf(outcome: Outcome, milliseconds: number): CheckResult {
  return { name: 'settings', subject: null, ...outcome, rests_on: null, seconds: milliseconds / 1000 };
}

function reportOf(checks: readonly CheckResult[], mode: string | null, clock: Clock): CheckReport {
  const count = (state: CheckState) => checks.filter((each) => each.state === state).length;
  const counts = { ok: count('ok'), warning: count('warning'), failed: count('failed'), skipped: count('skipped') };
  return {
    state: counts.failed > 0 ? 'failed' : counts.warning > 0 ? 'warning' : 'ok',
    checked_at: new Date(clock.now()).toISOString(),
    version,
    mode,
    uid: process.geteuid?.() ?? null,
    counts,
    checks: checks.map((each) => ({ ...each, seconds: Number(each.seconds.toFixed(3)) })),
  };
}
