/** The manual pages hostspool(1) and hostspool.yaml(5), from what `--help` and docs/settings.md are made of. */
import { groupEntries, type SettingEntry, settingEntries } from '../src/config/catalog.ts';
import { guideNames } from '../src/config/guide-names.ts';
import type { CommandNode, CommandOption } from './command-tree.ts';
import { runnable } from './command-tree.ts';
import { bold, example, heading, italic, item, marked, paragraph, plain, section, subsection } from './roff.ts';

export interface Edition {
  readonly version: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

/** hostspool(1). */
export function commandPage(commands: readonly CommandNode[], edition: Edition): string {
  const [service, ...others] = runnable(commands) as [CommandNode, ...CommandNode[]];
  return page([
    heading({ name: 'hostspool', section: 1, ...edition }),
    section('Name'),
    'hostspool \\- host metrics to SQL Server, exactly once',
    section('Synopsis'),
    `${bold('hostspool')} [${bold('--mode=')}${italic('agent|writer|local')}] [${italic('settings')}]`,
    ...others.map((command) => `.br\n${synopsis(command)}`),
    section('Description'),
    marked(
      'One executable that samples this host, keeps every sample in a local spool until Kafka has acknowledged it, and, as a writer, loads the topic into a database. Every sample reaches the database exactly once, or its loss is on record with its reason.',
    ),
    paragraph(
      marked(
        'As a service it is run by `hostspool.service` (the agent) and `hostspool-writer.service`. Settings come from flags, the environment, systemd’s credentials, and a file, which the manual page of `hostspool.yaml` describes.',
      ),
    ),
    section('Commands'),
    item(`${bold('hostspool')} [${italic('settings')}]`, marked(service.description)),
    ...service.options.map(optionItem),
    ...others.flatMap((command) => [
      subsection(['hostspool', ...command.words].join(' ')),
      marked(command.description),
      ...command.options.map(optionItem),
    ]),
    section('Common options'),
    item(`${bold('--config')} ${italic('file')}`, marked('The settings file; `/dev/null` for none.')),
    item(
      `${bold('--')}${italic('group.setting')}${bold('=')}${italic('value')}`,
      `Any setting of ${bold('hostspool.yaml')}(5) but a secret, by its dotted name.`,
    ),
    item(bold('--help'), marked('The help of the command; with `--show-settings` all settings.')),
    section('Signals'),
    item(
      `${bold('SIGTERM')}, ${bold('SIGINT')}`,
      'Finish what is under way within shutdown.timeout and exit; a second one exits at once. Nothing is lost by either.',
    ),
    item(bold('SIGHUP'), 'Read the settings again; those that are live take effect.'),
    section('Exit status'),
    item('0', 'All well.'),
    item('1', marked('It failed. `hostspool check`: a check failed; warnings are 0.')),
    item('2', 'The command line or the settings are wrong.'),
    item('3', 'Refused: another process holds the spool, or there is none; writers are still running.'),
    paragraph(
      marked(
        '`hostspool status`, `lag` and `hosts list` are for monitoring: 0 ok, 1 warning, 2 critical, 3 unknown; an agent that does not run is never 0.',
      ),
    ),
    section('Environment'),
    item(bold('HOSTSPOOL_CONFIG'), 'The settings file, where no flag names one.'),
    item(`${bold('HOSTSPOOL_')}${italic('GROUP_SETTING')}`, 'Any setting.'),
    item(
      `${bold('STATE_DIRECTORY')}, ${bold('XDG_STATE_HOME')}`,
      'Where the spool lies if spool.path is not set: directly in the first, in hostspool of the second.',
    ),
    item(bold('NOTIFY_SOCKET'), 'Where a service manager hears that the service is ready and alive.'),
    section('Files'),
    item(italic('/etc/hostspool/hostspool.yaml'), 'The settings.'),
    item(
      `${italic('/etc/default/hostspool')}, ${italic('/etc/default/hostspool-writer')}`,
      'Variables of the two services.',
    ),
    item(italic('/var/lib/hostspool/'), 'The spool of the service.'),
    item(
      italic('/etc/credstore/hostspool.kafka.sasl.password'),
      marked('A secret as a credential: see the comments in `hostspool.service`.'),
    ),
    section('Examples'),
    example(
      'hostspool --status\nhostspool --kafka.brokers=kafka-1:9092,kafka-2:9092\nhostspool drain --spool /mnt/dead-host/spool.db --kafka.brokers=kafka-1:9092',
    ),
    section('See also'),
    `${bold('hostspool.yaml')}(5), ${bold('systemctl')}(1), ${bold('journalctl')}(1)`,
  ]);
}

function synopsis({ words, positionals, takesSettings }: CommandNode): string {
  const parts = [bold(['hostspool', ...words].join(' '))];
  if (positionals !== '') parts.push(italic(positionals));
  parts.push(`[${italic('options')}]`);
  if (takesSettings) parts.push(`[${italic('settings')}]`);
  return parts.join(' ');
}

function optionItem({ name, description, takesValue, choices }: CommandOption): string {
  const value = choices.length === 0 ? 'value' : choices.join('|');
  return item(bold(`--${name}`) + (takesValue ? ` ${italic(value)}` : ''), marked(description));
}

/** hostspool.yaml(5). */
export function settingsPage(edition: Edition): string {
  return page([
    heading({ name: 'hostspool.yaml', section: 5, ...edition }),
    section('Name'),
    'hostspool.yaml \\- settings of hostspool',
    section('Description'),
    marked(
      'A setting has one dotted name everywhere: `spool.max_bytes` is the flag `--spool.max_bytes=1GiB`, the variable `HOSTSPOOL_SPOOL_MAX_BYTES=1GiB`, and in this file',
    ),
    example('spool:\n  max_bytes: 1GiB'),
    paragraph(
      marked(
        'Flags win, then variables, systemd’s credentials for secrets, this file, the defaults. `hostspool config` shows what is in force and where it came from, `hostspool config --check` whether the service would start with it. An unknown name or a bad value stops the start.',
      ),
    ),
    section('Values'),
    item('durations', '250ms, 5s, 1.5h, 7d'),
    item('sizes', '900KiB, 512MiB (powers of 1024), 1GB (powers of 1000), 4096B'),
    item('booleans', 'true, yes, on, 1 and their opposites'),
    item('lists', 'separated by commas, or YAML lists'),
    item(
      'secrets',
      marked('`{ file: /path }` reads them from a file; never a flag, never printed. systemd: `LoadCredential=`.'),
    ),
    section('Settings'),
    marked('A running agent takes those marked live from the file at a SIGHUP (`systemctl reload hostspool`).'),
    ...groupEntries.flatMap(({ name, description }) => {
      const members = settingEntries.filter(({ group }) => group === name);
      if (members.length === 0) return [];
      const head = name === '' ? [] : [subsection(name), plain(description)];
      return [...head, ...members.map(settingItem)];
    }),
    section('Names that such pipelines already use'),
    plain('Read below the HOSTSPOOL_ variable of the same setting: '),
    `${plain([...new Set(guideNames.map(({ variable }) => variable))].join(', '))}.`,
    section('See also'),
    `${bold('hostspool')}(1), ${bold('systemd.exec')}(5)`,
  ]);
}

function settingItem(setting: SettingEntry): string {
  const { name, description, allowed, derived, default: given, live, variable } = setting;
  const written = Array.isArray(given) && given.length === 0 ? 'none' : String(given ?? 'none');
  const facts = `Allowed: ${allowed}. Default: ${derived ?? written}.${live ? ' Live.' : ''} Variable: `;
  return item(bold(name), plain(description), plain(facts) + bold(variable));
}

function page(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
