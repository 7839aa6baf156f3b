/**
 * Timestamps of messages: ISO 8601 dates with a time, as any producer writes them.
 *
 * Read by position, without `Date.parse`: that one takes a time without an offset for local time, takes dates that
 * are not in the calendar, and rounds as it likes.
 */

const ZERO = 48;
const NINE = 57;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const MINUTE_MS = 60_000;

/** 9999-12-31T23:59:59.999Z, the last that a database's type holds. */
const LAST_MS = 253_402_300_799_999;

/**
 * Milliseconds since the epoch of `2026-05-01T12:00:00.123Z`; undefined for what is not a timestamp from 1970 to 9999.
 * `T` may be a space, the fraction may be missing or longer (it is cut off at the millisecond), the offset may be
 * `Z`, `+02:00`, `+0200` or `+02`; without one it is UTC.
 */
export function parseTimestamp(text: string): number | undefined {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  const separators =
    text[4] === '-' && text[7] === '-' && isDateEnd(text[10]) && text[13] === ':' && text[16] === ':' && year >= 1970;
  if (!separators || day < 1 || day > daysOf(year, month) || hour > 23 || minute > 59 || second > 59) return undefined;
  if (hour < 0 || minute < 0 || second < 0) return undefined;

  let position = 19;
  let fraction = 0;
  if (text[position] === '.' || text[position] === ',') {
    const first = ++position;
    for (; isDigit(text.charCodeAt(position)); position++) {
      if (position - first < 3) fraction += (text.charCodeAt(position) - ZERO) * 10 ** (2 - (position - first));
    }
    if (position === first) return undefined;
  }
  const offset = offsetMinutes(text, position);
  if (offset === undefined) return undefined;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, fraction) - offset * MINUTE_MS;
  return ms >= 0 && ms <= LAST_MS ? ms : undefined;
}

function isDateEnd(character: string | undefined): boolean {
  return character === 'T' || character === ' ' || character === 't';
}

/** The number that `length` digits at `start` make, or −1. */
function digits(text: string, start: number, length: number): number {
  let value = 0;
  for (let position = start; position < start + length; position++) {
    const code = text.charCodeAt(position);
    if (!isDigit(code)) return -1;
    value = value * 10 + code - ZERO;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function daysOf(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return (DAYS[month - 1] ?? 0) + (leap ? 1 : 0);
}

/** Minutes east of UTC of what begins at `position` and ends the text. */
function offsetMinutes(text: string, position: number): number | undefined {
  if (position === text.length) return 0;
  const sign = text[position];
  if (sign === 'Z' || sign === 'z') return position + 1 === text.length ? 0 : undefined;
  if (sign !== '+' && sign !== '-') return undefined;
  const hours = digits(text, position + 1, 2);
  let rest = position + 3;
  let minutes = 0;
  if (rest < text.length) {
    if (text[rest] === ':') rest++;
    minutes = digits(text, rest, 2);
    rest += 2;
  }
  if (rest !== text.length || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (hours * 60 + minutes);
}
