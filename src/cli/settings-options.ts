/**
 * The settings as options of a command: `--spool.max_bytes=1GiB`.
 *
 * There are some sixty, which would drown a command's help: it shows the few that people try first, and all of them
 * with `--help --show-settings`. Values stay the text that was typed; what they may be is the loader's business.
 *
 * Secrets are recognized and refused before anything else is looked at, and without their value.
 */
import type { Argv, Options } from 'yargs';
import { findSetting, type SettingEntry, settingEntries } from '../config/catalog.ts';
import { DEFAULT_FILE, type LoadedSettings, loadSettings } from '../config/load.ts';
import { takeOutUnsafe } from '../config/unsafe-environment.ts';

const SHOWN = new Set([
  'mode',
  'collect.interval',
  'kafka.brokers',
  'kafka.topic',
  'spool.path',
  'spool.max_bytes',
  'log.level',
]);

/** What people set for the commands of the centre: `settingsOptions(yargs, CENTRE_SETTINGS)`. */
export const CENTRE_SETTINGS: ReadonlySet<string> = new Set([
  'kafka.brokers',
  'kafka.topic',
  'kafka.group',
  'writer.sink',
  'sqlserver.host',
  'sqlserver.database',
  'sqlserver.user',
  'sqlite.path',
  'log.level',
]);

/** The group of a command's own options: named before the settings are added, it stands above them in the help. */
export const OWN_OPTIONS = 'Options:';

const GROUP = 'Settings (all of them: --help --show-settings, or hostspool config --example):';

/** Adds `--config` and every setting that may be a flag; `shown`: those that the help shows at once. */
export function settingsOptions<T>(yargs: Argv<T>, shown: ReadonlySet<string> = SHOWN): Argv<T> {
  const flags = settingEntries.filter(({ secret }) => !secret);
  const options = Object.fromEntries(flags.map((setting) => [setting.name, optionOf(setting, shown)]));
  yargs
    .parserConfiguration({ 'dot-notation': false, 'camel-case-expansion': false, 'boolean-negation': false })
    .option('config', {
      type: 'string',
      requiresArg: true,
      group: GROUP,
      describe: `The settings file, YAML. Default: ${DEFAULT_FILE} when it is there; /dev/null for none`,
    })
    .options(options)
    .showHidden('show-settings', 'With --help: show every setting.')
    // Before validation, so that a misspelt or secret setting is told as such, not as an unknown argument.
    .middleware((argv) => refuse(argv), true);
  return yargs;
}

/** The settings that a command line, the environment and the file make; throws SETTINGS_INVALID. */
export function settingsFrom(argv: Readonly<Record<string, unknown>>): LoadedSettings {
  const unsafe = takeOutUnsafe(process.env);
  const loaded = loadSettings({ flags: flagsOf(argv), env: process.env });
  return { ...loaded, warnings: [...unsafe, ...loaded.warnings] };
}

/** Only the settings: a command has arguments of its own beside them. */
function flagsOf(argv: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(argv).filter(([name]) => name === 'config' || isSettingLike(name)));
}

function isSettingLike(name: string): boolean {
  return name.includes('.') || findSetting(name) !== undefined;
}

function optionOf(setting: SettingEntry, shown: ReadonlySet<string>): Options {
  const isSwitch = setting.kind === 'boolean';
  return {
    type: 'string',
    group: GROUP,
    hidden: !shown.has(setting.name),
    describe: summary(setting),
    // A switch alone means true; an empty text is a value (`--http.address=`).
    ...(isSwitch ? { coerce: (value: unknown) => (value === '' ? 'true' : value) } : { requiresArg: true }),
  };
}

/** The first sentence of the description, the choices and the default. */
function summary({ description, choices, default: given, derived }: SettingEntry): string {
  const [sentence = ''] = description.split(/(?<=\.) /);
  const fallback = derived ?? (String(given ?? '') || 'none');
  return `${sentence} (${choices === undefined ? '' : `${choices.join(', ')}; `}default: ${fallback})`;
}

function refuse(argv: Readonly<Record<string, unknown>>): void {
  const wrong = Object.keys(argv).filter((name) => {
    const setting = findSetting(name);
    return setting === undefined ? name.includes('.') : setting.secret;
  });
  if (wrong.length === 0) return;
  loadSettings({ flags: Object.fromEntries(wrong.map((name) => [name, ''])), env: {}, defaultFile: '' });
}
