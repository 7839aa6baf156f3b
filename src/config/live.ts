/** What a SIGHUP changes: the live settings take effect, the others wait for a restart and are named. */
import { isDeepStrictEqual } from 'node:util';
import { settingEntries } from './catalog.ts';
import type { ResolvedSettings } from './resolve.ts';

export interface SettingChanges {
  /** Dotted name to new value of the live settings that changed; of a secret only that it did. */
  readonly live: Readonly<Record<string, unknown>>;
  /** Dotted names of the settings that are not what the process runs with, and need a restart. */
  readonly restart: readonly string[];
}

/** `started`: what the process was started with; what needs a restart waits since then, however often it is asked. */
export function liveChanges(
  started: ResolvedSettings,
  before: ResolvedSettings,
  after: ResolvedSettings,
): SettingChanges {
  const live: Record<string, unknown> = {};
  const restart: string[] = [];
  for (const { name, live: isLive, secret } of settingEntries) {
    const value = settingValue(after, name);
    if (isDeepStrictEqual(settingValue(isLive ? before : started, name), value)) continue;
    if (isLive) live[name] = secret ? '[secret]' : value;
    else restart.push(name);
  }
  return { live, restart };
}

/** The value of a dotted name. */
export function settingValue(settings: ResolvedSettings, name: string): unknown {
  let value: unknown = settings;
  for (const key of name.split('.')) value = (value as Readonly<Record<string, unknown>>)[key];
  return value;
}
