/** Reading and writing the little-endian pieces that TDS is made of. */

/** There are not enough bytes yet; more may come. */
export class OutOfBytes extends Error {}

export class ByteReader {
  readonly bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  get left(): number {
    return this.bytes.length - this.position;
  }

  take(count: number): Buffer {
    const start = this.#advance(count);
    return this.bytes.subarray(start, start + count);
  }

  uint8(): number {
    return this.bytes.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.bytes.readUInt16LE(this.#advance(2));
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.#advance(4));
  }

  uint64(): bigint {
    return this.bytes.readBigUInt64LE(this.#advance(8));
  }

  /** An unsigned integer of any length. */
  magnitude(count: number): bigint {
    if (count === 8) return this.uint64();
    if (count <= 6) return BigInt(this.bytes.readUIntLE(this.#advance(count), count));
    let value = 0n;
    const bytes = this.take(count);
    for (let index = count - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] as number);
    return value;
  }

  /** UTF-16 behind its length in characters: one byte of length. */
  shortText(): string {
    return this.take(this.uint8() * 2).toString('utf16le');
  }

  /** The same with two bytes of length. */
  text(): string {
    return this.take(this.uint16() * 2).toString('utf16le');
  }

  #advance(count: number): number {
    if (this.left < count) throw new OutOfBytes();
    const start = this.position;
    this.position += count;
    return start;
  }
}

export class ByteWriter {
  readonly #parts: Buffer[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  put(...parts: readonly (Buffer | readonly number[])[]): this {
    for (const part of parts) this.#parts.push(Buffer.isBuffer(part) ? part : Buffer.from(part));
    return this;
  }

  uint8(value: number): this {
    return this.put([value]);
  }

  uint16(value: number): this {
    return this.put([value & 0xff, value >> 8]);
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value | 0);
    return this.put(bytes);
  }

  int64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt.asIntN(64, value));
    return this.put(bytes);
  }

  magnitude(value: bigint, count: number): this {
    const bytes = Buffer.alloc(count);
    for (let index = 0; index < count; index++) bytes[index] = Number((value >> BigInt(8 * index)) & 0xffn);
    return this.put(bytes);
  }

  shortText(text: string): this {
    return this.uint8(text.length).put(Buffer.from(text, 'utf16le'));
  }

  text(text: string): this {
    return this.uint16(text.length).put(Buffer.from(text, 'utf16le'));
  }
}
