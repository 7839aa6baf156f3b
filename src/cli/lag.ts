/** `hostspool lag`: how far the writers are behind, for people and for monitoring; see docs/lag-json.md. */
import type { Argv, CommandModule } from 'yargs';
import { asError } from '../lib/errors.ts';
import { printable } from '../lib/printable.ts';
import { type LagReport, type PartitionLag, readLag } from '../operate/lag.ts';
import type { LagThresholds } from '../operate/lag-findings.ts';
import { ageInWords } from '../operate/status-findings.ts';
import { type Arguments, countArgument, durationArgument } from './argument-values.ts';
import { Centre, writeJson } from './centre.ts';
import { EXIT_CODES, showUnknown } from './monitoring.ts';
import { CENTRE_SETTINGS, OWN_OPTIONS, settingsOptions } from './settings-options.ts';
import { type Column, count, NOTHING, textTable } from './text-table.ts';

export const lagCommand: CommandModule = {
  command: 'lag',
  describe: 'Show how far the writers are behind, by partition. For monitoring, too.',
  builder: (yargs) => settingsOptions(lagOptions(yargs as Argv), CENTRE_SETTINGS),
  handler: async (argv) => {
    try {
      await showLag(argv);
    } catch (error) {
      showUnknown(asError(error), argv.json === true);
    }
  },
};

function lagOptions(yargs: Argv): Argv {
  const option = (name: string, describe: string) =>
    yargs.option(name, { type: 'string', requiresArg: true, describe, group: OWN_OPTIONS });
  option('max', 'More waiting messages than this are critical.');
  option('warn', 'More waiting messages than this are a warning; 0 is never. Default: lag.warn, 1000.');
  option('max-age', 'A message that waits for longer is critical.');
  option('warn-age', 'A message that waits for longer is a warning.');
  return yargs.option('json', {
    type: 'boolean',
    describe: 'As JSON, as documented in docs/lag-json.md.',
    group: OWN_OPTIONS,
  });
}

async function showLag(argv: Arguments): Promise<void> {
  await using centre = await Centre.open(argv, 'kafka');
  const thresholds = lagThresholds(argv, centre.settings.lag.warn);
  const report = await readLag(centre.kafka, centre.offsets, centre.reader, thresholds, centre.clock);
  process.exitCode = EXIT_CODES[report.severity];
  if (argv.json === true) writeJson(report);
  else process.stdout.write(`${lagTable(report)}\n`);
}

/** `warn`: the setting lag.warn. */
export function lagThresholds(argv: Arguments, warn: number): LagThresholds {
  return {
    warnLag: (countArgument(argv, 'warn') ?? warn) || null,
    critLag: countArgument(argv, 'max') ?? null,
    warnAge: durationArgument(argv, 'warn-age') ?? null,
    critAge: durationArgument(argv, 'max-age') ?? null,
  };
}

const number = (value: number | null) => (value === null ? NOTHING : count(value));

const COLUMNS: readonly Column<PartitionLag>[] = [
  { title: 'partition', right: true, cell: ({ partition }) => String(partition) },
  { title: 'committed', right: true, cell: ({ committed }) => number(committed) },
  { title: 'log start', right: true, cell: ({ log_start }) => number(log_start) },
  { title: 'log end', right: true, cell: ({ log_end }) => number(log_end) },
  { title: 'lag', right: true, cell: ({ lag }) => count(lag) },
  {
    title: 'oldest waits',
    cell: ({ oldest_unread, oldest_unread_age_seconds: age }) =>
      oldest_unread === null ? NOTHING : ageInWords(age * 1000),
  },
  { title: '', cell: ({ state }) => (state === 'ok' ? '' : STATES[state]) },
];

const STATES = {
  never_read: 'never read',
  expired: 'expired before it was read',
  recreated: 'made anew',
  gone: 'not in the topic',
} as const;

export function lagTable(report: LagReport): string {
  const { severity, reasons, topic, group, source, lag, oldest_unread, oldest_unread_age_seconds: age } = report;
  const oldest = oldest_unread === null ? '' : `, the oldest for ${ageInWords(age * 1000)}`;
  const whose = source === 'database' ? 'the database’s' : 'Kafka’s';
  return [
    `${severity.toUpperCase()}  ${printable(topic)}, group ${printable(group)}: ${count(lag)} waiting${oldest}`,
    ...reasons.map((reason) => `  ! ${printable(reason)}`),
    `  offsets are ${whose}`,
    '',
    ...textTable(COLUMNS, report.partitions),
  ].join('\n');
}
