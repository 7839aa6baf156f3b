/**
 * Packs with Snappy: a block as its authors describe it, which every client of Kafka unpacks.
 *
 * The content goes in stretches of 64 KiB, so that two bytes hold every distance. A table remembers where the last four
 * bytes with a hash began; where they stand there again, a copy takes the place of a literal. Where nothing was found
 * for long, bytes are skipped, ever more: what cannot be packed costs little.
 *
 * As small as snappyjs makes it, for a fifth less: reading on, three of the four bytes are not read again.
 */
const STRETCH = 1 << 16;
const TABLE_BITS = 14;
const SMALLEST_TABLE_BITS = 8;
/** At a stretch's end so many bytes become a literal unseen: no four bytes read there would be its own. */
const MARGIN = 15;
const MULTIPLIER = 0x1e35a7bd;
/** Below so many bytes a loop is faster than a call. */
const CALL_FROM = 32;

export class SnappyPacker {
  /** By hash: where in the stretch the four bytes begin. One for all calls: to make it costs more than a small message. */
  readonly #table = new Uint16Array(1 << TABLE_BITS);

  pack(source: Buffer): Buffer {
    const { length } = source;
    const target = Buffer.allocUnsafe(32 + length + Math.floor(length / 6));
    let to = 0;
    let rest = length;
    for (; rest > 0x7f; rest >>>= 7) target[to++] = (rest & 0x7f) | 0x80;
    target[to++] = rest;
    for (let start = 0; start < length; start += STRETCH) {
      to = packStretch(source, start, Math.min(start + STRETCH, length), this.#table, target, to);
    }
    return target.subarray(0, to);
  }
}

function fourAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Answers where the target goes on. */
function packStretch(
  source: Buffer,
  start: number,
  end: number,
  table: Uint16Array,
  target: Buffer,
  begin: number,
): number {
  const limit = end - MARGIN;
  // A short content uses, and clears, a part of the table only.
  const bits = Math.max(SMALLEST_TABLE_BITS, Math.min(TABLE_BITS, 32 - Math.clz32(end - start)));
  const shift = 32 - bits;
  table.fill(0, 0, 1 << bits);
  let to = begin;
  let literal = start;
  let at = start + 1;
  let missed = 32;
  let four = fourAt(source, at);
  while (at < limit) {
    const hash = Math.imul(four, MULTIPLIER) >>> shift;
    let from = start + (table[hash] as number);
    table[hash] = at - start;
    if (fourAt(source, from) !== four) {
      const step = missed++ >>> 5;
      at += step;
      // One byte further three of the four are the same.
      four = step === 1 ? (four >>> 8) | ((source[at + 3] as number) << 24) : fourAt(source, at);
      continue;
    }
    if (literal < at) to = writeLiteral(source, literal, at, target, to);
    const matched = at;
    from += 4;
    at += 4;
    while (at < end && source[from] === source[at]) {
      from++;
      at++;
    }
    to = writeCopy(at - from, at - matched, target, to);
    literal = at;
    if (at >= limit) break;
    missed = 32;
    // What comes next often follows what was found: let the last byte of the match be found as well.
    table[Math.imul(fourAt(source, at - 1), MULTIPLIER) >>> shift] = at - 1 - start;
    four = fourAt(source, at);
  }
  return literal < end ? writeLiteral(source, literal, end, target, to) : to;
}

function writeLiteral(source: Buffer, from: number, end: number, target: Buffer, begin: number): number {
  const count = end - from;
  let to = begin;
  if (count <= 60) {
    target[to++] = (count - 1) << 2;
  } else if (count <= 0x100) {
    target[to++] = 60 << 2;
    target[to++] = count - 1;
  } else {
    target[to++] = 61 << 2;
    target[to++] = (count - 1) & 0xff;
    target[to++] = (count - 1) >>> 8;
  }
  if (count >= CALL_FROM) source.copy(target, to, from, end);
  else for (let index = 0; index < count; index++) target[to + index] = source[from + index] as number;
  return to + count;
}

function writeCopy(back: number, count: number, target: Buffer, begin: number): number {
  let to = begin;
  let left = count;
  while (left > 0) {
    // What remains is at least four bytes, the least that a copy may have.
    const part = left <= 64 ? left : left < 68 ? 60 : 64;
    left -= part;
    if (part < 12 && back < 2048) {
      target[to++] = 1 | ((part - 4) << 2) | ((back >>> 8) << 5);
      target[to++] = back & 0xff;
    } else {
      target[to++] = 2 | ((part - 1) << 2);
      target[to++] = back & 0xff;
      target[to++] = back >>> 8;
    }
  }
  return to;
}
