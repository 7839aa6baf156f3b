/** `hostspool drain`: ships what is in the spool now and exits. */
import { existsSync } from 'node:fs';
import type { Argv, CommandModule } from 'yargs';
import { type DrainProgress, type DrainResult, drain } from '../agent/drain.ts';
import { requireFor } from '../config/load.ts';
import { SystemClock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import { favourThroughput } from '../lib/throughput.ts';
import { parseDuration } from '../lib/units.ts';
import { openLog } from '../ops/log.ts';
import { ProcessSignals } from '../ops/shutdown.ts';
import { EXIT } from './exit-codes.ts';
import { progressView } from './progress-view.ts';
import { OWN_OPTIONS, settingsFrom, settingsOptions } from './settings-options.ts';

export const drainCommand: CommandModule = {
  command: 'drain',
  describe: 'Ship what is in the spool now, and exit. Not while an agent runs on it.',
  builder: (yargs) =>
    settingsOptions(
      (yargs as Argv)
        .option('spool', {
          type: 'string',
          requiresArg: true,
          group: OWN_OPTIONS,
          describe: 'Drain this spool file, of a dead or another host; samples keep their identities.',
        })
        .option('patience', {
          type: 'string',
          default: '60s',
          requiresArg: true,
          group: OWN_OPTIONS,
          describe: 'Give up when nothing was acknowledged for so long.',
        }),
    ),
  handler: async (argv) => {
    const loaded = settingsFrom(argv);
    requireFor('kafka', loaded.settings);
    const path = typeof argv.spool === 'string' ? argv.spool : loaded.settings.spool.path;
    const settings = { ...loaded.settings, spool: { ...loaded.settings.spool, path } };
    const patience = parseDuration(String(argv.patience));
    if (patience === undefined) {
      throw new HostspoolError('USAGE', `--patience=${argv.patience} is not a duration`, {
        hint: 'for example 60s, 5m',
      });
    }
    if (!existsSync(path)) {
      throw new HostspoolError('SPOOL_MISSING', `there is no spool at ${path}`, {
        hint: 'name it with --spool FILE, or run as the user whose spool it is',
      });
    }
    favourThroughput();
    const view = progressView({ doing: 'draining', things: 'samples', done: 'shipped' });
    // A sample that Kafka refuses is logged whole, beside the progress on standard output.
    const log = await openLog({ ...settings.log, level: 'error' }, process.stderr);
    using signals = new ProcessSignals(log);
    const clock = new SystemClock();
    const progress = ({ total, shipped, error }: DrainProgress) => view.show({ total, done: shipped, error });
    const result = await drain({ settings, patience, clock, log, progress }, signals.stop);
    view.close();
    report(result, path);
  },
};

function report(result: DrainResult, path: string): void {
  const parts = [`${result.shipped} samples shipped`];
  if (result.refused > 0) parts.push(`${result.refused} refused by Kafka and noted as lost`);
  if (result.left > 0) parts.push(`${result.left} left in ${path}`);
  if (result.notesLeft > 0) {
    const notes = result.notesLeft === 1 ? '1 note waits' : `${result.notesLeft} notes wait`;
    parts.push(`${notes} for this spool’s next sample (how a run ended, or what it lost; no sample is in it)`);
  }
  process.stdout.write(`${parts.join(', ')}\n`);
  if (result.left === 0) return;
  if (result.lastError !== undefined) process.stderr.write(`hostspool: the last attempt failed: ${result.lastError}\n`);
  process.exitCode = EXIT.failed;
}
