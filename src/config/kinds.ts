/**
 * The kinds of values that settings have. Each takes what a flag, a variable or a YAML scalar can hold (text, or the
 * number or boolean that YAML made of it) and answers the parsed value, or an issue that says what is allowed.
 */
import { z } from 'zod';
import { formatDuration, formatSize, parseDuration, parseSize } from '../lib/units.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]);

function parsed<Value>(parse: (text: string) => Value | undefined, allowed: string) {
  return scalar.transform((given, context): Value => {
    const value = parse(String(given).trim());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: allowed, params: { allowed } });
    return z.NEVER;
  });
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

function within(range: Range, value: number | undefined): number | undefined {
  return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}

/** Milliseconds, written `5s`, `250ms`, `7d`. */
export function duration(range: Range) {
  const allowed = `a duration from ${formatDuration(range.min)} to ${formatDuration(range.max)}, such as 250ms, 5s, 1h, 7d`;
  return parsed((text) => within(range, parseDuration(text)), allowed).meta({ kind: 'duration', allowed });
}

/** Bytes, written `512MiB`, `1GB`. */
export function size(range: Range) {
  const allowed = `a size from ${formatSize(range.min)} to ${formatSize(range.max)}, such as 900KiB, 512MiB, 1GB`;
  return parsed((text) => within(range, parseSize(text)), allowed).meta({ kind: 'size', allowed });
}

/** A size in bytes, or a share of the filesystem. */
export type SizeOrShare = { readonly bytes: number } | { readonly percent: number };

export function sizeOrShare(range: Range) {
  const allowed = `a size from ${formatSize(range.min)} to ${formatSize(range.max)}, or a percentage of the filesystem from 0% to 50%`;
  const parse = (text: string): SizeOrShare | undefined => {
    const share = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
    if (share !== null) {
      const percent = Number(share[1]);
      return percent <= 50 ? { percent } : undefined;
    }
    const bytes = within(range, parseSize(text));
    return bytes === undefined ? undefined : { bytes };
  };
  return parsed(parse, allowed).meta({ kind: 'size or percentage', allowed });
}

export function integer(range: Range) {
  const allowed = `a whole number from ${range.min} to ${range.max}`;
  const parse = (text: string) => (/^-?\d+$/.test(text) ? within(range, Number(text)) : undefined);
  return parsed(parse, allowed).meta({ kind: 'integer', allowed });
}

export function flag() {
  const allowed = 'true or false';
  const words: Readonly<Record<string, boolean>> = {
    true: true,
    false: false,
    yes: true,
    no: false,
    on: true,
    off: false,
    '1': true,
    '0': false,
  };
  const parse = (text: string) => (Object.hasOwn(words, text.toLowerCase()) ? words[text.toLowerCase()] : undefined);
  return parsed(parse, allowed).meta({ kind: 'boolean', allowed });
}

export function choice<const Names extends readonly string[]>(...names: Names) {
  const allowed = `one of ${names.join(', ')}`;
  const parse = (text: string) => names.find((name) => name === text.toLowerCase()) as Names[number] | undefined;
  return parsed(parse, allowed).meta({ kind: 'choice', allowed, choices: names });
}

/** Text that matches; without a pattern any text, the empty one included. */
export function text(allowed = 'text', pattern = /^[^\0]*$/s) {
  return parsed((given) => (pattern.test(given) ? given : undefined), allowed).meta({ kind: 'text', allowed });
}

/** A comma-separated list, or a YAML sequence. */
export function list(allowed: string, pattern: RegExp) {
  return z
    .union([scalar, z.array(scalar)])
    .transform((given, context): readonly string[] => {
      const parts = Array.isArray(given) ? given.map(String) : String(given).split(',');
      const items = parts.map((part) => part.trim()).filter((part) => part !== '');
      if (items.every((item) => pattern.test(item))) return items;
      context.addIssue({ code: 'custom', message: allowed, params: { allowed } });
      return z.NEVER;
    })
    .meta({ kind: 'list', allowed });
}

/** A text that is never printed. The loader has already replaced `{ file: … }` by the file's content. */
export function secret() {
  const allowed = 'text, or { file: path } to read it from a file';
  return parsed((given) => given, allowed).meta({ kind: 'secret', allowed, secret: true });
}
