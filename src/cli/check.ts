/**
 * `hostspool check`: whether this host, the brokers and the database are as the mode needs them, before it is started.
 * It makes nothing and sends nothing. As JSON: docs/check-json.md.
 */
import type { Argv, CommandModule } from 'yargs';
import { requireHostRoot } from '../collect/host-root.ts';
import type { LoadedSettings } from '../config/load.ts';
import { SystemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { printable } from '../lib/printable.ts';
import { type CheckReport, check } from '../operate/check/plan.ts';
import type { CheckResult } from '../operate/check/run-checks.ts';
import { type Arguments, durationArgument } from './argument-values.ts';
import { writeJson } from './centre.ts';
import { EXIT } from './exit-codes.ts';
import { OWN_OPTIONS, settingsFrom, settingsOptions } from './settings-options.ts';
import { spoolPath } from './status.ts';

export const checkCommand: CommandModule = {
  command: 'check',
  describe:
    'Look whether the mode can do its work here: settings, directories, brokers, topic, database. Changes nothing.',
  builder: (yargs) =>
    settingsOptions(
      (yargs as Argv)
        .option('timeout', {
          type: 'string',
          requiresArg: true,
          describe: 'How long each step with a server may take. Default: its connect_timeout.',
          group: OWN_OPTIONS,
        })
        .option('json', {
          type: 'boolean',
          describe: 'As JSON, as documented in docs/check-json.md.',
          group: OWN_OPTIONS,
        }),
    ),
  handler: async (argv) => {
    const limit = durationArgument(argv, 'timeout');
    const clock = new SystemClock();
    const report = await check({ load: () => loadFor(argv), limit, log: silentLog, clock, requireHostRoot });
    process.exitCode = exitCodeOf(report);
    if (argv.json === true) writeJson(report);
    else process.stdout.write(`${checkTable(report, process.stdout.columns ?? WIDTH)}\n`);
  },
};

/** The spool is looked for where `hostspool status` does: a person's shell does not know the service's directory. */
function loadFor(argv: Arguments): LoadedSettings {
  const loaded = settingsFrom(argv);
  const { settings } = loaded;
  return { ...loaded, settings: { ...settings, spool: { ...settings.spool, path: spoolPath(argv) } } };
}

function exitCodeOf({ state, mode }: CheckReport): number {
  if (state !== 'failed') return EXIT.ok;
  return mode === null ? EXIT.usage : EXIT.failed;
}

const WIDTH = 100;
const NARROWEST = 40;
const MARKS = { ok: '✓', warning: '!', failed: '✗', skipped: '–' } as const;

/** A line for each check, what to do below it; those that were not made for want of another are one line. */
export function checkTable(report: CheckReport, width: number): string {
  const { checks, counts, mode, state } = report;
  const shown = checks.filter(({ rests_on }) => rests_on === null);
  const names = Math.max(...shown.map((each) => title(each).length));
  const room = Math.max(NARROWEST, width);
  const lines = shown.flatMap((each) => {
    const code = each.code === null ? '' : ` [${each.code}]`;
    const head = `${MARKS[each.state]} ${title(each).padEnd(names)}  `;
    const told = each.finding.split('\n').map((line) => printable(line));
    const indent = ' '.repeat(head.length);
    const first = wrapped(`${told.join('\n')}${code}`, head, indent, room);
    return each.hint === null
      ? first
      : [...first, ...wrapped(printable(each.hint), `${indent}→ `, `${indent}  `, room)];
  });
  const summary = (['failed', 'warning', 'skipped', 'ok'] as const)
    .filter((each) => counts[each] > 0)
    .map((each) => `${counts[each]} ${WORDS[each]}`);
  const what = mode === null ? '' : ` for mode ${mode}`;
  return [...lines, ...notMade(checks, room), '', `${state.toUpperCase()}${what}: ${summary.join(', ')}`].join('\n');
}

const WORDS = { ok: 'ok', warning: 'to look at', failed: 'failed', skipped: 'not checked' } as const;

function title({ name }: CheckResult): string {
  return name.replace(/[._]/g, ' ');
}

function notMade(checks: readonly CheckResult[], room: number): string[] {
  const waiting = Map.groupBy(
    checks.filter(({ rests_on }) => rests_on !== null),
    ({ rests_on }) => rests_on,
  );
  return [...waiting].flatMap(([cause, those]) => {
    const names = [...new Set(those.map(title))].join(', ');
    return wrapped(`not checked before ${cause} is in order: ${names}`, `${MARKS.skipped} `, '  ', room);
  });
}

/** Breaks at blanks; a word that is longer than the room stands alone. */
function wrapped(text: string, first: string, indent: string, room: number): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const paragraph of text.split('\n')) {
    for (const word of paragraph.trim().split(' ')) {
      if (!isEmpty && line.length + 1 + word.length > room) {
        lines.push(line);
        line = indent;
        isEmpty = true;
      }
      line += isEmpty ? word : ` ${word}`;
      isEmpty = false;
    }
    lines.push(line);
    line = indent;
    isEmpty = true;
  }
  return lines;
}
