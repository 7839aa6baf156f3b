/** Times as this database keeps them: UTC text with ms, `2026-05-01 12:00:00.123`, which sorts by time. */

const MS_OF_MINUTE = 60_000;
/** `:00.`, `:01.` … */
const SECONDS = Array.from({ length: 60 }, (_, second) => `:${String(second).padStart(2, '0')}.`);
const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => String(ms).padStart(3, '0'));

/** Makes the texts of times, most of them of one minute, for whoever makes many. */
export class TimeTexts {
  #minute = Number.NaN;
  #text = '';

  /** `ms` since the epoch, of the years 0 to 9999. */
  of(ms: number): string {
    const minute = Math.floor(ms / MS_OF_MINUTE);
    if (minute !== this.#minute) {
      const iso = new Date(minute * MS_OF_MINUTE).toISOString();
      this.#text = `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
      this.#minute = minute;
    }
    const rest = Math.trunc(ms - minute * MS_OF_MINUTE);
    return this.#text + SECONDS[Math.trunc(rest / 1000)] + MILLISECONDS[rest % 1000];
  }
}

/** `ms` since the epoch, of the years 0 to 9999. */
export function toTimeText(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}`;
}

export function fromTimeText(text: string): number {
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11)}Z`);
}
