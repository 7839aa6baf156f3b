/**
 * What the commands for monitoring end with and print when they can't tell: the four codes of monitoring plug-ins.
 *
 * Unknown is whatever keeps them from looking (no right, a wrong argument, settings that do not load, nobody answers),
 * so that a mistake in the check is never taken for an outage. With --json standard output is one JSON object then, too.
 */
import { HostspoolError } from '../lib/errors.ts';

export const EXIT_CODES = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;

/** The same shape as an ok, so that a program reads `severity` and `reasons` in any case. */
export function showUnknown(error: Error, asJson: boolean): void {
  process.exitCode = EXIT_CODES.unknown;
  const known = error instanceof HostspoolError;
  const code = known ? error.code : 'INTERNAL';
  const hint = known ? error.hint : undefined;
  if (asJson) {
    const report = { severity: 'unknown', reasons: [error.message], reason_codes: [code], hint: hint ?? null };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const lines = [`hostspool: ${known ? error.message : (error.stack ?? error.message)} [${code}]`];
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

const MONITORING: readonly (readonly string[])[] = [['status'], ['lag'], ['hosts', 'list']];

/** Whether a command line, wrong as it may be, means one of these commands. `migrate --status` is not the agent's. */
export function isMonitoring(args: readonly string[]): boolean {
  return (
    (args.includes('--status') && !args.includes('migrate')) ||
    MONITORING.some((words) => words.every((word, index) => args[index] === word))
  );
}
