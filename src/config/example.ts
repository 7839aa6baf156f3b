/**
 * The commented example file. Groups stand as they are and settings are commented out, so it may be installed as it
 * is, and taking away one `#` at the start of a line sets that setting and nothing else. Prose begins with `##`.
 */
import { type GroupEntry, groupEntries, type SettingEntry, settingEntries } from './catalog.ts';

const LINE_LENGTH = 100;

const INTRODUCTION =
  'Settings of hostspool. Lines with a single # are settings at their default, or an example where there is none: take the # away to set them. Flags and environment variables overrule this file; `hostspool config` shows what is in force.';

/** The example file, YAML, with a newline at its end. */
export function exampleFile(): string {
  const lines = [...prose(INTRODUCTION, '')];
  for (const group of groupEntries) lines.push('', ...groupLines(group));
  return `${lines.join('\n')}\n`;
}

function groupLines(group: GroupEntry): string[] {
  const depth = group.name === '' ? 0 : group.name.split('.').length;
  const indent = '  '.repeat(depth);
  const members = settingEntries.filter((setting) => setting.group === group.name);
  const heading =
    depth === 0 ? [] : [...prose(group.description, indent.slice(2)), `${indent.slice(2)}${lastKey(group.name)}:`];
  return [
    ...heading,
    ...members.flatMap((setting, index) => [...(index === 0 ? [] : ['']), ...settingLines(setting, indent)]),
  ];
}

function settingLines(setting: SettingEntry, indent: string): string[] {
  const notes = [`Allowed: ${setting.allowed}.`];
  if (setting.derived !== undefined) notes.push(`Default: ${setting.derived}.`);
  if (setting.live) notes.push('SIGHUP changes it in a running agent.');
  const value = setting.example ?? String(setting.default);
  return [
    ...prose(setting.description, indent),
    ...prose(notes.join(' '), indent),
    `#${indent}${lastKey(setting.name)}: ${value}`,
  ];
}

function lastKey(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** Comment lines of at most LINE_LENGTH characters. */
function prose(text: string, indent: string): string[] {
  const start = `${indent}## `;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && start.length + line.length + 1 + word.length > LINE_LENGTH) {
      lines.push(start + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, start + line];
}
