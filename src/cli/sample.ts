/**
 * `hostspool sample`: reads this host and prints what an agent would send. Needs no settings, writes nothing.
 *
 * A share of CPU time needs a span, so each sample, the first too, comes one interval after what it is compared with.
 * With --json each is one line in the shape of the wire contract, without what only a recorded sample has: its
 * identity (event_id, run_id, seq) and the state of a spool. For people, a table under a line about the host; not for a
 * host seen under another root, since what that line tells can only be asked of the machine itself.
 */
import { resolve } from 'node:path';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { HostCollector } from '../collect/host.ts';
import { requireHostRoot } from '../collect/host-root.ts';
import { type Inventory, readInventory } from '../collect/inventory.ts';
import { hostnameAt } from '../config/load.ts';
import { SystemClock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { formatDuration, parseDuration } from '../lib/units.ts';
import { ProcessSignals } from '../ops/shutdown.ts';
import type { HostReading } from '../sample/sample.ts';
import { renderReading } from './sample-table.ts';

const SHORTEST_INTERVAL_MS = 100;
const LONGEST_INTERVAL_MS = 24 * 3_600_000;
const WHOLE_NUMBER = /^\d+$/;
/** A person waits longer for a slow filesystem than an agent does, but not for ever. */
const TIMEOUT_MS = 2_000;

interface SampleOptions {
  readonly json: boolean;
  /** 0: until told to stop. */
  readonly count: number;
  /** ms. */
  readonly interval: number;
  readonly details: boolean;
  /** As collect.host_root. */
  readonly hostRoot: string;
}

export const sampleCommand: CommandModule = {
  command: 'sample',
  describe: 'Take a sample of this host and print it. Needs no settings, writes nothing.',
  builder: (yargs) =>
    yargs
      .option('json', {
        type: 'boolean',
        default: false,
        describe:
          'One JSON object a line, with the fields of the reading; identity and spool state come with the agent.',
      })
      .option('count', { type: 'string', default: '1', requiresArg: true, describe: 'How many; 0: until Ctrl-C.' })
      .option('interval', {
        type: 'string',
        default: '1s',
        requiresArg: true,
        describe: 'Time between two samples, and before the first: the span of its CPU shares.',
      })
      .option('details', { type: 'boolean', default: false, describe: 'Also each filesystem, interface and disk.' })
      .option('host-root', {
        type: 'string',
        default: process.env.HOSTSPOOL_COLLECT_HOST_ROOT || '/',
        defaultDescription: '$HOSTSPOOL_COLLECT_HOST_ROOT, else /',
        requiresArg: true,
        describe: 'Where the root filesystem of the host is seen, as collect.host_root.',
      }),
  handler: async (argv) => printSamples(optionsOf(argv)),
};

function optionsOf(argv: ArgumentsCamelCase): SampleOptions {
  const count = WHOLE_NUMBER.test(String(argv.count)) ? Number(argv.count) : Number.NaN;
  if (!Number.isSafeInteger(count)) {
    throw new HostspoolError('USAGE', `--count=${argv.count} is not a number of samples`, {
      hint: 'a whole number; 0 goes on until Ctrl-C',
    });
  }
  const interval = parseDuration(String(argv.interval));
  if (interval === undefined || interval < SHORTEST_INTERVAL_MS || interval > LONGEST_INTERVAL_MS) {
    throw new HostspoolError('USAGE', `--interval=${argv.interval} is not an interval`, {
      hint: `a duration from ${formatDuration(SHORTEST_INTERVAL_MS)} to ${formatDuration(LONGEST_INTERVAL_MS)}, for example 5s or 250ms`,
    });
  }
  return {
    json: argv.json === true,
    count,
    interval,
    details: argv.details === true,
    hostRoot: resolve(String(argv['host-root'])),
  };
}

async function printSamples({ json, count, interval, details, hostRoot }: SampleOptions): Promise<void> {
  requireHostRoot(hostRoot);
  const clock = new SystemClock();
  using signals = new ProcessSignals(silentLog);
  const collector = HostCollector.open({ root: hostRoot, details, timeout: TIMEOUT_MS, clock, log: errorLines });
  try {
    const inventory = json || hostRoot !== '/' ? Promise.resolve({}) : readInventory();
    const name = hostnameAt(hostRoot) || 'unnamed host';
    let due = clock.monotonic();
    for (let taken = 0; count === 0 || taken < count; taken++) {
      due += interval;
      await clock.sleep(due - clock.monotonic(), signals.stop);
      if (signals.stop.aborted) break;
      const at = new Date(clock.now());
      const reading = await collector.read();
      process.stdout.write(json ? jsonLine(name, at, reading) : table(name, at, reading, await inventory, taken === 0));
    }
  } finally {
    collector.close();
    leaveBehind(collector.stuckFilesystems);
  }
}

/**
 * A thread that waits for a dead mount can't be joined, and Node joins its threads before it exits, by process.exit()
 * too: then only a signal ends it, once what there is to say has been said.
 */
function leaveBehind(stuck: readonly string[]): void {
  if (stuck.length === 0) return;
  setImmediate(() => {
    process.stderr.write(`hostspool: still no answer from ${stuck.join(', ')}: ended without waiting for it\n`);
    process.kill(process.pid, 'SIGTERM');
  });
}

function jsonLine(hostname: string, at: Date, reading: HostReading): string {
  return `${JSON.stringify({ hostname, timestamp: at.toISOString(), ...reading })}\n`;
}

function table(hostname: string, at: Date, reading: HostReading, inventory: Inventory, isFirst: boolean): string {
  const about = [inventory.os, inventory.kernel && `Linux ${inventory.kernel}`, inventory.cpu_model];
  if (inventory.virtualization !== undefined && inventory.virtualization !== 'none') {
    about.push(`virtualized (${inventory.virtualization})`);
  }
  const lines = [`${hostname}  ${at.toISOString()}`, ...(isFirst ? [about.filter(Boolean).join(', ')] : [])];
  return `${isFirst ? '' : '\n'}${lines.filter(Boolean).join('\n')}\n\n${renderReading(reading)}`;
}

/** What the collectors have to say goes to people as lines on standard error, out of the samples' way. */
const errorLines: Log = {
  ...silentLog,
  warn: ({ collector, err }) => {
    process.stderr.write(`hostspool: ${collector}: ${err instanceof Error ? err.message : String(err)}\n`);
  },
};
