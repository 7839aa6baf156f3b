/** Values of a command's own options: read as what they are to be, or refused by the option's name. */
import { HostspoolError } from '../lib/errors.ts';
import { parseDuration } from '../lib/units.ts';
import { parseTimestamp } from '../sample/timestamp.ts';

export type Arguments = Readonly<Record<string, unknown>>;

/** undefined: it was not given. Throws USAGE. */
export function argument<Value>(
  argv: Arguments,
  name: string,
  parse: (text: string) => Value | undefined,
  allowed: string,
): Value | undefined {
  const given = argv[name];
  if (given === undefined) return undefined;
  const value = typeof given === 'string' ? parse(given) : undefined;
  if (value !== undefined) return value;
  const what = Array.isArray(given) ? 'is there more than once' : `=${String(given)} is not ${allowed}`;
  throw new HostspoolError('USAGE', `--${name}${Array.isArray(given) ? ' ' : ''}${what}`, {
    hint: 'see the command’s --help',
  });
}

export function durationArgument(argv: Arguments, name: string): number | undefined {
  return argument(argv, name, parseDuration, 'a duration, such as 90s, 5m, 1h');
}

export function countArgument(argv: Arguments, name: string): number | undefined {
  return argument(argv, name, parseCount, 'a whole number');
}

export function textArgument(argv: Arguments, name: string): string | undefined {
  return argument(argv, name, (text) => text, 'a text');
}

/** A time, or how long ago it was; ms since the epoch. `now` likewise. */
export function timeArgument(argv: Arguments, name: string, now: number): number | undefined {
  return argument(
    argv,
    name,
    (text) => {
      const ago = parseDuration(text);
      return ago === undefined ? parseTimestamp(text) : now - ago;
    },
    'a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h',
  );
}

/** Each of the values of an option that may be there several times, also separated by commas. */
export function listArgument<Value>(
  argv: Arguments,
  name: string,
  parse: (text: string) => Value | undefined,
  allowed: string,
): Value[] | undefined {
  const given = argv[name];
  if (given === undefined) return undefined;
  const texts = (Array.isArray(given) ? given : [given]).flatMap((each) => String(each).split(','));
  return texts.map((text) => argument({ [name]: text }, name, parse, allowed) as Value);
}

export function parseCount(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
