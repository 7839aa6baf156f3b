/**
 * UUIDs as text on the wire and as 16 bytes in a database, and the making of new ones.
 *
 * A UUIDv7 carries the time of its making, so run_ids and event_ids sort by age. A wall clock that steps back by less
 * than ten seconds does not break the order; one that steps further back is followed.
 */
import { V7Generator } from 'uuidv7';

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Makes UUIDv7s. */
export class UuidSource {
  readonly #now: () => number;
  readonly #generator = new V7Generator();

  /** `now`: the wall clock, ms since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  next(): string {
    return this.#generator.generateOrResetWithTs(Math.floor(this.#now())).toString();
  }
}

/** Whether the text is a UUID in its canonical writing: lower case, 8-4-4-4-12. */
export function isUuid(text: string): boolean {
  return CANONICAL.test(text);
}

/** The canonical writing of what may be a UUID in capitals; undefined for what is none. */
export function canonicalUuid(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (CANONICAL.test(value)) return value;
  // A text of megabytes is not copied to find out.
  const lower = value.length === 36 ? value.toLowerCase() : '';
  return CANONICAL.test(lower) ? lower : undefined;
}

/** The 16 bytes of a UUID in canonical writing. */
export function uuidToBytes(uuid: string): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  uuidInto(uuid, bytes, 0);
  return bytes;
}

/** Writes its 16 bytes at the place; answers where they end. Throws TypeError for what is no UUID in canonical writing. */
export function uuidInto(uuid: string, target: Uint8Array, at: number): number {
  let wrong = uuid.length ^ 36;
  for (let index = 0; index < 36; index++) {
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      wrong |= uuid.charCodeAt(index) ^ DASH;
      continue;
    }
    const high = digit(uuid.charCodeAt(index++));
    const low = digit(uuid.charCodeAt(index));
    wrong |= (high | low) & NO_DIGIT;
    target[at++] = (high << 4) | low;
  }
  if (wrong !== 0) throw new TypeError(`not a UUID: ${uuid}`);
  return at;
}

const DASH = 0x2d;
const NO_DIGIT = 0x100;
/** What each character code below 128 is worth as a digit; capital letters are not canonical. */
const DIGITS = Uint16Array.from({ length: 128 }, (_, code) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return value < 0 ? NO_DIGIT : value;
});

function digit(code: number): number {
  return code < 128 ? (DIGITS[code] as number) : NO_DIGIT;
}

/** The canonical writing of 16 bytes. */
export function uuidFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new TypeError(`a UUID has 16 bytes, not ${bytes.length}`);
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** When a UUIDv7 was made, ms since the epoch; null for a UUID of another version. */
export function uuidTime(uuid: string): number | null {
  return uuid[14] === '7' ? Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16) : null;
}
