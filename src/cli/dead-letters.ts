/** `hostspool dead-letters list|show|replay`: the messages that could not become rows. */
import type { Argv, CommandModule } from 'yargs';
import { HostspoolError } from '../lib/errors.ts';
import { listDeadLetters, showDeadLetter } from '../operate/dead-letter-list.ts';
import { type Arguments, countArgument } from './argument-values.ts';
import { Centre, writeJson } from './centre.ts';
import { ORIGIN, reader, readOrigin, selectionOf, selectionOptions } from './dead-letter-options.ts';
import { deadLetterDetail, deadLetterJson, deadLetterTable } from './dead-letter-view.ts';
import { replayCommand } from './replay.ts';
import { CENTRE_SETTINGS, OWN_OPTIONS, settingsOptions } from './settings-options.ts';

/** Lines of a list; more than ten thousand are for a program that reads the topic itself. */
const LIST = { usual: 50, most: 10_000 };

const listCommand: CommandModule = {
  command: 'list',
  describe: 'List them, each once, the newest first.',
  builder: (yargs) => settingsOptions(listOptions(yargs as Argv), CENTRE_SETTINGS),
  handler: async (argv) => {
    await using centre = await Centre.open(argv, 'kafka');
    const { topic } = centre.reader;
    const report = await listDeadLetters({
      topic,
      read: reader(centre, new AbortController().signal),
      selection: selectionOf(argv, centre.clock.now()),
      pendingOnly: argv.pending === true,
      limit: limitOf(argv),
    });
    if (argv.json === true) writeJson(report);
    else process.stdout.write(`${deadLetterTable(report)}\n`);
  },
};

const showCommand: CommandModule = {
  command: 'show <origin>',
  describe: 'Show one whole: why it is there, its headers, its key and its value.',
  builder: (yargs) =>
    settingsOptions(
      (yargs as Argv)
        .positional('origin', { type: 'string', describe: 'As in the list: <partition>:<offset>.' })
        .option('json', { type: 'boolean', describe: 'As JSON.', group: OWN_OPTIONS }),
      CENTRE_SETTINGS,
    ),
  handler: async (argv) => {
    const origin = readOrigin(String(argv.origin));
    if (origin === undefined) {
      throw new HostspoolError('USAGE', `${String(argv.origin)} is not ${ORIGIN}`, { hint: 'as in dead-letters list' });
    }
    await using centre = await Centre.open(argv, 'kafka');
    const read = reader(centre, new AbortController().signal);
    const detail = await showDeadLetter(centre.reader.topic, read, origin);
    if (argv.json === true) writeJson(deadLetterJson(detail));
    else process.stdout.write(`${deadLetterDetail(detail)}\n`);
  },
};

export const deadLettersCommand: CommandModule = {
  command: 'dead-letters',
  describe: 'List, show or send back the messages that could not become rows.',
  builder: (yargs) =>
    (yargs as Argv)
      .command([listCommand, showCommand, replayCommand])
      .demandCommand(1, 'dead-letters list, show or replay?'),
  handler: () => undefined,
};

function listOptions(yargs: Argv): Argv {
  return selectionOptions(yargs)
    .option('pending', { type: 'boolean', describe: 'Only those that were not sent back.' })
    .option('limit', { type: 'string', requiresArg: true, describe: `At most so many. Default: ${LIST.usual}.` })
    .option('json', { type: 'boolean', describe: 'As JSON, as documented in docs/dead-letters.md.' })
    .group(['pending', 'limit', 'json'], OWN_OPTIONS);
}

function limitOf(argv: Arguments): number {
  const limit = countArgument(argv, 'limit') ?? LIST.usual;
  if (limit >= 1 && limit <= LIST.most) return limit;
  throw new HostspoolError('USAGE', `--limit=${limit} is not a number from 1 to ${LIST.most}`);
}
