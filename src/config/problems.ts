/**
 * What is wrong with the settings, as lines for a person: key, value, what is allowed, where it came from, and the
 * nearest right name. A secret's value never gets into one, nor does the value of a name nobody knows, since it may be
 * a misspelt secret.
 */
import { distance } from 'fastest-levenshtein';
import { HostspoolError } from '../lib/errors.ts';
import { type SettingEntry, settingEntries } from './catalog.ts';

/** A value longer than this is cut in a message. */
const SHOWN_LENGTH = 60;

/** `spool.max_bytes: "5 apples" is not a size …, from /etc/hostspool/hostspool.yaml:12:14`. */
export function badValue(setting: SettingEntry, given: unknown, origin: string, allowed = setting.allowed): string {
  const value = setting.secret ? 'the value' : quoted(given);
  const near = setting.choices === undefined || setting.secret ? [] : nearest(String(given), setting.choices);
  return `${setting.name}: ${value} is not ${allowed} (from ${origin})${didYouMean(near)}`;
}

/** A name that is no setting. `written` is how it was written, `name` the dotted name it stands for. */
export function unknownName(written: string, name: string, origin: string, write: (setting: string) => string): string {
  return `${quoted(written)} is not a setting (from ${origin})${didYouMean(nearestSettings(name).map(write))}`;
}

/** What stands before an `@` may be a login that was put into an address: it is not shown. */
function quoted(value: unknown): string {
  const text = (typeof value === 'string' ? value : String(value)).replace(/[^\s,]*@/g, '…@');
  const shown = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
  return JSON.stringify(shown);
}

function didYouMean(names: readonly string[]): string {
  return names.length === 0 ? '' : `; did you mean ${names.join(' or ')}?`;
}

/** The dotted names nearest to a wrong one: with another spelling, in another group, or a few letters off. */
export function nearestSettings(wrong: string): readonly string[] {
  const name = wrong
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_');
  const names = settingEntries.map((setting) => setting.name);
  const last = name.slice(name.lastIndexOf('.') + 1);
  const flat = (dotted: string) => dotted.replaceAll('.', '_');
  const same = names.filter((known) => flat(known) === flat(name));
  if (same.length > 0) return same;
  const close = nearest(name, names);
  if (close.length > 0) return close;
  return names.filter((known) => known.endsWith(`.${last}`)).slice(0, 3);
}

/** The one of `names` that is nearest to `wrong`, if it is near enough to be meant; none otherwise. */
export function nearest(wrong: string, names: readonly string[]): readonly string[] {
  const word = wrong.toLowerCase().slice(0, 200);
  // Two letters that changed places are two changes.
  const limit = word.length < 4 ? 1 : Math.min(4, Math.max(2, Math.floor(word.length / 4)));
  let best: string | undefined;
  let least = limit + 1;
  for (const name of names) {
    const changes = distance(word, name.toLowerCase());
    if (changes < least) [best, least] = [name, changes];
  }
  return best === undefined ? [] : [best];
}

/** One error for all problems: a single line, or a heading and a line each. */
export function settingsError(problems: readonly string[], hint?: string): HostspoolError {
  const message =
    problems.length === 1
      ? (problems[0] as string)
      : [`${problems.length} settings are wrong`, ...problems.map((problem) => `  ${problem}`)].join('\n');
  return new HostspoolError('SETTINGS_INVALID', message, hint === undefined ? {} : { hint });
}
