/**
 * From flags, environment and file to the settings in force.
 *
 *     flags ─┐
 *     HOSTSPOOL_ variables, then guide names ─┐
 *     systemd credentials (secrets only) ─────┤ the first that has a value ─▶ schema ─▶ derived defaults
 *     YAML file ──────────────────────────────┤
 *     defaults ───────────────────────────────┘
 *
 * Every source is read whole and every value checked, the overruled ones too (save guide names, which other programs
 * share): a file is right or wrong whatever the flags say. All problems come out in one error, a line each.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { findSetting, type SettingEntry, settingEntries } from './catalog.ts';
import { settingsWarnings } from './checks.ts';
import { configVariable, readEnvironment } from './environment.ts';
import { exposedFiles } from './exposed-files.ts';
import type { Given, GivenValue, SettingSource } from './given.ts';
import { hostnameAt } from './host-name.ts';
import { badValue, settingsError, unknownName } from './problems.ts';
import { type Machine, type ResolvedSettings, resolveDefaults } from './resolve.ts';
import { type Settings, settingsSchema } from './schema.ts';
import { readCredentials } from './secrets.ts';
import { readYamlFile } from './yaml-file.ts';

export { type Need, requireFor } from './checks.ts';
export type { SettingSource } from './given.ts';
export { hostnameAt } from './host-name.ts';
export { liveChanges, type SettingChanges } from './live.ts';
export type { ResolvedSettings } from './resolve.ts';

/** Read when it is there and no other file is named. */
export const DEFAULT_FILE = '/etc/hostspool/hostspool.yaml';

export interface SettingsInput {
  /** Values by dotted name, and `config`, the path of the YAML file. A `config` of /dev/null is no file. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: NodeJS.ProcessEnv;
  /** The file that is read when none is named, if it is there. */
  readonly defaultFile?: string;
}

export interface LoadedSettings {
  readonly settings: ResolvedSettings;
  /** Where each setting came from, by dotted name; every setting is there. */
  readonly sources: ReadonlyMap<string, SettingSource>;
  /** What is probably not meant, a line each. */
  readonly warnings: readonly string[];
  /** The YAML file that was read. */
  readonly file: string | undefined;
}

/** Loads the settings; throws SETTINGS_INVALID with everything that is wrong. */
export function loadSettings(input: SettingsInput): LoadedSettings {
  const flags = readFlags(input.flags);
  const flagNames = new Set(flags.values.map(({ setting }) => setting.name));
  const file = settingsFile(input);
  const sources: readonly Given[] = [
    flags,
    readEnvironment(input.env, flagNames),
    readCredentials(input.env),
    ...(file === undefined ? [] : [readYamlFile(file)]),
  ];

  const problems = sources.flatMap((source) => source.problems);
  const inForce = new Map<string, GivenValue>();
  for (const given of sources.flatMap((source) => source.values)) {
    const { setting, value, origin } = given;
    if (!setting.accepts(value)) problems.push(badValue(setting, value, origin));
    else if (!inForce.has(setting.name)) inForce.set(setting.name, given);
  }
  if (problems.length > 0)
    throw settingsError(problems, 'hostspool config --example lists every setting and what it may be');

  const { settings, derived } = resolveDefaults(parse(inForce), thisMachine(input.env));
  const warnings = [
    ...sources.flatMap((source) => source.warnings),
    ...settingsWarnings(settings, new Set(inForce.keys())),
    ...exposedFiles(settings),
  ];
  const origin = (name: string): SettingSource =>
    inForce.get(name)?.source ?? { kind: 'default', name: derived.get(name) ?? '' };
  const origins = new Map(settingEntries.map(({ name }) => [name, origin(name)]));
  return { settings, sources: origins, warnings, file };
}

function readFlags(flags: Readonly<Record<string, unknown>>): Given {
  const values: GivenValue[] = [];
  const problems: string[] = [];
  for (const [name, value] of Object.entries(flags)) {
    if (name === 'config' || value === undefined) continue;
    const setting = findSetting(name);
    const flag = `--${name}`;
    if (setting === undefined) problems.push(unknownName(flag, name, 'the command line', (right) => `--${right}`));
    else if (setting.secret) problems.push(secretFlag(setting));
    else if (Array.isArray(value) && setting.kind !== 'list') problems.push(`${flag} is there ${value.length} times`);
    else values.push({ setting, value, source: { kind: 'flag', name: flag }, origin: flag });
  }
  return { values, problems, warnings: [] };
}

/** Every user of a machine can read the arguments of its processes. */
function secretFlag({ name, variable }: SettingEntry): string {
  return `--${name} is not taken from the command line, which everybody on the machine can read: use { file: … } in the settings file, ${variable}_FILE, ${variable}, or a systemd credential of that name`;
}

function settingsFile({ flags, env, defaultFile = DEFAULT_FILE }: SettingsInput): string | undefined {
  if (Array.isArray(flags.config)) throw settingsError(['--config is there more than once']);
  const named = flags.config === undefined ? configVariable(env) : String(flags.config);
  if (named === '') throw settingsError(['--config has no value; it is the path of a YAML file']);
  if (named === '/dev/null') return undefined;
  return named ?? (existsSync(defaultFile) ? defaultFile : undefined);
}

/** The values as the nested object that the schema describes; each was accepted by its own setting before. */
function parse(inForce: ReadonlyMap<string, GivenValue>): Settings {
  const root: Record<string, unknown> = {};
  for (const [name, { value }] of inForce) {
    const keys = name.split('.');
    const last = keys.pop() as string;
    let group = root;
    for (const key of keys) {
      group[key] ??= {};
      group = group[key] as Record<string, unknown>;
    }
    group[last] = value;
  }
  return settingsSchema.parse(root);
}

function thisMachine(env: NodeJS.ProcessEnv): Machine {
  return { env, hostname: hostnameAt, home: env.HOME || homeOfUser(), workingDirectory: process.cwd() };
}

/** A user id without an entry in the user database, as in containers, has none. */
function homeOfUser(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
