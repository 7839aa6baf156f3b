/**
 * Reads the bytes of a usual message without `JSON.parse`: most of what decoding costs is making an object of some
 * forty members that is looked at once.
 *
 * Usual is what agents send nearly always: one flat object without white space; names that are known, each once; texts
 * of printable ASCII without escapes; numbers without sign and exponent, of at most 15 digits; UUIDs in lower case; no
 * notes, no details. Of anything else, and of everything that might be wrong, it says nothing (`undefined`): the
 * decoder then reads the message in the usual way and finds the words for what is wrong. So it may give up wherever it
 * likes, but where it answers, its answer is the decoder's: a property test holds the one against the other.
 *
 *   "name": ─▶ the name that followed last time? else by its text ─▶ value by the kind of the field ─▶ , or }
 *
 * A number of at most 15 digits and a power of ten up to 10^15 are exact as doubles, so their quotient is the double
 * nearest to what was written: the one that JSON.parse gives.
 */
import { round2 } from '../lib/rounding.ts';
import type { DecodedSample, FieldValue } from './decode.ts';
import { isSeq } from './decode-notes.ts';
import { FIELDS, type FieldKind, REQUIRED_FIELDS } from './fields.ts';
import { parseTimestamp } from './timestamp.ts';

/** A name that a message may have, and what is known of it. */
interface Member {
  /** As it stands in a message: `"name":`. */
  readonly bytes: Uint8Array;
  /** What it is of the sample; a field is its place in FIELDS. */
  readonly is: 'hostname' | 'timestamp' | 'event_id' | 'run_id' | 'seq' | number;
  readonly kind: FieldKind | undefined;
  /** What came after it last time: agents of a version write their members in one order. */
  next: Member | undefined;
}

const [QUOTE, BACKSLASH, COMMA, POINT, COLON, DASH, ZERO, OPEN, CLOSE] = [...'"\\,.:-0{}'].map((character) =>
  character.charCodeAt(0),
) as [number, number, number, number, number, number, number, number, number];
const [SPACE, LAST_PRINTABLE] = [0x20, 0x7e];
const UUID_LENGTH = 36;
const UUID_DASHES = [8, 13, 18, 23];
const HOSTNAME_LENGTH = 255;
const EXACT_DIGITS = 15;
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);
const NO_NOTES: DecodedSample['notes'] = [];

const HEX = new Uint8Array(256);
for (const digit of '0123456789abcdef') HEX[digit.charCodeAt(0)] = 1;

export class QuickReader {
  readonly #members = new Map<string, Member>();
  #first: Member | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor() {
    const add = (name: string, is: Member['is'], kind?: FieldKind) =>
      this.#members.set(name, { bytes: Buffer.from(`"${name}":`), is, kind, next: undefined });
    for (const name of ['hostname', 'timestamp', 'event_id', 'run_id', 'seq'] as const) add(name, name);
    for (const [index, { name, kind }] of FIELDS.entries()) add(name, index, kind);
  }

  /** The sample, if the message is a usual one. */
  read(bytes: Buffer): DecodedSample | undefined {
    if (bytes[0] !== OPEN) return undefined;
    this.#bytes = bytes;
    this.#at = 1;
    let event_id: string | undefined;
    let run_id: string | undefined;
    let seq: number | undefined;
    let hostname: string | undefined;
    let timestamp: number | undefined;
    const values: FieldValue[] = new Array(FIELDS.length).fill(null);
    let required = 0;
    let member = this.#memberAfter(undefined);
    for (;;) {
      if (member === undefined) return undefined;
      const { is, kind } = member;
      if (kind !== undefined) {
        const index = is as number;
        const value = kind.type === 'text' ? this.#text(kind.max) : this.#number(kind);
        if (value === undefined || values[index] !== null) return undefined;
        values[index] = value;
        if (index < REQUIRED_FIELDS) required++;
      } else if (is === 'hostname') {
        if (hostname !== undefined) return undefined;
        hostname = this.#text(HOSTNAME_LENGTH);
        if (hostname === undefined || hostname.length === 0 || hostname.trim() !== hostname) return undefined;
      } else if (is === 'timestamp') {
        const text = this.#text(HOSTNAME_LENGTH);
        if (timestamp !== undefined || text === undefined) return undefined;
        timestamp = parseTimestamp(text);
        if (timestamp === undefined) return undefined;
      } else if (is === 'event_id') {
        if (event_id !== undefined) return undefined;
        event_id = this.#uuid();
      } else if (is === 'run_id') {
        if (run_id !== undefined) return undefined;
        run_id = this.#uuid();
      } else {
        const value = this.#digits();
        if (seq !== undefined || !isSeq(value)) return undefined;
        seq = value;
      }
      const end = bytes[this.#at++];
      if (end === CLOSE) break;
      if (end !== COMMA) return undefined;
      member = this.#memberAfter(member);
    }
    if (this.#at !== bytes.length || required !== REQUIRED_FIELDS || hostname === undefined) return undefined;
    if (event_id === undefined || run_id === undefined || seq === undefined || timestamp === undefined) {
      return undefined;
    }
    return { event_id, run_id, seq, hostname, timestamp, values, notes: NO_NOTES };
  }

  /** The member whose name comes next; leaves its value as what is read next. */
  #memberAfter(before: Member | undefined): Member | undefined {
    const guess = before === undefined ? this.#first : before.next;
    if (guess !== undefined && this.#follows(guess.bytes)) return guess;
    const start = this.#at + 1;
    const end = this.#bytes.indexOf(QUOTE, start);
    if (end < 0 || this.#bytes[start - 1] !== QUOTE || this.#bytes[end + 1] !== COLON) return undefined;
    const member = this.#members.get(this.#bytes.toString('latin1', start, end));
    if (member === undefined) return undefined;
    this.#at = end + 2;
    if (before === undefined) this.#first = member;
    else before.next = member;
    return member;
  }

  #follows(wanted: Uint8Array): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let index = 0; index < wanted.length; index++) if (bytes[at++] !== wanted[index]) return false;
    this.#at = at;
    return true;
  }

  #text(longest: number): string | undefined {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    if (bytes[start - 1] !== QUOTE) return undefined;
    for (let at = start; at <= start + longest; at++) {
      // Behind the end there is nothing, which is no number.
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return bytes.toString('latin1', start, at);
      }
      if (byte < SPACE || byte > LAST_PRINTABLE || byte === BACKSLASH) return undefined;
    }
    return undefined;
  }

  #uuid(): string | undefined {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    const end = start + UUID_LENGTH;
    if (bytes[start - 1] !== QUOTE || bytes[end] !== QUOTE) return undefined;
    let digits = 0;
    for (let at = start; at < end; at++) digits += HEX[bytes[at] as number] as number;
    if (digits !== UUID_LENGTH - UUID_DASHES.length) return undefined;
    for (const dash of UUID_DASHES) if (bytes[start + dash] !== DASH) return undefined;
    this.#at = end + 1;
    return bytes.toString('latin1', start, end);
  }

  #number(kind: FieldKind): number | undefined {
    const value = this.#digits();
    if (value === undefined || value < kind.min || value > kind.max) return undefined;
    if (kind.type === 'decimal') return round2(value);
    return Number.isInteger(value) ? value : undefined;
  }

  #digits(): number | undefined {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    let digits = 0;
    for (; ; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      digits = digits * 10 + digit;
    }
    const whole = at - start;
    if (whole === 0 || whole > EXACT_DIGITS || (whole > 1 && bytes[start] === ZERO)) return undefined;
    if (bytes[at] !== POINT) {
      this.#at = at;
      return digits;
    }
    const point = at++;
    for (; ; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      digits = digits * 10 + digit;
    }
    const fraction = at - point - 1;
    if (fraction === 0 || whole + fraction > EXACT_DIGITS) return undefined;
    this.#at = at;
    return digits / (POWERS[fraction] as number);
  }
}
