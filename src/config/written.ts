/**
 * Values as a person would write them, exactly: reading what is written here gives the same value again. Secrets come
 * out as a mask of a fixed length.
 */
import { formatDuration } from '../lib/units.ts';
import type { SettingEntry } from './catalog.ts';
import type { SizeOrShare } from './kinds.ts';

export const MASK = '********';

const SIZE_UNITS = ['TiB', 'GiB', 'MiB', 'KiB'] as const;

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
      return formatDuration(value as number);
    case 'size':
      return exactSize(value as number);
    case 'size or percentage': {
      const share = value as SizeOrShare;
      return 'percent' in share ? `${share.percent}%` : exactSize(share.bytes);
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
function exactSize(bytes: number): string {
  let factor = 1024 ** SIZE_UNITS.length;
  for (const unit of SIZE_UNITS) {
    if (bytes > 0 && bytes % factor === 0) return `${bytes / factor}${unit}`;
    factor /= 1024;
  }
  return `${bytes}B`;
}
