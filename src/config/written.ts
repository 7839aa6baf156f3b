/**
 * Values as a person would write them, exactly: reading what is written here gives the same value again. Secrets come
 * out as a mask of a fixed length.
 */
import type { SettingEntry } from './catalog.ts';
import type { SizeOrShare } from './kinds.ts';

export const MASK = '********';

const SIZE_UNITS: readonly Unit[] = [
  ['TiB', 1024 ** 4],
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['B', 1],
];
const DURATION_UNITS: readonly Unit[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

type Unit = readonly [name: string, factor: number];

/** The value in force of a setting, as a JSON value that the settings file takes; null where there is none. */
export function writtenValue(
  setting: SettingEntry,
  value: unknown,
): string | number | boolean | readonly string[] | null {
  if (value === undefined) return null;
  switch (setting.kind) {
    case 'secret':
      return MASK;
    case 'duration':
      return exact(value as number, DURATION_UNITS);
    case 'size':
      return exact(value as number, SIZE_UNITS);
    case 'size or percentage': {
      const share = value as SizeOrShare;
      return 'percent' in share ? `${share.percent}%` : exact(share.bytes, SIZE_UNITS);
    }
    case 'integer':
      return value as number;
    case 'boolean':
      return value as boolean;
    case 'list':
      return value as readonly string[];
    default:
      return String(value);
  }
}

/** In the largest unit that gives a whole number. */
function exact(value: number, units: readonly Unit[]): string {
  const unit = units.find(([, factor]) => value > 0 && value % factor === 0);
  return unit === undefined ? '0' : `${value / unit[1]}${unit[0]}`;
}
