/**
 * What the commands for monitoring end with and print when they can't tell: the four codes of monitoring plug-ins.
 *
 * Unknown is whatever keeps them from looking (no right, a wrong argument, settings that do not load, nobody answers),
 * so that a mistake in the check is never taken for an outage. With --json standard output is one JSON object then, too.
 */
import { HostspoolError } from '../lib/errors.ts';
import { printableJson, printableLines } from '../lib/printable.ts';

export const EXIT_CODES = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;

export interface UnknownReport {
  readonly severity: 'unknown';
  readonly reasons: readonly [string];
  readonly reason_codes: readonly [string];
  readonly hint: string | null;
}

/** The same shape as an ok, so that a program reads `severity` and `reasons` in any case. */
export function unknownReport(error: Error): UnknownReport {
  const known = error instanceof HostspoolError;
  return {
    severity: 'unknown',
    reasons: [error.message],
    reason_codes: [known ? error.code : 'INTERNAL'],
    hint: known ? (error.hint ?? null) : null,
  };
}

export function showUnknown(error: Error, asJson: boolean): void {
  process.exitCode = EXIT_CODES.unknown;
  const report = unknownReport(error);
  if (asJson) {
    process.stdout.write(`${printableJson(JSON.stringify(report))}\n`);
    return;
  }
  const known = error instanceof HostspoolError;
  const { hint } = report;
  const lines = [`hostspool: ${known ? error.message : (error.stack ?? error.message)} [${report.reason_codes[0]}]`];
  if (hint !== null) lines.push(`  hint: ${hint}`);
  process.stderr.write(printableLines(lines));
}

const MONITORING: readonly (readonly string[])[] = [['status'], ['lag'], ['hosts', 'list']];

/** Whether a command line, wrong as it may be, means one of these commands. `migrate --status` is not the agent's. */
export function isMonitoring(args: readonly string[]): boolean {
  return (
    (args.includes('--status') && !args.includes('migrate')) ||
    MONITORING.some((words) => words.every((word, index) => args[index] === word))
  );
}
