/** `hostspool hosts list|forget`: the fleet as the database knows it. `list` is for monitoring, too. */
import type { Argv, CommandModule } from 'yargs';
import { asError } from '../lib/errors.ts';
import { printable } from '../lib/printable.ts';
import {
  type FleetReport,
  fleetOf,
  forgetHosts,
  HOST_ORDERS,
  type HostLine,
  type HostOrder,
} from '../operate/fleet.ts';
import { ageInWords } from '../operate/status-findings.ts';
import { type Arguments, durationArgument } from './argument-values.ts';
import { Centre, writeJson } from './centre.ts';
import { EXIT_CODES, showUnknown } from './monitoring.ts';
import { CENTRE_SETTINGS, OWN_OPTIONS, settingsOptions } from './settings-options.ts';
import { type Column, count, NOTHING, textTable } from './text-table.ts';

const listCommand: CommandModule = {
  command: 'list',
  describe: 'List the hosts: when last seen, spool, samples, losses. For monitoring, too.',
  builder: (yargs) => settingsOptions(listOptions(yargs as Argv), CENTRE_SETTINGS),
  handler: async (argv) => {
    try {
      await showHosts(argv);
    } catch (error) {
      showUnknown(asError(error), argv.json === true);
    }
  },
};

const forgetCommand: CommandModule = {
  command: 'forget <names..>',
  describe: 'Retire hosts that are gone: they alert no more, their rows stay. A later sample takes it back.',
  builder: (yargs) =>
    settingsOptions(
      (yargs as Argv).positional('names', { type: 'string', array: true, describe: 'Host names, as in hosts list.' }),
      CENTRE_SETTINGS,
    ),
  handler: async (argv) => {
    await using centre = await Centre.open(argv, 'database');
    const names = (argv.names as readonly unknown[]).map(String);
    await forgetHosts(centre.database, names, (hostname) => {
      process.stdout.write(`${printable(hostname)} is retired\n`);
    });
  },
};

export const hostsCommand: CommandModule = {
  command: 'hosts',
  describe: 'List the fleet as the database knows it, or retire hosts.',
  builder: (yargs) => (yargs as Argv).command([listCommand, forgetCommand]).demandCommand(1, 'hosts list, or forget?'),
  handler: () => undefined,
};

function listOptions(yargs: Argv): Argv {
  return yargs
    .option('silent-for', { type: 'string', requiresArg: true, describe: 'Only hosts not seen for longer: 10m.' })
    .option('active', { type: 'boolean', describe: 'Leave retired hosts out.' })
    .option('sort', { choices: HOST_ORDERS, default: 'name', describe: 'The order; what wants looking at first.' })
    .option('max-silent', {
      type: 'string',
      requiresArg: true,
      describe: 'A host that is not retired and not seen for longer is critical (exit code 2).',
    })
    .option('json', { type: 'boolean', describe: 'As JSON, as documented in docs/hosts-json.md.' })
    .group(['silent-for', 'active', 'sort', 'max-silent', 'json'], OWN_OPTIONS);
}

async function showHosts(argv: Arguments): Promise<void> {
  const options = {
    order: argv.sort as HostOrder,
    silentFor: durationArgument(argv, 'silent-for') ?? null,
    activeOnly: argv.active === true,
    maxSilent: durationArgument(argv, 'max-silent') ?? null,
  };
  await using centre = await Centre.open(argv, 'database');
  const report = fleetOf(await centre.database.listHosts(), options, centre.clock.now());
  process.exitCode = EXIT_CODES[report.severity];
  if (argv.json === true) writeJson(report);
  else process.stdout.write(`${fleetTable(report)}\n`);
}

const number = (value: number | null) => (value === null ? NOTHING : count(value));
const age = (seconds: number | null) => (seconds === null ? NOTHING : ageInWords(seconds * 1000));

const COLUMNS: readonly Column<HostLine>[] = [
  { title: 'host', cell: ({ hostname }) => hostname },
  { title: 'last seen', cell: ({ last_seen }) => last_seen?.replace(/\.\d+Z$/, 'Z') ?? 'never' },
  { title: 'ago', cell: ({ silent_seconds }) => age(silent_seconds) },
  { title: 'agent', cell: ({ agent_version }) => agent_version ?? NOTHING },
  { title: 'spooled', right: true, cell: ({ spool_depth }) => number(spool_depth) },
  { title: 'oldest', cell: ({ spool_oldest_age_seconds }) => age(spool_oldest_age_seconds) },
  { title: 'samples', right: true, cell: ({ samples }) => count(samples) },
  { title: 'lost', right: true, cell: ({ lost }) => count(lost) },
  { title: 'missing', right: true, cell: ({ missing }) => count(missing) },
  { title: '', cell: ({ retired_at }) => (retired_at === null ? '' : 'retired') },
];

export function fleetTable({ severity, reasons, known, retired, hosts }: FleetReport): string {
  return [
    `${severity.toUpperCase()}  ${count(known)} ${known === 1 ? 'host' : 'hosts'} known, ${count(retired)} retired, ${count(hosts.length)} shown`,
    ...reasons.map((reason) => `  ! ${printable(reason)}`),
    '',
    ...textTable(COLUMNS, hosts),
  ].join('\n');
}
