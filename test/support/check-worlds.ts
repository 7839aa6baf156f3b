/** Runs `hostspool check` as its command does, on settings of a test, and finds what it says of one thing. */
import { requireHostRoot } from '../../src/collect/host-root.ts';
import { loadSettings } from '../../src/config/load.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type CheckReport, check } from '../../src/operate/check/plan.ts';
import type { CheckResult } from '../../src/operate/check/run-checks.ts';

/** A machine under load is slow, and none of these servers is far away. */
const LIMIT_MS = 15_000;

export function runCheck(
  flags: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv = {},
  limit: number = LIMIT_MS,
): Promise<CheckReport> {
  const load = () => loadSettings({ flags: { config: '/dev/null', 'http.address': '', ...flags }, env });
  return check({ load, limit, log: silentLog, clock: new SystemClock(), requireHostRoot });
}

export function found(report: CheckReport, name: string, subject?: string): CheckResult {
  const result = report.checks.find((each) => each.name === name && (subject ?? each.subject) === each.subject);
  if (result === undefined) throw new Error(`no check ${name} in ${JSON.stringify(report.checks, undefined, 2)}`);
  return result;
}

/** What failed, and was not only left out. */
export function failures(report: CheckReport): string[] {
  return report.checks.filter(({ state }) => state === 'failed').map(({ name, code }) => `${name} ${code}`);
}
