/** Dead letters for people and for programs: whatever is in them, it comes out as text that harms no terminal. */
import { isUtf8 } from 'node:buffer';
import { printable } from '../lib/printable.ts';
import type { DeadLetterDetail, DeadLetterLine, DeadLetterReport } from '../operate/dead-letter-list.ts';
import { type Column, count, NOTHING, textTable } from './text-table.ts';

/** What a line shows of a reason; `show` and --json have all of it. */
const REASON_WIDTH = 80;
const HEX_BYTES = 16;
/** Most of a value that is shown to people; --json has all of it. */
const SHOWN_BYTES = 64 * 1024;

const COLUMNS: readonly Column<DeadLetterLine>[] = [
  { title: 'origin', cell: ({ origin }) => origin },
  { title: 'dead since', cell: ({ dead_at }) => dead_at?.replace(/\.\d+Z$/, 'Z') ?? NOTHING },
  { title: 'seen', right: true, cell: ({ times }) => count(times) },
  { title: 'host', cell: ({ host }) => host ?? NOTHING },
  { title: 'state', cell: stateOf },
  { title: 'reason', cell: ({ reason, code }) => shortened(`${reason} [${code}]`) },
];

function stateOf({ replayed, truncated }: DeadLetterLine): string {
  if (replayed) return 'sent back';
  return truncated ? 'cut off' : 'waits';
}

function shortened(text: string): string {
  return text.length > REASON_WIDTH ? `${text.slice(0, REASON_WIDTH - 1)}…` : text;
}

export function deadLetterTable({ topic, count: all, replayed, foreign, selected, entries }: DeadLetterReport): string {
  const head = [`${topic}: ${count(all)} dead letters, ${count(replayed)} sent back`];
  if (entries.length < all) head.push(`${count(selected)} selected, ${count(entries.length)} shown`);
  if (foreign > 0) head.push(`${count(foreign)} records of somebody else`);
  const lines = [head.join('; ')];
  return entries.length === 0 ? lines.join('\n') : [...lines, '', ...textTable(COLUMNS, entries)].join('\n');
}

export function deadLetterDetail({ line, message, truncated_from }: DeadLetterDetail): string {
  const cut = truncated_from === null ? '' : `, cut off: the message’s had ${count(truncated_from)}`;
  const seen = line.times === 1 ? '' : `, seen ${count(line.times)} times`;
  const facts: [string, string][] = [
    ['origin', line.origin],
    ['host', line.host ?? NOTHING],
    ['reason', `${line.reason} [${line.code}]`],
    ['sent', line.sent_at ?? NOTHING],
    ['dead since', `${line.dead_at ?? NOTHING}${seen}`],
    ['state', stateOf(line)],
    ['key', message.key === null ? 'none' : asText(message.key)],
    ...Object.entries(message.headers).flatMap(([name, values]) =>
      values.map((value): [string, string] => [`header ${name}`, asText(value)]),
    ),
    ['value', message.value === null ? 'none' : `${count(message.value.length)} bytes${cut}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${printable(name).padEnd(width)}  ${printable(value)}`);
  return message.value === null ? lines.join('\n') : [...lines, '', ...valueLines(message.value)].join('\n');
}

/** JSON indented where that changes nothing in it, other text as it is, anything else in hexadecimal. */
function valueLines(value: Buffer): string[] {
  const shown = value.subarray(0, SHOWN_BYTES);
  const more =
    value.length > shown.length ? [`… ${count(value.length - shown.length)} more bytes; --json has all`] : [];
  const text = isUtf8(value) ? value.toString() : undefined;
  if (text === undefined) return [...hexLines(shown), ...more];
  const whole = more.length === 0 ? indented(text) : undefined;
  return [...(whole ?? shown.toString()).split(/\r?\n/).map(printable), ...more];
}

function indented(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return JSON.stringify(parsed) === text ? JSON.stringify(parsed, undefined, 2) : undefined;
  } catch {
    return undefined;
  }
}

function hexLines(bytes: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_BYTES) {
    const part = bytes.subarray(at, at + HEX_BYTES);
    const hex = [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = part.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(HEX_BYTES * 3 - 1)}  ${text}`);
  }
  return lines;
}

function asText(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString() : `0x${bytes.toString('hex')}`;
}

/** Texts where they are texts, else base64 beside a null. */
export function deadLetterJson({ line, message, truncated_from }: DeadLetterDetail): unknown {
  const bytes = (name: string, value: Buffer | null) => ({
    [name]: value !== null && isUtf8(value) ? value.toString() : null,
    [`${name}_base64`]: value === null || isUtf8(value) ? null : value.toString('base64'),
  });
  return {
    ...line,
    truncated_from,
    ...bytes('key', message.key),
    headers: Object.entries(message.headers).flatMap(([name, values]) =>
      values.map((value) => ({ name, ...bytes('value', value) })),
    ),
    ...bytes('value', message.value),
  };
}
