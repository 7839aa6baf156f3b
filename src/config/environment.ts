/**
 * The settings in the environment: `HOSTSPOOL_SPOOL_PATH` and, below it, the guide names.
 *
 * An empty variable is an unset one, except where empty is a value (`HOSTSPOOL_HTTP_ADDRESS=` turns HTTP off). A
 * secret may come from a file, `…_FILE`; with both, nobody can say which is meant, so that is an error. A HOSTSPOOL_
 * variable that is no setting stops the start like any other unknown key.
 */
import { findSetting, type SettingEntry, settingEntries } from './catalog.ts';
import type { Given, GivenValue } from './given.ts';
import { guideNames } from './guide-names.ts';
import { badValue, unknownName } from './problems.ts';
import { readSecret } from './secrets.ts';

const PREFIX = 'HOSTSPOOL_';

/** HOSTSPOOL_ variables that are not settings. */
const CONFIG_VARIABLE = 'HOSTSPOOL_CONFIG';
const TESTS_PREFIX = 'HOSTSPOOL_TEST_';

/** The path of the YAML file that the environment names. */
export function configVariable(env: NodeJS.ProcessEnv): string | undefined {
  return env[CONFIG_VARIABLE] === '' ? undefined : env[CONFIG_VARIABLE];
}

/**
 * Reads the environment. `overruled` are the settings that a flag sets: a guide variable for one of those is another
 * program's business.
 */
export function readEnvironment(env: NodeJS.ProcessEnv, overruled: ReadonlySet<string>): Given {
  const reader = new EnvironmentReader(env);
  for (const setting of settingEntries) reader.ownName(setting);
  reader.unknownNames();
  const taken = new Set([...overruled, ...reader.values.map(({ setting }) => setting.name)]);
  for (const setting of settingEntries) {
    if (!taken.has(setting.name) && !reader.failed.has(setting.name)) reader.guideName(setting);
  }
  return reader;
}

class EnvironmentReader implements Given {
  readonly values: GivenValue[] = [];
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  readonly failed = new Set<string>();
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  ownName(setting: SettingEntry): void {
    const { variable } = setting;
    const value = this.#value(variable, setting);
    this.#add(setting, value === undefined ? [] : [{ variable, value }], setting.secret ? [`${variable}_FILE`] : []);
  }

  guideName(setting: SettingEntry): void {
    const given: { variable: string; value: string; allowed?: string }[] = [];
    const files: string[] = [];
    for (const name of guideNames) {
      if (name.setting !== setting.name) continue;
      if (setting.secret) files.push(`${name.variable}_FILE`);
      const written = this.#value(name.variable, setting);
      const value = written === undefined ? undefined : name.translate(written);
      if (value === undefined) continue;
      if (setting.accepts(value)) given.push({ variable: name.variable, value });
      else this.problems.push(badValue(setting, written, name.variable, name.allowed ?? setting.allowed));
    }
    this.#add(setting, given, files);
  }

  unknownNames(): void {
    for (const [variable, value] of Object.entries(this.#env)) {
      if (!variable.startsWith(PREFIX) || value === undefined || value === '') continue;
      if (variable === CONFIG_VARIABLE || variable.startsWith(TESTS_PREFIX) || isOwnName(variable)) continue;
      const name = variable.slice(PREFIX.length).toLowerCase();
      const write = (right: string) => findSetting(right)?.variable ?? right;
      this.problems.push(unknownName(variable, name, 'the environment', write));
    }
  }

  /** Takes the one value of a setting, from a variable or a file that a variable names. */
  #add(setting: SettingEntry, given: readonly { variable: string; value: string }[], files: readonly string[]): void {
    const named = files.filter((variable) => this.#value(variable, undefined) !== undefined);
    const variables = [...given.map(({ variable }) => variable), ...named];
    const [first] = given;
    const differ = given.some(({ value }) => value !== first?.value);
    if (differ || named.length > (first === undefined ? 1 : 0)) {
      this.failed.add(setting.name);
      const how = differ ? 'are set to different values' : 'are both set';
      this.problems.push(`${setting.name}: ${variables.join(' and ')} ${how}; keep one`);
      return;
    }
    if (first !== undefined) {
      const source = { kind: 'environment', name: first.variable } as const;
      this.values.push({ setting, value: first.value, source, origin: first.variable });
    } else if (named[0] !== undefined) {
      const variable = named[0];
      const path = this.#env[variable] as string;
      const read = readSecret(setting, path, { kind: 'environment', name: variable }, variable);
      if (read.problems.length > 0) this.failed.add(setting.name);
      this.values.push(...read.values);
      this.problems.push(...read.problems);
      this.warnings.push(...read.warnings);
    }
  }

  #value(variable: string, setting: SettingEntry | undefined): string | undefined {
    const value = this.#env[variable];
    return value === '' && setting?.accepts('') !== true ? undefined : value;
  }
}

function isOwnName(variable: string): boolean {
  return settingEntries.some(
    (setting) => setting.variable === variable || (setting.secret && `${setting.variable}_FILE` === variable),
  );
}
