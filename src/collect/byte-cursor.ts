/**
 * Reads the text that the kernel shows in /proc, as bytes: numbers and labels without a string or an array per line.
 *
 * Strict by intent. A number ends at a blank, a line's end or the end of the text; anything else in its place, a sign
 * or a letter, is no number, and the caller says which file is garbled rather than sending half of a value.
 */
const NEWLINE = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const POINT = 0x2e;
const ZERO = 0x30;

/** 2^53: the counters of the wire contract live in [0, 2^53). */
export const COUNTER_SPAN = 2 ** 53;
/** Below this another digit can be appended exactly. */
const EXACT_PREFIX = Math.floor((Number.MAX_SAFE_INTEGER - 9) / 10);
/** A 64-bit counter has at most so many digits. */
const MOST_DIGITS = 20;

/** The bytes of a label, to compare with; ASCII. */
export function label(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export class ByteCursor {
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  #at = 0;

  /** Starts over on the first `length` bytes of `bytes`. */
  load(bytes: Buffer, length: number): this {
    this.#bytes = bytes;
    this.#end = length;
    this.#at = 0;
    return this;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The byte under the cursor; 0 at the end. */
  get byte(): number {
    return this.#at < this.#end ? (this.#bytes[this.#at] as number) : 0;
  }

  /** Moves past `expected` when it is what comes next. */
  take(expected: Uint8Array): boolean {
    if (this.#end - this.#at < expected.length) return false;
    for (let i = 0; i < expected.length; i++) {
      if (this.#bytes[this.#at + i] !== expected[i]) return false;
    }
    this.#at += expected.length;
    return true;
  }

  /** Moves to the beginning of the next line; answers whether there is one. */
  nextLine(): boolean {
    while (this.#at < this.#end && this.#bytes[this.#at] !== NEWLINE) this.#at++;
    this.#at++;
    return this.#at < this.#end;
  }

  skipBlanks(): void {
    while (this.#at < this.#end && isBlank(this.#bytes[this.#at] as number)) this.#at++;
  }

  /**
   * The unsigned integer after blanks; NaN, without moving beyond it, where there is none.
   *
   * A counter of 2^53 or more comes out modulo 2^53: JSON numbers are exact only below, and a counter that begins
   * again at 0 is what every reader of counters copes with already, while one that stands still would read as silence.
   */
  integer(): number {
    this.skipBlanks();
    const start = this.#at;
    let value = 0;
    let digit = this.byte - ZERO;
    while (digit >= 0 && digit <= 9 && value <= EXACT_PREFIX) {
      value = value * 10 + digit;
      this.#at++;
      digit = this.byte - ZERO;
    }
    if (digit >= 0 && digit <= 9) value = this.#longInteger(start);
    return this.#at === start || !this.#atWordEnd() ? Number.NaN : value;
  }

  #longInteger(start: number): number {
    let digit = this.byte - ZERO;
    while (digit >= 0 && digit <= 9) {
      this.#at++;
      digit = this.byte - ZERO;
    }
    if (this.#at - start > MOST_DIGITS) return Number.NaN;
    return Number(BigInt.asUintN(53, BigInt(this.#bytes.toString('latin1', start, this.#at))));
  }

  /** The unsigned decimal (`0.16`, `12`) after blanks; NaN where there is none. */
  decimal(): number {
    this.skipBlanks();
    const start = this.#at;
    let value = 0;
    let scale = 0;
    for (; this.#at < this.#end; this.#at++) {
      const byte = this.byte;
      if (byte === POINT && scale === 0 && this.#at > start) scale = 1;
      else if (byte >= ZERO && byte <= ZERO + 9) {
        value = value * 10 + (byte - ZERO);
        scale *= 10;
      } else break;
    }
    const length = this.#at - start;
    if (length === 0 || length > MOST_DIGITS || scale === 1 || !this.#atWordEnd()) return Number.NaN;
    return scale === 0 ? value : value / scale;
  }

  /** The bytes up to the next blank or the line's end, after blanks, as UTF-8 text; '' where there are none. */
  word(): string {
    this.skipBlanks();
    const start = this.#at;
    while (!this.#atWordEnd()) this.#at++;
    return this.#bytes.toString('utf8', start, this.#at);
  }

  /** The text before the last `byte` of this line, trimmed; the cursor moves past it. Undefined if there is none. */
  textBeforeLast(byte: number): string | undefined {
    this.skipBlanks();
    let last = -1;
    for (let at = this.#at; at < this.#end && this.#bytes[at] !== NEWLINE; at++) {
      if (this.#bytes[at] === byte) last = at;
    }
    if (last < 0) return undefined;
    const text = this.#bytes.toString('utf8', this.#at, last).replace(/[ \t]+$/, '');
    this.#at = last + 1;
    return text;
  }

  /** Everything from the cursor on, as UTF-8 text. */
  rest(): string {
    return this.#bytes.toString('utf8', this.#at, this.#end);
  }

  #atWordEnd(): boolean {
    if (this.#at >= this.#end) return true;
    const byte = this.#bytes[this.#at] as number;
    return isBlank(byte) || byte === NEWLINE;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
