/** Times as this database keeps them: UTC text with ms, `2026-05-01 12:00:00.123`, which sorts by time. */

/** `ms` since the epoch, of the years 0 to 9999. */
export function toTimeText(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}`;
}

export function fromTimeText(text: string): number {
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11)}Z`);
}
