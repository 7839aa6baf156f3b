/**
 * The cells of a bulk load as the bytes of TDS, for the types that the staging tables have. Values were checked when
 * they were decoded; what a column could not hold throws all the same, since it would become another value.
 *
 * Beside what the driver takes, a time may be given as ms since the epoch and 16 bytes as a UUID, so that nobody has to
 * make a Date or a Buffer of each.
 */
import { uuidInto } from '../../sample/identity.ts';
import { columnType } from './column-types.ts';

/** Writes the value at the place; answers where it ends. */
export type WriteCell = (target: Buffer, at: number, value: unknown) => number;

/** What a cell takes at most, but for its text: a length of 8 bytes, one of 4, an end of 4; or 2 and 32 bytes. */
export const MOST_OF_CELL = 40;

const TWO_32 = 2 ** 32;
const MS_OF_DAY = 86_400_000;
/** From 0001-01-01, where the server's calendar begins, to 1970-01-01. */
const DAYS_TO_EPOCH = 719_162;
const LONGEST_NVARCHAR = 4000;

/** Throws RangeError for a type that is not used here. */
export function cellOf(text: string): WriteCell {
  const { type, length = 0, precision = 0, scale = 0 } = columnType(text);
  switch (type) {
    case 'Int':
      return orNull(writeInt);
    case 'BigInt':
      return orNull(writeBigInt);
    case 'Bit':
      return orNull(writeBit);
    case 'Decimal':
      return orNull(precision <= 9 ? decimalOf4(10 ** scale) : decimalOf8(10 ** scale, precision));
    case 'DateTime2':
      return orNull(dateTime2(scale));
    case 'NVarChar':
      return length <= LONGEST_NVARCHAR ? writeText : writeLongText;
    case 'Binary':
      return binary(length);
  }
}

function orNull(write: WriteCell): WriteCell {
  return (target, at, value) => {
    if (value !== null && value !== undefined) return write(target, at, value);
    target[at] = 0;
    return at + 1;
  };
}

const writeInt: WriteCell = (target, at, value) => {
  if (!(typeof value === 'number' && (value | 0) === value)) throw new RangeError(`not an INT: ${value}`);
  target[at] = 4;
  return write4(target, at + 1, value);
};

const writeBigInt: WriteCell = (target, at, value) => {
  target[at] = 8;
  if (typeof value === 'bigint') return target.writeBigInt64LE(value, at + 1);
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a BIGINT: ${value}`);
  return write8(target, at + 1, value as number);
};

const writeBit: WriteCell = (target, at, value) => {
  target[at] = 1;
  target[at + 1] = value ? 1 : 0;
  return at + 2;
};

/** A sign, and how many units of the last place. */
function decimalOf4(unit: number): WriteCell {
  return (target, at, value) => {
    const units = unitsOf(value, unit, TWO_32 - 1);
    target[at] = 5;
    target[at + 1] = (value as number) < 0 ? 0 : 1;
    return write4(target, at + 2, units);
  };
}

function decimalOf8(unit: number, precision: number): WriteCell {
  // Beyond it a number has no digits left to round to.
  if (precision > 15) throw new RangeError(`no column has a DECIMAL of ${precision} digits`);
  return (target, at, value) => {
    const units = unitsOf(value, unit, Number.MAX_SAFE_INTEGER);
    target[at] = 9;
    target[at + 1] = (value as number) < 0 ? 0 : 1;
    return write8(target, at + 2, units);
  };
}

function unitsOf(value: unknown, unit: number, most: number): number {
  const units = typeof value === 'number' ? Math.round(Math.abs(value * unit)) : Number.NaN;
  if (!(units <= most)) throw new RangeError(`not a DECIMAL: ${value}`);
  return units;
}

/** The time of day in units of the last place, then the day. */
function dateTime2(scale: number): WriteCell {
  if (scale !== 3) throw new RangeError(`no column has a DATETIME2 of ${scale} places`);
  return (target, at, value) => {
    const ms = Math.trunc(Number(value));
    const day = Math.floor(ms / MS_OF_DAY);
    const days = day + DAYS_TO_EPOCH;
    if (!(days >= 0 && days < 3_652_059)) throw new RangeError(`not a time of the years 1 to 9999: ${value}`);
    target[at] = 7;
    const end = write4(target, at + 1, ms - day * MS_OF_DAY);
    target[end] = days;
    target[end + 1] = days >>> 8;
    target[end + 2] = days >>> 16;
    return end + 3;
  };
}

const writeText: WriteCell = (target, at, value) => {
  if (value === null || value === undefined) return fill(target, at, 2);
  const text = textOf(value);
  target.writeUInt16LE(2 * text.length, at);
  return writeUcs2(target, at + 2, text);
};

/** Of unknown length: one piece with its own, and an end. */
const writeLongText: WriteCell = (target, at, value) => {
  if (value === null || value === undefined) return fill(target, at, 8);
  const text = textOf(value);
  target[at] = 0xfe;
  let end = fill(target, at + 1, 7);
  if (text.length > 0) {
    end = write4(target, end, 2 * text.length);
    end = writeUcs2(target, end, text);
  }
  return write4(target, end, 0);
};

function binary(length: number): WriteCell {
  if (length > MOST_OF_CELL - 2) throw new RangeError(`no column has a BINARY of ${length} bytes`);
  return (target, at, value) => {
    if (value === null || value === undefined) return fill(target, at, 2);
    if (typeof value === 'string') {
      target[at] = 16;
      target[at + 1] = 0;
      return uuidInto(value, target, at + 2);
    }
    const bytes = value as Uint8Array;
    if (bytes.length > length) throw new RangeError(`${bytes.length} bytes for a BINARY(${length})`);
    target.writeUInt16LE(bytes.length, at);
    target.set(bytes, at + 2);
    return at + 2 + bytes.length;
  };
}

/** Room was made for a text only. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new RangeError(`not an NVARCHAR: ${value}`);
  return value;
}

/** A short text is written faster here than by a call. */
const CALL_FROM = 48;

function writeUcs2(target: Buffer, at: number, text: string): number {
  if (text.length >= CALL_FROM) return at + target.write(text, at, 'utf16le');
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    target[at++] = unit;
    target[at++] = unit >>> 8;
  }
  return at;
}

function fill(target: Buffer, at: number, count: number): number {
  for (const end = at + count; at < end; at++) target[at] = 0xff;
  return at;
}

/** The low 32 bits. */
function write4(target: Buffer, at: number, value: number): number {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
  return at + 4;
}

function write8(target: Buffer, at: number, value: number): number {
  const high = Math.floor(value / TWO_32);
  write4(target, at, value - high * TWO_32);
  return write4(target, at + 4, high);
}
