/**
 * Values with units, as people write them in settings: `5s`, `250ms`, `7d`, `512MiB`, `1GB`, `10%`.
 * Parsing answers undefined for what is not one; the caller knows which setting to name in the error.
 */
const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const NUMBER_WITH_UNIT = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;

/** Milliseconds of `5s`, `250ms`, `1.5h`; of a bare `0` also, since zero has no unit. */
export function parseDuration(text: string): number | undefined {
  return parseWithUnit(text, DURATION_MS);
}

/** Bytes of `512MiB`, `900KiB`, `1GB`, `4096B`; of a bare `0` also. */
export function parseSize(text: string): number | undefined {
  const bytes = parseWithUnit(text, SIZE_BYTES);
  return bytes === undefined ? undefined : Math.round(bytes);
}

function parseWithUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = NUMBER_WITH_UNIT.exec(text.trim());
  if (match === null) return undefined;
  const amount = Number(match[1]);
  const unit = (match[2] ?? '').toLowerCase();
  if (unit === '') return amount === 0 ? 0 : undefined;
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : amount * factor;
}

/** `5s`, `1m30s`, `250ms`, `7d`: the shortest exact writing, to the millisecond. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const size = DURATION_MS[unit] as number;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** `512MiB`, `900KiB`, `1.5GiB`: for people, at most one decimal. */
export function formatSize(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (Math.abs(value) < 1024) return `${trimmed(value)}${unit}`;
    value /= 1024;
  }
  return `${trimmed(value)}TiB`;
}

function trimmed(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1).replace(/\.0$/, '');
}
