/**
 * LZ4 blocks: what an LZ4 frame (lz4-frame.ts) consists of.
 *
 * A block is a row of sequences: a token (four bits length of literals, four bits length of match − 4; 15 means more
 * bytes follow, each 255 means yet another), the literals, and two bytes saying how far back the match begins. The
 * last sequence is literals only. Two rules of the format: the last 5 bytes are literals, and no match begins in the
 * last 12. The encoder is the plain greedy one: a table of the last place of each hash of 4 bytes, and steps that grow
 * where nothing matches.
 */
const MIN_MATCH = 4;
const LAST_LITERALS = 5;
const NO_MATCH_IN_LAST = 12;
const MAX_DISTANCE = 65_535;
const HASH_BITS = 13;
/** After 2^6 misses the search moves by two bytes, after 2 · 2^6 by three … */
const SKIP_BITS = 6;

/** The encoder's table; one may serve any number of blocks, one after the other. */
export function newBlockTable(): Int32Array {
  return new Int32Array(1 << HASH_BITS);
}

/** Most bytes that a block of `size` bytes can become. */
export function blockBound(size: number): number {
  return size + Math.ceil(size / 255) + 16;
}

/** Compresses source[start, end) to target[at, …), which has room for `blockBound`; answers where it ended. */
export function compressBlock(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
  table: Int32Array,
): number {
  table.fill(-1);
  const lastStart = end - NO_MATCH_IN_LAST;
  const matchEnd = end - LAST_LITERALS;
  let out = at;
  let anchor = start;
  let position = start;
  let misses = 0;
  while (position <= lastStart) {
    const word = source.readUInt32LE(position);
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const candidate = table[hash] as number;
    table[hash] = position;
    if (candidate < 0 || position - candidate > MAX_DISTANCE || source.readUInt32LE(candidate) !== word) {
      position += 1 + (misses++ >> SKIP_BITS);
      continue;
    }
    misses = 0;
    let length = MIN_MATCH;
    while (position + length < matchEnd && source[candidate + length] === source[position + length]) length++;
    out = writeSequence(source, anchor, position, target, out, length);
    target.writeUInt16LE(position - candidate, out);
    out = writeLength(target, out + 2, length - MIN_MATCH);
    position += length;
    anchor = position;
  }
  return writeSequence(source, anchor, end, target, out, MIN_MATCH);
}

/** Token and literals; the match's distance and the rest of its length come after. */
function writeSequence(source: Buffer, from: number, to: number, target: Buffer, at: number, match: number): number {
  const literals = to - from;
  target[at] = (Math.min(literals, 15) << 4) | Math.min(match - MIN_MATCH, 15);
  const out = writeLength(target, at + 1, literals);
  source.copy(target, out, from, to);
  return out + literals;
}

/** What of a length its four bits in the token could not say. */
function writeLength(target: Buffer, at: number, length: number): number {
  let out = at;
  if (length < 15) return out;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) target[out++] = 255;
  target[out++] = rest;
  return out;
}

/**
 * Decompresses source[start, end) to target[at, …); answers where it ended. A match may reach back before `at`, into
 * what earlier blocks have left. Throws when the block is damaged, or is more than the target holds.
 */
export function decompressBlock(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  let position = start;
  let out = at;
  const readLength = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) {
      let byte: number;
      do {
        byte = byteAt(source, position++, end);
        length += byte;
      } while (byte === 255);
    }
    return length;
  };
  while (position < end) {
    const token = byteAt(source, position++, end);
    const literals = readLength(token >> 4);
    if (position + literals > end || out + literals > target.length) throw damaged();
    source.copy(target, out, position, position + literals);
    position += literals;
    out += literals;
    if (position === end) return out;

    const distance = byteAt(source, position, end) | (byteAt(source, position + 1, end) << 8);
    position += 2;
    const length = readLength(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > out || out + length > target.length) throw damaged();
    if (distance >= length) target.copyWithin(out, out - distance, out - distance + length);
    // An overlapping match repeats itself: byte by byte.
    else for (let i = out; i < out + length; i++) target[i] = target[i - distance] as number;
    out += length;
  }
  throw damaged();
}

function byteAt(source: Buffer, position: number, end: number): number {
  if (position >= end) throw damaged();
  return source[position] as number;
}

function damaged(): Error {
  return new Error('the LZ4 block is damaged');
}
