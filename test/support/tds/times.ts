/** DATETIME2 on the wire: the time of day in units of its scale, then the days since the year one. */
import type { ByteReader } from './bytes.ts';
import { SqlError } from './sql-error.ts';

const DAYS_TO_1970 = 719_162;
const DAYS_IN_9999_YEARS = 3_652_059;
const DAY_MS = 86_400_000;

function timeBytes(scale: number): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}

/** `2026-05-01 12:00:00.123`. A time of day past midnight is none, as SQL Server says too. */
export function readDateTime2(reader: ByteReader, scale: number): string | null {
  const length = reader.uint8();
  if (length === 0) return null;
  const units = reader.magnitude(timeBytes(scale));
  const days = Number(reader.magnitude(3));
  const perSecond = 10n ** BigInt(scale);
  if (units >= 86_400n * perSecond || days >= DAYS_IN_9999_YEARS)
    throw new SqlError(8023, 'The supplied value is not a valid instance of data type datetime2.');
  const seconds = Number(units / perSecond);
  const date = new Date((days - DAYS_TO_1970) * DAY_MS + seconds * 1000).toISOString();
  const decimals = scale === 0 ? '' : `.${(units % perSecond).toString().padStart(scale, '0')}`;
  return `${date.slice(0, 10)} ${date.slice(11, 19)}${decimals}`;
}

export function fromDateTime2(text: string, scale: number): Buffer {
  const whole = Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`);
  const days = Math.floor(whole / DAY_MS);
  const decimals = BigInt(text.slice(20).padEnd(scale, '0').slice(0, scale) || '0');
  const units = BigInt((whole - days * DAY_MS) / 1000) * 10n ** BigInt(scale) + decimals;
  const size = timeBytes(scale);
  const bytes = Buffer.alloc(1 + size + 3);
  bytes.writeUInt8(size + 3, 0);
  bytes.writeUIntLE(Number(units), 1, size);
  bytes.writeUIntLE(days + DAYS_TO_1970, 1 + size, 3);
  return bytes;
}
