/** `hostspool config`: the settings in force and where each came from, or what a settings file may hold. */
import type { Argv, CommandModule } from 'yargs';
import { type SettingEntry, settingEntries } from '../config/catalog.ts';
import { exampleFile } from '../config/example.ts';
import { settingsJsonSchema } from '../config/json-schema.ts';
import { settingValue } from '../config/live.ts';
import { type LoadedSettings, requireFor, type SettingSource } from '../config/load.ts';
import { writtenValue } from '../config/written.ts';
import { asError } from '../lib/errors.ts';
import { settingsFrom, settingsOptions } from './settings-options.ts';

export const configCommand: CommandModule = {
  command: 'config',
  describe: 'Show the settings in force and where each came from.',
  builder: (yargs) =>
    settingsOptions(yargs as Argv)
      .option('json', { type: 'boolean', describe: 'As JSON.' })
      .option('example', { type: 'boolean', describe: 'Print a commented settings file instead.' })
      .option('schema', { type: 'boolean', describe: 'Print the JSON Schema of the settings file instead.' })
      .option('check', { type: 'boolean', describe: 'Only tell whether the mode starts with these settings.' })
      .conflicts('example', ['schema', 'json', 'check'])
      .conflicts('check', ['schema', 'json']),
  handler: (argv) => {
    if (argv.check === true) checkSettings(settingsFrom(argv));
    else if (argv.example === true) process.stdout.write(exampleFile());
    else if (argv.schema === true) writeJson(settingsJsonSchema());
    else showSettings(settingsFrom(argv), argv.json === true);
  },
};

/** Says nothing but warnings when the mode would start; else the error it would end with, and its exit code. */
function checkSettings({ settings, warnings }: LoadedSettings): void {
  for (const warning of warnings) process.stderr.write(`hostspool: ${warning}\n`);
  requireFor(settings.mode, settings);
}

function showSettings(loaded: LoadedSettings, asJson: boolean): void {
  if (asJson) writeJson(describeSettings(loaded));
  else process.stdout.write(settingsTable(loaded));
  for (const note of notes(loaded)) process.stderr.write(`hostspool: ${note}\n`);
}

function writeJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** The warnings, and what would stop the mode that is set; the settings themselves are shown all the same. */
function notes({ settings, warnings }: LoadedSettings): string[] {
  try {
    requireFor(settings.mode, settings);
    return [...warnings];
  } catch (error) {
    return [...warnings, `with these settings mode ${settings.mode} does not start: ${asError(error).message}`];
  }
}

/** What `--json` prints. */
export function describeSettings({ settings, sources, warnings, file }: LoadedSettings): unknown {
  const entries = settingEntries.map((setting) => {
    const value = writtenValue(setting, settingValue(settings, setting.name));
    return [setting.name, { value, source: sources.get(setting.name) }];
  });
  return { file: file ?? null, settings: Object.fromEntries(entries), warnings };
}

/** Name, value and origin of every setting, aligned. */
export function settingsTable({ settings, sources, file }: LoadedSettings): string {
  const rows = settingEntries.map((setting) => ({
    name: setting.name,
    value: shown(setting, settingValue(settings, setting.name)),
    origin: originOf(sources.get(setting.name)),
  }));
  const nameWidth = widest(rows.map((row) => row.name));
  const valueWidth = widest(rows.map((row) => row.value).filter((value) => value.length <= VALUE_WIDTH));
  const lines = rows.map(({ name, value, origin }) =>
    `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${origin}`.trimEnd(),
  );
  return `${[`settings file: ${file ?? 'none'}`, '', ...lines].join('\n')}\n`;
}

/** A longer value moves only its own line. */
const VALUE_WIDTH = 48;

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length));
}

function shown(setting: SettingEntry, value: unknown): string {
  const written = writtenValue(setting, value);
  if (written === null) return '(not set)';
  const text = Array.isArray(written) ? written.join(',') : String(written);
  return text === '' ? '(empty)' : text;
}

function originOf(source: SettingSource | undefined): string {
  if (source === undefined) return '';
  switch (source.kind) {
    case 'default':
      return source.name === '' ? 'default' : `default, from ${source.name}`;
    case 'credential':
      return `systemd credential ${source.name}`;
    default:
      return source.name;
  }
}
