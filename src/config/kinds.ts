/**
 * The kinds of values that settings have. Each takes what a flag, a variable or a YAML scalar can hold (text, or the
 * number or boolean that a program passes) and answers the parsed value, or an issue that says what is allowed.
 *
 * `meta` carries what the documents are made of: the kind, what is allowed in words, and a pattern for editors. A
 * pattern is without flags, since JSON Schema has none, and may be wider than the range: the parser decides.
 */
import * as z from 'zod';
import { formatDuration, formatSize, parseDuration, parseSize } from '../lib/units.ts';

/** What is known of a kind beside its parser; `meta()` of the schema answers it. */
export interface KindMeta {
  readonly kind:
    | 'duration'
    | 'size'
    | 'size or percentage'
    | 'integer'
    | 'boolean'
    | 'choice'
    | 'text'
    | 'path'
    | 'list'
    | 'secret';
  /** What is allowed, as words that follow "is not …". */
  readonly allowed: string;
  /** Of the written value; of one item for a list. */
  readonly pattern?: string;
  readonly choices?: readonly string[];
  readonly range?: Range;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const DURATION_PATTERN = '^(0|[0-9]+([.][0-9]+)? ?(ms|s|min|m|h|d))$';
const SIZE_PATTERN = '^(0|[0-9]+([.][0-9]+)? ?([kKMGT]i?)?B)$';
const SIZE_OR_SHARE_PATTERN = '^(0|[0-9]+([.][0-9]+)? ?(%|([kKMGT]i?)?B))$';

function parsed<Value>(parse: (text: string) => Value | undefined, meta: KindMeta) {
  return scalar
    .transform((given, context): Value => {
      const value = parse(String(given).trim());
      if (value !== undefined) return value;
      context.addIssue({ code: 'custom', message: meta.allowed });
      return z.NEVER;
    })
    .meta({ ...meta });
}

function within(range: Range, value: number | undefined): number | undefined {
  return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}

/** Whole milliseconds, written `5s`, `250ms`, `7d`. */
export function duration(range: Range) {
  const allowed = `a duration from ${formatDuration(range.min)} to ${formatDuration(range.max)}, such as 250ms, 5s, 1h, 7d`;
  const parse = (text: string) => {
    const ms = parseDuration(text);
    return within(range, ms === undefined ? undefined : Math.round(ms));
  };
  return parsed(parse, { kind: 'duration', allowed, pattern: DURATION_PATTERN, range });
}

/** Bytes, written `512MiB`, `1GB`. */
export function size(range: Range) {
  const allowed = `a size from ${formatSize(range.min)} to ${formatSize(range.max)}, such as 900KiB, 512MiB, 1GB`;
  return parsed((text) => within(range, parseSize(text)), { kind: 'size', allowed, pattern: SIZE_PATTERN, range });
}

/** A size in bytes, or a share of the filesystem. */
export type SizeOrShare = { readonly bytes: number } | { readonly percent: number };

export function sizeOrShare(range: Range) {
  const allowed = `a size from ${formatSize(range.min)} to ${formatSize(range.max)}, or a percentage of the filesystem from 0% to 50%`;
  const parse = (text: string): SizeOrShare | undefined => {
    const share = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
    if (share !== null) {
      const percent = Math.round(Number(share[1]) * 1000) / 1000;
      return percent <= 50 ? { percent } : undefined;
    }
    const bytes = within(range, parseSize(text));
    return bytes === undefined ? undefined : { bytes };
  };
  return parsed(parse, { kind: 'size or percentage', allowed, pattern: SIZE_OR_SHARE_PATTERN, range });
}

export function integer(range: Range) {
  const allowed = `a whole number from ${range.min} to ${range.max}`;
  // Adding 0 makes 0 of -0, which would count as a change.
  const parse = (text: string) => (/^-?\d+$/.test(text) ? within(range, Number(text) + 0) : undefined);
  return parsed(parse, { kind: 'integer', allowed, range });
}

const BOOLEAN_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['yes', true],
  ['no', false],
  ['on', true],
  ['off', false],
  ['1', true],
  ['0', false],
]);

export function flag() {
  return parsed((text) => BOOLEAN_WORDS.get(text.toLowerCase()), { kind: 'boolean', allowed: 'true or false' });
}

export function choice<const Names extends readonly string[]>(...names: Names) {
  const allowed = `one of ${names.join(', ')}`;
  const parse = (text: string) => names.find((name) => name === text.toLowerCase()) as Names[number] | undefined;
  return parsed(parse, { kind: 'choice', allowed, choices: names });
}

/** Text that matches; without a pattern any but the empty one. */
export function text(allowed = 'a text that is not empty', pattern = /^[^\0]+$/) {
  return parsed((given) => (pattern.test(given) ? given : undefined), {
    kind: 'text',
    allowed,
    pattern: pattern.source,
  });
}

/** The path of a file; a relative one counts from the working directory, `~/` is the home directory. */
export function path(allowed = 'the path of a file') {
  const pattern = /^[^\0]+$/;
  return parsed((given) => (pattern.test(given) ? given : undefined), {
    kind: 'path',
    allowed,
    pattern: pattern.source,
  });
}

/** A comma-separated list, or a YAML sequence. */
export function list(allowed: string, pattern: RegExp) {
  const meta: KindMeta = { kind: 'list', allowed, pattern: pattern.source };
  return z
    .union([scalar, z.array(scalar)])
    .transform((given, context): readonly string[] => {
      const parts = (Array.isArray(given) ? given : [given]).flatMap((part) => String(part).split(','));
      const items = parts.map((part) => part.trim()).filter((part) => part !== '');
      if (items.every((item) => pattern.test(item))) return items;
      context.addIssue({ code: 'custom', message: allowed });
      return z.NEVER;
    })
    .meta({ ...meta });
}

/**
 * A text that is never printed, taken as it is, spaces included. The loader has already replaced `{ file: … }` by the
 * file's content.
 */
export function secret() {
  const meta: KindMeta = {
    kind: 'secret',
    allowed: 'a text that is not empty, or { file: path } to read it from a file',
  };
  return scalar
    .transform((given, context): string => {
      const value = String(given);
      if (value !== '' && !value.includes('\0')) return value;
      context.addIssue({ code: 'custom', message: meta.allowed });
      return z.NEVER;
    })
    .meta({ ...meta });
}
