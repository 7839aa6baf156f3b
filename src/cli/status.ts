/**
 * `hostspool status`, also `hostspool --status`: how the spool stands, for people and for monitoring.
 *
 * The exit code is that of monitoring plug-ins: 0 ok, 1 warning, 2 critical, 3 unknown. Unknown is whatever keeps it
 * from looking (no spool, no right to read it, a wrong argument, settings that do not load), so that a mistake in the
 * check is never taken for an outage. With --json standard output is one JSON object in each of these cases.
 *
 * Settings are only needed to find the spool: with --spool FILE none are read, so a monitoring user needs no right to
 * the settings file.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { SystemClock } from '../lib/clock.ts';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { printableJson } from '../lib/printable.ts';
import { evaluate, type StatusReport } from '../operate/status.ts';
import { DEFAULT_THRESHOLDS, type Thresholds } from '../operate/status-findings.ts';
import { readSnapshot, type SpoolSnapshot } from '../spool/snapshot.ts';
import { type Arguments, argument, durationArgument } from './argument-values.ts';
import { EXIT_CODES, showUnknown, unknownReport } from './monitoring.ts';
import { settingsFrom, settingsOptions } from './settings-options.ts';
import { statusOptions } from './status-options.ts';
import { statusTable } from './status-table.ts';

/** Where the service that the package installs keeps its spool. */
const SERVICE_SPOOL = '/var/lib/hostspool/spool.db';

/** Time between two looks of --watch, ms. */
const WATCH_EVERY_MS = 1000;

export const statusCommand: CommandModule = {
  command: 'status',
  describe: 'Show how the spool stands: depth, age, losses, the agent, shipping. For monitoring, too.',
  builder: (yargs) => statusOptions(settingsOptions(yargs as Argv)),
  handler: (argv) => runStatus(argv),
};

/** Shows the status and sets the exit code. Rejects for nothing. */
export async function runStatus(argv: Arguments): Promise<void> {
  const asJson = argv.json === true;
  try {
    const thresholds = thresholdsFrom(argv);
    const path = spoolPath(argv);
    if (argv.watch === true) await watch(path, thresholds, asJson);
    else show(path, thresholds, asJson ? 'json' : 'table');
  } catch (error) {
    showUnknown(asError(error), asJson);
  }
}

/** The object of --json, of a spool that this process holds; as with exit code 3 while it can't be read. */
export function liveStatus(snapshot: SpoolSnapshot | undefined, path: string): object {
  if (snapshot !== undefined) return evaluate(snapshot, DEFAULT_THRESHOLDS, new SystemClock().now());
  return unknownReport(new HostspoolError('SPOOL_UNREADABLE', `the spool ${path} can't be read at the moment`));
}

type Form = 'json' | 'json line' | 'table';

function show(path: string, thresholds: Thresholds, form: Form): void {
  const clock = new SystemClock();
  const report = evaluate(readSnapshot(path, clock), thresholds, clock.now());
  process.exitCode = EXIT_CODES[report.severity];
  process.stdout.write(`${written(report, form)}\n`);
}

function written(report: StatusReport, form: Form): string {
  if (form === 'table') return statusTable(report, { colours: wantsColours() });
  return printableJson(JSON.stringify(report, undefined, form === 'json' ? 2 : undefined));
}

/** Ctrl-C ends it in order, with the exit code of the last look. */
async function watch(path: string, thresholds: Thresholds, asJson: boolean): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal);
  try {
    while (!stop.signal.aborted) {
      if (!asJson && process.stdout.isTTY === true) process.stdout.write('\x1b[H\x1b[2J');
      try {
        show(path, thresholds, asJson ? 'json line' : 'table');
      } catch (error) {
        showUnknown(asError(error), asJson);
      }
      await new SystemClock().sleep(WATCH_EVERY_MS, stop.signal);
    }
  } finally {
    process.off('SIGINT', onSignal);
  }
}

function wantsColours(): boolean {
  return process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '';
}

/** The spool that is meant: named, or where the agent with these settings has it. */
export function spoolPath(argv: Arguments): string {
  const named = argv.spool;
  if (Array.isArray(named)) throw new HostspoolError('USAGE', '--spool is there more than once');
  if (typeof named === 'string' && named !== '') return resolve(named);
  const { settings, sources } = settingsFrom(argv);
  const { path } = settings.spool;
  // A person's shell does not know the state directory that systemd gives the service.
  const isDefault = sources.get('spool.path')?.kind === 'default';
  return isDefault && !isThere(path) && isThere(SERVICE_SPOOL) ? SERVICE_SPOOL : path;
}

/** Also where this user may not look: then it is told so, instead of that there is none. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    return errorCode(error) === 'EACCES';
  }
}

/** The thresholds that the arguments make; throws USAGE. */
export function thresholdsFrom(argv: Arguments): Thresholds {
  const age = (name: string, fallback: number) => durationArgument(argv, name) ?? fallback;
  const share = (name: string, fallback: number) =>
    argument(argv, name, parseShare, 'a share, such as 0.5 or 50%') ?? fallback;
  return {
    warnAge: age('warn-age', DEFAULT_THRESHOLDS.warnAge),
    critAge: age('crit-age', DEFAULT_THRESHOLDS.critAge),
    warnFill: share('warn-fill', DEFAULT_THRESHOLDS.warnFill),
    critFill: share('crit-fill', DEFAULT_THRESHOLDS.critFill),
    warnLoss: age('warn-loss', DEFAULT_THRESHOLDS.warnLoss),
  };
}

/** `0.5` or `50%`, from 0 to 1. */
function parseShare(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/.exec(text.trim());
  if (match === null) return undefined;
  const value = match[2] === '%' ? Number(match[1]) / 100 : Number(match[1]);
  return value <= 1 ? value : undefined;
}
