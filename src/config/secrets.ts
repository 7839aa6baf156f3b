/**
 * Secrets that lie in files: `{ file: … }` in YAML, `…_FILE` in the environment, and systemd's credentials directory.
 * One newline at the end is an editor's and is taken off; nothing else is.
 */
import { join } from 'node:path';
import { type SettingEntry, settingEntries } from './catalog.ts';
import { type FileText, readSmallFile } from './files.ts';
import type { Given, GivenValue, SettingSource } from './given.ts';

const SECRET_LIMIT = 64 * 1024;

/** The secret in `path`: a value, with a warning when everybody may read it; or a problem. */
export function readSecret(setting: SettingEntry, path: string, source: SettingSource, origin: string): Given {
  return secretIn(readSmallFile(path, SECRET_LIMIT), setting, path, source, origin);
}

function secretIn(file: FileText, setting: SettingEntry, path: string, source: SettingSource, origin: string): Given {
  if ('problem' in file) {
    return {
      values: [],
      problems: [`${setting.name}: cannot read ${path}: ${file.problem} (from ${origin})`],
      warnings: [],
    };
  }
  const value = file.text.replace(/\r?\n$/, '');
  if (value === '') {
    return { values: [], problems: [`${setting.name}: ${path} is empty (from ${origin})`], warnings: [] };
  }
  const warnings = file.worldReadable
    ? [`${path}, which holds ${setting.name}, may be read by everybody: chmod o-r`]
    : [];
  return { values: [{ setting, value, source, origin }], problems: [], warnings };
}

/** What systemd passes by LoadCredential= and the like: a file per secret, named by its dotted name. */
export function readCredentials(env: NodeJS.ProcessEnv): Given {
  const directory = env.CREDENTIALS_DIRECTORY;
  const values: GivenValue[] = [];
  const problems: string[] = [];
  const warnings: string[] = [];
  if (directory === undefined || directory === '') return { values, problems, warnings };
  for (const setting of settingEntries) {
    if (!setting.secret) continue;
    const path = join(directory, setting.name);
    const origin = `systemd credential ${setting.name}`;
    const file = readSmallFile(path, SECRET_LIMIT);
    // Most credentials are not there: a service is given those it needs.
    if ('problem' in file && file.missing) continue;
    const read = secretIn(file, setting, path, { kind: 'credential', name: setting.name }, origin);
    values.push(...read.values);
    problems.push(...read.problems);
    warnings.push(...read.warnings);
  }
  return { values, problems, warnings };
}
