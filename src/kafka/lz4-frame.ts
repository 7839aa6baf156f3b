/**
 * LZ4 frames, the way Kafka compresses with LZ4.
 *
 *   magic │ flags │ block size │ [content size] │ header checksum │ { size │ block │ [checksum] }* │ 0 │ [checksum]
 *
 * Written as Kafka's own client does: independent blocks of 64 KiB (its reader refuses dependent ones), no checksums
 * (a record batch has its own), a block stored as it is when compression doesn't make it smaller. Read is everything
 * the format allows but dictionaries, several frames in a row included; checksums that are there must hold.
 */
import { blockBound, compressBlock, decompressBlock, newBlockTable } from './lz4-block.ts';
import { xxhash32 } from './xxhash32.ts';

const MAGIC = 0x184d2204;
/** Frames of this magic, with any last digit, are for others: to be skipped. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const VERSION = 0x40;
const VERSION_MASK = 0xc0;
const INDEPENDENT_BLOCKS = 0x20;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
const STORED = 0x80000000;
const BLOCK_64_KIB = 4;
const BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 };
const WRITTEN_BLOCK_BYTES = 1 << 16;
/** A byte of a block becomes at most so many: one more of the length of a match. */
const LARGEST_RATIO = 255;

export function compressFrame(source: Buffer): Buffer {
  const blocks = Math.ceil(source.length / WRITTEN_BLOCK_BYTES);
  const target = Buffer.allocUnsafe(15 + source.length + blocks * (4 + blockBound(0) + 258));
  const table = newBlockTable();
  target.writeUInt32LE(MAGIC, 0);
  target[4] = VERSION | INDEPENDENT_BLOCKS;
  target[5] = BLOCK_64_KIB << 4;
  target[6] = (xxhash32(target.subarray(4, 6)) >>> 8) & 0xff;
  let out = 7;
  for (let start = 0; start < source.length; start += WRITTEN_BLOCK_BYTES) {
    const end = Math.min(source.length, start + WRITTEN_BLOCK_BYTES);
    const blockEnd = compressBlock(source, start, end, target, out + 4, table);
    const size = blockEnd - out - 4;
    if (size < end - start) {
      target.writeUInt32LE(size, out);
      out = blockEnd;
    } else {
      target.writeUInt32LE((STORED | (end - start)) >>> 0, out);
      out += 4 + source.copy(target, out + 4, start, end);
    }
  }
  target.writeUInt32LE(0, out);
  return target.subarray(0, out + 4);
}

/** Throws when what is given is no LZ4 frame, is cut off or damaged, or holds more than `limit` bytes. */
export function decompressFrame(source: Buffer, limit: number): Buffer {
  const contents: Buffer[] = [];
  let left = limit;
  for (let position = 0; position < source.length; ) {
    const magic = source.readUInt32LE(position);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      position += 8 + source.readUInt32LE(position + 4);
      continue;
    }
    if (magic !== MAGIC) throw new Error('not an LZ4 frame');
    const { content, end } = readFrame(source, position + 4, left);
    contents.push(content);
    left -= content.length;
    position = end;
  }
  return contents.length === 1 ? (contents[0] as Buffer) : Buffer.concat(contents);
}

interface Header {
  readonly flags: number;
  readonly blockBytes: number;
  readonly contentSize: number | undefined;
  readonly end: number;
}

function readHeader(source: Buffer, start: number): Header {
  const flags = source.readUInt8(start);
  const blockBytes = BLOCK_BYTES[(source.readUInt8(start + 1) >> 4) & 7];
  if ((flags & VERSION_MASK) !== VERSION || blockBytes === undefined) throw new Error('an unknown kind of LZ4 frame');
  if ((flags & DICTIONARY) !== 0) throw new Error('an LZ4 frame with a dictionary');
  const hasSize = (flags & CONTENT_SIZE) !== 0;
  const contentSize = hasSize ? Number(source.readBigUInt64LE(start + 2)) : undefined;
  const end = start + (hasSize ? 10 : 2);
  const checksum = (xxhash32(source.subarray(start, end)) >>> 8) & 0xff;
  if (source.readUInt8(end) !== checksum) throw new Error('the LZ4 frame’s header is damaged');
  return { flags, blockBytes, contentSize, end: end + 1 };
}

function readFrame(source: Buffer, start: number, limit: number): { content: Buffer; end: number } {
  const header = readHeader(source, start);
  let position = header.end;
  let content = Buffer.alloc(0);
  let length = 0;
  for (;;) {
    const field = source.readUInt32LE(position);
    position += 4;
    if (field === 0) break;
    const size = field & 0x7fffffff;
    const end = position + size;
    if (size > header.blockBytes || end > source.length) throw new Error('the LZ4 frame is cut off or damaged');
    // No more than so few bytes can become: a frame that says that its blocks are large costs nothing by that.
    const room = field >= STORED ? size : Math.min(header.blockBytes, size * LARGEST_RATIO);
    content = withRoom(content, length, room);
    length =
      field >= STORED
        ? length + source.copy(content, length, position, end)
        : decompressBlock(source, position, end, content.subarray(0, length + room), length);
    if (length > limit) throw new Error('the LZ4 content is larger than is believed');
    position = end;
    if ((header.flags & BLOCK_CHECKSUM) !== 0) {
      verify(source.subarray(position - size, position), source.readUInt32LE(position));
      position += 4;
    }
  }
  content = content.subarray(0, length);
  if ((header.flags & CONTENT_CHECKSUM) !== 0) {
    verify(content, source.readUInt32LE(position));
    position += 4;
  }
  if (header.contentSize !== undefined && header.contentSize !== length) {
    throw new Error('the LZ4 frame is not as long as it says');
  }
  return { content, end: position };
}

/** A buffer of the same first `length` bytes with room for `more`; it grows by doubling. */
function withRoom(content: Buffer<ArrayBuffer>, length: number, more: number): Buffer<ArrayBuffer> {
  if (content.length - length >= more) return content;
  const grown = Buffer.allocUnsafe(Math.max(content.length * 2, length + more));
  content.copy(grown, 0, 0, length);
  return grown;
}

function verify(content: Buffer, checksum: number): void {
  if (xxhash32(content) !== checksum) throw new Error('an LZ4 checksum does not hold');
}
