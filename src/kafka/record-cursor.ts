/** Reads the fields of records one after the other. Kafka's integers within records are zigzag varints. */
export class RecordCursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#at;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  /** Up to 32 bits. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] as number;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 28) throw new Error('a number of more than 32 bits');
      byte = bytes[this.#at++] as number;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** Up to 64 bits, exact up to 53. */
  varlong(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] as number;
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      if (scale > 2 ** 63) throw new Error('a number of more than 64 bits');
      byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A length and as many bytes, as a part of what is read here; null for the length −1. */
  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw new Error('a field that is longer than the records');
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }
}
