/** `hostspool dead-letters replay`: sends dead letters back to their topic. */
import type { Argv, CommandModule } from 'yargs';
import { KafkaProducer } from '../kafka/producer.ts';
import { HostspoolError } from '../lib/errors.ts';
import { type ReplayResult, replayDeadLetters } from '../operate/dead-letter-replay.ts';
import { ProcessSignals } from '../ops/shutdown.ts';
import { type Arguments, durationArgument } from './argument-values.ts';
import { Centre } from './centre.ts';
import { reader, selectionOf, selectionOptions } from './dead-letter-options.ts';
import { EXIT } from './exit-codes.ts';
import { progressView } from './progress-view.ts';
import { CENTRE_SETTINGS, OWN_OPTIONS, settingsOptions } from './settings-options.ts';
import { count } from './text-table.ts';

const PATIENCE_MS = 60_000;

export const replayCommand: CommandModule = {
  command: 'replay',
  describe: 'Send them back to the topic as they came, and mark them as sent back.',
  builder: (yargs) => settingsOptions(replayOptions(yargs as Argv), CENTRE_SETTINGS),
  handler: (argv) => replay(argv),
};

function replayOptions(yargs: Argv): Argv {
  return selectionOptions(yargs)
    .option('all', { type: 'boolean', describe: 'All of them.' })
    .option('again', { type: 'boolean', describe: 'Also those that were sent back before.' })
    .option('dry-run', { type: 'boolean', describe: 'Send nothing; say what would be.' })
    .option('patience', {
      type: 'string',
      requiresArg: true,
      describe: 'Give up when nothing was acknowledged for so long. Default: 60s.',
    })
    .group(['all', 'again', 'dry-run', 'patience'], OWN_OPTIONS);
}

async function replay(argv: Arguments): Promise<void> {
  await using centre = await Centre.open(argv, 'kafka');
  const { settings, log, clock } = centre;
  const selection = selectionOf(argv, clock.now());
  const isSelected = Object.values(selection).some((each) => each !== null);
  if (isSelected === (argv.all === true)) {
    throw new HostspoolError('USAGE', 'which? Either --all, or some of --host, --reason, --since, --origin', {
      hint: 'hostspool dead-letters list takes the same, and shows them',
    });
  }
  const patience = durationArgument(argv, 'patience') ?? PATIENCE_MS;
  using signals = new ProcessSignals(log);
  const view = progressView({ doing: 'replaying', things: 'dead letters', done: 'done' });
  const producer = KafkaProducer.create(settings.kafka, log, clock);
  const dryRun = argv['dry-run'] === true;
  let result: ReplayResult;
  try {
    result = await replayDeadLetters(
      {
        topic: centre.reader.topic,
        read: reader(centre, signals.stop),
        send: (topic, messages, signal) => producer.send(topic, messages, signal),
        selection,
        again: argv.again === true,
        dryRun,
        requestBytes: settings.ship.batch_bytes,
        backoff: settings.backoff,
        patience,
        clock,
        progress: (progress) => view.show(progress),
      },
      signals.stop,
    );
  } finally {
    view.close();
    await producer.close();
  }
  report(result, dryRun);
}

function report(result: ReplayResult, dryRun: boolean): void {
  const { replayed, unmarked, before, truncated, refused, left, lastError } = result;
  const parts = [`${count(replayed)} ${dryRun ? 'would be sent back' : 'sent back'}`];
  if (before > 0) parts.push(`${count(before)} left, since they were sent back before (--again)`);
  if (truncated > 0) parts.push(`${count(truncated)} left, since a part of them was cut off`);
  if (refused > 0) parts.push(`${count(refused)} refused by Kafka`);
  if (left > 0) parts.push(`${count(left)} not sent`);
  if (unmarked > 0) parts.push(`${count(unmarked)} of those sent back could not be marked, and count as waiting`);
  process.stdout.write(`${parts.join(', ')}\n`);
  if (left === 0 && refused === 0 && unmarked === 0) return;
  process.exitCode = EXIT.failed;
  if (lastError === undefined) return;
  process.stderr.write(`hostspool: the last attempt failed: ${lastError.message} [${lastError.code}]\n`);
}
