/** xxHash, 32 bits, seed 0: the checksum of LZ4 frames. */
const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

/** An unsigned 32-bit number. */
export function xxhash32(data: Buffer): number {
  const size = data.length;
  let position = 0;
  let hash: number;
  if (size < 16) {
    hash = PRIME_5;
  } else {
    let a = (PRIME_1 + PRIME_2) | 0;
    let b = PRIME_2 | 0;
    let c = 0;
    let d = -PRIME_1 | 0;
    for (; position <= size - 16; position += 16) {
      a = lane(a, data.readUInt32LE(position));
      b = lane(b, data.readUInt32LE(position + 4));
      c = lane(c, data.readUInt32LE(position + 8));
      d = lane(d, data.readUInt32LE(position + 12));
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  }
  hash = (hash + size) | 0;
  for (; position <= size - 4; position += 4) {
    hash = Math.imul(rotate(hash + Math.imul(data.readUInt32LE(position), PRIME_3), 17), PRIME_4);
  }
  for (; position < size; position++) {
    hash = Math.imul(rotate(hash + Math.imul(data.readUInt8(position), PRIME_5), 11), PRIME_1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function lane(accumulator: number, word: number): number {
  return Math.imul(rotate(accumulator + Math.imul(word, PRIME_2), 13), PRIME_1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
