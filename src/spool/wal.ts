/**
 * The write-ahead log, read frame by frame.
 *
 *   header 32  magic | version | page size | sequence | salt 1 | salt 2 | checksum 1 | checksum 2
 *   frame 24   page | size of the database after a commit, else 0 | salt 1 | salt 2 | checksum 1 | checksum 2 | page image
 *
 * A frame's checksum continues the one before it, so SQLite stops at the first frame that is not as written and drops
 * all behind it. But the checksum it continues is stored in the frame before: each frame can be judged by itself, and
 * one bad frame costs itself (and its successor, if its header is what is bad). So nothing behind it is dropped here.
 *
 *   sound    as written, and in a transaction that was committed: this image counts
 *   unsound  damaged, or never committed: its rows are taken if their own checksum holds, but older images are read too
 *
 * When SQLite starts the log over, it takes new salts and leaves the old frames behind the new ones: all of those are
 * in the database already. The last frame with the current salts ends the log; a strange frame before it is damage.
 *
 * Where SQLite stops at a bad frame it also writes on, with the same salts: what lay behind is overwritten bit by bit,
 * and the rest of it can't be told from newer frames behind a damaged one. So before SQLite writes to a log after a
 * death, its rest is to be made void (`voidRest`). The file keeps its size: on a full disk that is all the room there is.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { errorCode } from '../lib/errors.ts';
import { type ByteSource, FileBytes } from './bytes.ts';
import { PAGE_SIZE } from './schema.ts';

const HEADER = 32;
const FRAME_HEADER = 24;
const FRAME = FRAME_HEADER + PAGE_SIZE;

/** The last bit says whether checksums are over big-endian words. */
const MAGIC = 0x377f0682;

/** Checksums over little-endian and big-endian words. */
type Order = 'little' | 'big';

interface Pair {
  readonly first: number;
  readonly second: number;
}

/** What SQLite does not come to. */
export interface Rest {
  /** Its frames in the log. */
  readonly from: number;
  readonly to: number;
  /** Whether there is a whole commit in it. */
  readonly hidesCommits: boolean;
}

export interface Frame {
  readonly index: number;
  readonly sound: boolean;
}

interface FrameHead {
  readonly page: number;
  /** Pages of the database after this commit; 0 if the transaction goes on. */
  readonly commit: number;
  readonly salts: Pair;
  readonly intact: boolean;
}

export class Wal {
  readonly #source: ByteSource;
  readonly #frames = new Map<number, Frame[]>();

  /** Whether a committed part of it is damaged, so that the newest image of some page is missing. */
  readonly broken: boolean;
  /** Frames of this log behind the last commit that SQLite comes to; undefined without any. */
  readonly rest: Rest | undefined;
  /** Whether every frame is sound. */
  readonly sound: boolean;
  /** Pages of the database after the last commit; undefined without one. */
  readonly databasePages: number | undefined;

  private constructor(source: ByteSource, heads: readonly FrameHead[], headerIntact: boolean) {
    this.#source = source;
    const lastCommit = heads.findLastIndex((head) => head.intact && head.commit > 0);
    let broken = !headerIntact && heads.length > 0;
    for (const [index, { page, intact }] of heads.entries()) {
      if (!intact && index < lastCommit) broken = true;
      if (page === 0) continue;
      const frame = { index, sound: intact && index <= lastCommit };
      const frames = this.#frames.get(page);
      if (frames === undefined) this.#frames.set(page, [frame]);
      else frames.push(frame);
    }
    this.broken = broken;
    const firstBad = heads.findIndex(({ intact, page }) => !intact || page === 0);
    const readable = headerIntact ? heads.slice(0, firstBad < 0 ? heads.length : firstBad) : [];
    const read = readable.findLastIndex(({ commit }) => commit > 0) + 1;
    const hidesCommits = broken && lastCommit >= 0;
    this.rest = read < heads.length ? { from: read, to: heads.length, hidesCommits } : undefined;
    this.sound = headerIntact && lastCommit === heads.length - 1 && !broken;
    this.databasePages = heads[lastCommit]?.commit;
  }

  static read(source: ByteSource): Wal {
    const header = Buffer.alloc(HEADER);
    const readable = source.read(header, 0);
    const magic = header.readUInt32BE(0);
    const known = (magic & ~1) >>> 0 === MAGIC;
    const order: Order = (magic & 1) === 1 ? 'big' : 'little';
    const stored = pairAt(header, 24);
    const headerIntact =
      readable && known && same(checksum(header.subarray(0, 24), order, { first: 0, second: 0 }), stored);
    const orders: readonly Order[] = headerIntact ? [order] : ['little', 'big'];
    const heads = readHeads(source, orders, stored);
    const salts = headerIntact ? pairAt(header, 16) : guessSalts(heads);
    const end = heads.findLastIndex((head) => salts !== undefined && same(head.salts, salts)) + 1;
    const current = heads
      .slice(0, end)
      .map((head) => (salts !== undefined && same(head.salts, salts) ? head : { ...head, intact: false }));
    return new Wal(source, current, headerIntact);
  }

  /** That of the log at this path; undefined too where it is missing or can't be read: SQLite says what is to be said. */
  static restAt(path: string): Rest | undefined {
    try {
      const source = FileBytes.open(path);
      try {
        return source.size > 0 ? Wal.read(source).rest : undefined;
      } finally {
        source.close();
      }
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Makes its frames such that nobody takes them for any. The spool's lock is the caller's; throws what the system says. */
  static voidRest(path: string, { from, to }: Rest): void {
    const nothing = Buffer.alloc(FRAME_HEADER);
    const file = openSync(path, 'r+');
    try {
      for (let index = from; index < to; index++) writeSync(file, nothing, 0, FRAME_HEADER, HEADER + index * FRAME);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Numbers of the pages that have a frame, by what the frames say of themselves. */
  get pages(): Iterable<number> {
    return this.#frames.keys();
  }

  /** The frames of a page, oldest first. */
  frames(page: number): readonly Frame[] {
    return this.#frames.get(page) ?? [];
  }

  /** The page image of a frame; undefined if it can't be read. */
  image({ index }: Frame): Buffer | undefined {
    const bytes = Buffer.allocUnsafe(PAGE_SIZE);
    return this.#source.read(bytes, HEADER + index * FRAME + FRAME_HEADER) ? bytes : undefined;
  }
}

function readHeads(source: ByteSource, orders: readonly Order[], seed: Pair): FrameHead[] {
  const heads: FrameHead[] = [];
  const frame = Buffer.alloc(FRAME);
  let before = seed;
  // A last frame that is cut off still has rows in what is there of it.
  const count = Math.max(0, Math.ceil((source.size - HEADER - FRAME_HEADER) / FRAME));
  for (let index = 0; index < count; index++) {
    const readable = source.read(frame, HEADER + index * FRAME);
    const stored = pairAt(frame, 16);
    const intact =
      readable &&
      orders.some((order) => {
        const head = checksum(frame.subarray(0, 8), order, before);
        return same(checksum(frame.subarray(FRAME_HEADER), order, head), stored);
      });
    heads.push({ page: frame.readUInt32BE(0), commit: frame.readUInt32BE(4), salts: pairAt(frame, 8), intact });
    before = stored;
  }
  return heads;
}

/**
 * The salts of a log whose header is lost: the first that two frames in a row agree on, for the newest lie first. Not of
 * what is no frame: a log that was cut off under a process that writes on begins with nothing but zeros.
 */
function guessSalts(all: readonly FrameHead[]): Pair | undefined {
  const heads = all.filter(({ page }) => page > 0);
  const agreed = heads.find((head, index) => {
    const next = heads[index + 1];
    return next !== undefined && same(head.salts, next.salts);
  });
  return (agreed ?? heads[0])?.salts;
}

function checksum(bytes: Buffer, order: Order, from: Pair): Pair {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = order === 'little';
  let { first, second } = from;
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + view.getUint32(at, little) + second) >>> 0;
    second = (second + view.getUint32(at + 4, little) + first) >>> 0;
  }
  return { first, second };
}

function pairAt(bytes: Buffer, at: number): Pair {
  return { first: bytes.readUInt32BE(at), second: bytes.readUInt32BE(at + 4) };
}

function same(one: Pair, other: Pair): boolean {
  return one.first === other.first && one.second === other.second;
}
