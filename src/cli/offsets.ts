/** `hostspool offsets show|reset`: where the writers are in the topic, and setting where they go on. */
import type { Argv, CommandModule } from 'yargs';
import { HostspoolError } from '../lib/errors.ts';
import { type OffsetOverview, type PartitionOverview, readOverview } from '../operate/offset-overview.ts';
import type { PlannedReset } from '../operate/offset-plan.ts';
import { applyReset, planOffsets, type ResetOptions, type ResetWish } from '../operate/offset-reset.ts';
import { type Arguments, countArgument, listArgument, parseCount, timeArgument } from './argument-values.ts';
import { Centre, writeJson } from './centre.ts';
import { CENTRE_SETTINGS, OWN_OPTIONS, settingsOptions } from './settings-options.ts';
import { type Column, count, NOTHING, textTable } from './text-table.ts';

const showCommand: CommandModule = {
  command: 'show',
  describe: 'Show, by partition, what the log has, the database and Kafka’s group.',
  builder: (yargs) =>
    settingsOptions(
      (yargs as Argv).option('json', { type: 'boolean', describe: 'As JSON.', group: OWN_OPTIONS }),
      CENTRE_SETTINGS,
    ),
  handler: async (argv) => {
    await using centre = await Centre.open(argv, 'kafka');
    const overview = await readOverview(centre.kafka, centre.offsets, centre.reader);
    if (argv.json === true) writeJson(overview);
    else process.stdout.write(`${overviewTable(overview)}\n`);
  },
};

const resetCommand: CommandModule = {
  command: 'reset',
  describe: 'Set where the writers go on. Shows what it would do; does it with --yes. Not while writers run.',
  builder: (yargs) => settingsOptions(resetOptions(yargs as Argv), CENTRE_SETTINGS),
  handler: (argv) => reset(argv),
};

export const offsetsCommand: CommandModule = {
  command: 'offsets',
  describe: 'Show where the writers are in the topic, or set where they go on.',
  builder: (yargs) => (yargs as Argv).command([showCommand, resetCommand]).demandCommand(1, 'offsets show, or reset?'),
  handler: () => undefined,
};

function resetOptions(yargs: Argv): Argv {
  return yargs
    .option('to-earliest', { type: 'boolean', describe: 'To the beginning of the log: everything is read again.' })
    .option('to-latest', { type: 'boolean', describe: 'To its end: what lies before is skipped, and that recorded.' })
    .option('to-time', {
      type: 'string',
      requiresArg: true,
      describe: 'To the first message that is not older: 2026-01-31T12:00:00Z, or 2h for two hours ago.',
    })
    .option('to-offset', { type: 'string', requiresArg: true, describe: 'To this offset; best with --partition.' })
    .option('partition', {
      type: 'string',
      requiresArg: true,
      describe: 'Only this partition; may be there several times. Default: all.',
    })
    .option('yes', { type: 'boolean', describe: 'Do it.' })
    .option('json', { type: 'boolean', describe: 'As JSON.' })
    .group([...TARGETS, 'partition', 'yes', 'json'], OWN_OPTIONS);
}

const TARGETS = ['to-earliest', 'to-latest', 'to-time', 'to-offset'] as const;

async function reset(argv: Arguments): Promise<void> {
  await using centre = await Centre.open(argv, 'kafka');
  const options: ResetOptions = {
    log: centre.kafka,
    database: centre.database,
    reader: centre.reader,
    target: targetOf(argv, centre.clock.now()),
    partitions: listArgument(argv, 'partition', parseCount, 'the number of a partition') ?? null,
    clock: centre.clock,
  };
  const plan = await planOffsets(options);
  const applied = argv.yes === true;
  if (argv.json !== true) process.stdout.write(`${planTable(plan)}\n`);
  const outcome = applied ? await applyReset(options, plan) : undefined;
  if (argv.json === true) writeJson({ applied, partitions: plan.map(({ reset: _, holes: __, ...line }) => line) });
  else process.stdout.write(`${applied ? 'done' : 'nothing was changed; --yes does it'}\n`);
  if (outcome?.kafka_error == null) return;
  const why = outcome.kafka_error.message;
  process.stderr.write(`hostspool: Kafka’s own offsets did not follow, which only tools that show them mind: ${why}\n`);
}

function targetOf(argv: Arguments, now: number): ResetWish {
  const given = TARGETS.filter((name) => argv[name] !== undefined && argv[name] !== false);
  if (given.length !== 1) {
    const what = given.length === 0 ? 'none' : given.map((name) => `--${name}`).join(' and ');
    throw new HostspoolError(
      'USAGE',
      `where to? One of --to-earliest, --to-latest, --to-time, --to-offset; not ${what}`,
      {
        hint: 'see hostspool offsets reset --help',
      },
    );
  }
  const time = timeArgument(argv, 'to-time', now);
  if (time !== undefined) return { kind: 'time', time };
  const offset = countArgument(argv, 'to-offset');
  if (offset !== undefined) return { kind: 'offset', offset };
  return { kind: given[0] === 'to-earliest' ? 'earliest' : 'latest' };
}

const number = (value: number | null) => (value === null ? NOTHING : count(value));
const time = (value: string | null) => value ?? NOTHING;

const OVERVIEW: readonly Column<PartitionOverview>[] = [
  { title: 'partition', right: true, cell: ({ partition }) => String(partition) },
  { title: 'log start', right: true, cell: ({ log_start }) => number(log_start) },
  { title: 'log end', right: true, cell: ({ log_end }) => number(log_end) },
  { title: 'database', right: true, cell: ({ next }) => number(next) },
  { title: 'epoch', right: true, cell: ({ epoch }) => number(epoch) },
  { title: 'last message loaded', cell: ({ evidence_at }) => time(evidence_at) },
  { title: 'first ever read', cell: ({ began_at }) => time(began_at) },
  { title: 'kafka', right: true, cell: ({ kafka_committed }) => number(kafka_committed) },
];

function overviewTable({ topic, group, database_error, kafka_error, partitions }: OffsetOverview): string {
  const lines = [`${topic}, group ${group}`];
  if (database_error !== null) lines.push(`  ! the database can't be asked: ${database_error.message}`);
  if (kafka_error !== null) lines.push(`  ! Kafka does not tell the group's offsets: ${kafka_error.message}`);
  return [...lines, '', ...textTable(OVERVIEW, partitions)].join('\n');
}

const PLAN: readonly Column<PlannedReset>[] = [
  { title: 'partition', right: true, cell: ({ partition }) => String(partition) },
  { title: 'from', right: true, cell: ({ from }) => number(from) },
  { title: 'to', right: true, cell: ({ to }) => number(to) },
  { title: 'read again', right: true, cell: ({ again }) => count(again) },
  { title: 'skipped', right: true, cell: ({ skipped }) => count(skipped) },
  { title: 'expired', right: true, cell: ({ expired }) => count(expired) },
  { title: '', cell: ({ changes }) => (changes ? '' : 'as it is') },
];

export function planTable(plan: readonly PlannedReset[]): string {
  return textTable(PLAN, plan).join('\n');
}
