/** The options of `hostspool status`, by themselves: `hostspool --status` has them, and so an agent reads them. */
import type { Argv } from 'yargs';

/** The options of the command; `hostspool --status` takes the same. */
export function statusOptions<T>(yargs: Argv<T>): Argv<T> {
  const option = (name: string, describe: string) =>
    yargs.option(name, { type: 'string', requiresArg: true, describe, group: GROUP });
  yargs.option('json', { type: 'boolean', describe: 'As JSON, as documented in docs/status-json.md.', group: GROUP });
  yargs.option('watch', { type: 'boolean', describe: 'Again every second, until Ctrl-C.', group: GROUP });
  option('spool', 'Look at this spool file; no settings are read.');
  option('warn-age', 'Age of the oldest sample that is a warning. Default: 5m.');
  option('crit-age', 'Age of the oldest sample that is critical. Default: 1h.');
  option('warn-fill', 'Share of the capacity or of the greatest age that is a warning. Default: 50%.');
  option('crit-fill', 'Share of the capacity or of the greatest age that is critical. Default: 90%.');
  option('warn-loss', 'How long a loss is a warning; 0 is never. Default: 1h.');
  return yargs;
}

const GROUP = 'Status:';
