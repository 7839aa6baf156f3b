/** `hostspool tail`: follows the topic, one line a message. */
import type { Argv, CommandModule } from 'yargs';
import { requireFor } from '../config/load.ts';
import { type FollowedMessage, Follower } from '../kafka/follower.ts';
import { SystemClock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import { printable, printableJson } from '../lib/printable.ts';
import { openLog } from '../ops/log.ts';
import { ProcessSignals } from '../ops/shutdown.ts';
import { OWN_OPTIONS, settingsFrom, settingsOptions } from './settings-options.ts';

export const tailCommand: CommandModule = {
  command: 'tail',
  describe: 'Follow the topic: one line a message, from the end, until Ctrl-C. Disturbs no consumer.',
  builder: (yargs) =>
    settingsOptions(
      (yargs as Argv)
        .option('from-beginning', { type: 'boolean', default: false, describe: 'Start with the oldest message.' })
        .option('host', { type: 'string', requiresArg: true, describe: 'Only messages of this host.' })
        .option('max', { type: 'number', requiresArg: true, describe: 'Stop after so many messages.' })
        .option('json', { type: 'boolean', default: false, describe: 'One JSON object a line.' })
        .group(['from-beginning', 'host', 'max', 'json'], OWN_OPTIONS),
    ),
  handler: async (argv) => {
    const { settings } = settingsFrom(argv);
    requireFor('kafka', settings);
    const max = argv.max === undefined ? Number.POSITIVE_INFINITY : Number(argv.max);
    if (Number.isNaN(max) || max < 1) {
      throw new HostspoolError('USAGE', '--max takes a whole number of at least 1', { hint: 'for example --max 10' });
    }
    const host = typeof argv.host === 'string' ? argv.host : undefined;
    const format = argv.json === true ? formatJson : formatLine;
    // Standard output is for the messages.
    const log = await openLog(
      { ...settings.log, level: settings.log.level === 'info' ? 'warn' : settings.log.level },
      process.stderr,
    );
    using signals = new ProcessSignals(log);
    const from = argv['from-beginning'] === true ? 'beginning' : 'end';
    const messages = Follower.create(settings.kafka, log, new SystemClock()).follow({
      topic: settings.kafka.topic,
      from,
      signal: signals.stop,
      following: (partitions) => announce(settings.kafka.topic, partitions, from),
    });
    let left = max;
    for await (const message of messages) {
      if (host !== undefined && !isFrom(message, host)) continue;
      await write(`${format(message)}\n`);
      if (--left <= 0) break;
    }
  },
};

function announce(topic: string, partitions: number, from: string): void {
  const count = partitions === 1 ? '1 partition' : `${partitions} partitions`;
  process.stderr.write(`following ${topic} (${count}) from the ${from}; Ctrl-C ends\n`);
}

/** By the key; a message without one, of another producer, by its content. */
function isFrom(message: FollowedMessage, host: string): boolean {
  if (message.key !== null) return message.key.toString() === host;
  try {
    const content = JSON.parse(message.value?.toString() ?? '') as { hostname?: unknown } | null;
    return content?.hostname === host;
  } catch {
    return false;
  }
}

export function formatLine(message: FollowedMessage): string {
  const at = new Date(message.timestamp).toISOString();
  return `${message.partition} ${message.offset} ${shown(message.key)} ${at} ${shown(message.value)}`;
}

/** The value as it is when it is JSON, else as a text, else as base64. */
export function formatJson(message: FollowedMessage): string {
  const head = JSON.stringify({
    partition: message.partition,
    offset: Number(message.offset),
    key: message.key?.toString() ?? null,
    timestamp: new Date(message.timestamp).toISOString(),
    headers: Object.fromEntries(
      Object.entries(message.headers).map(([name, values]) => [
        name,
        values.map((value) => value.toString()).join(', '),
      ]),
    ),
  });
  return printableJson(`${head.slice(0, -1)},${valueMember(message.value)}}`);
}

function valueMember(value: Buffer | null): string {
  if (value === null) return '"value":null';
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return `"value_base64":${JSON.stringify(value.toString('base64'))}`;
  }
  try {
    JSON.parse(text);
    // Valid JSON has line ends only between its tokens, where a space does as well.
    return `"value":${text.replace(/[\r\n]+/g, ' ')}`;
  } catch {
    return `"value":${JSON.stringify(text)}`;
  }
}

function shown(bytes: Buffer | null): string {
  return bytes === null ? '-' : printable(bytes.toString());
}

async function write(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}
