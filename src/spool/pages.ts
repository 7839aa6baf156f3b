/**
 * The pages of a damaged spool: the database file overlaid with its write-ahead log.
 *
 * Of each page there may be several images; they are given newest first. The file's own image has no checksum and is
 * the last resort. Page size and encoding are ours and fixed, so nothing depends on the file's header.
 *
 * **Free pages** hold rows that were deleted, and are left out where it is certain that they are free. There are two
 * witnesses: the list of free pages, heard if it is consistent from end to end, and the pointer map, heard if that page
 * of it is well formed. No witness that is heard may say otherwise. Without any, or with a log of which a part is
 * missing, all pages are read alike: what was acknowledged is then carried over and sent once more, which the writer
 * recognises by its event_id. The other mistake would be a loss.
 *
 * Only one page, or one stretch of 64, is in memory at a time.
 */
import type { ByteSource } from './bytes.ts';
import { OVERFLOW_SHARE } from './record.ts';
import { PAGE_SIZE } from './schema.ts';
import { Wal } from './wal.ts';

const STRETCH = 64;

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/** Entries in a page of the pointer map: type u8, parent u32. */
const MAP_ENTRY = 5;
const MAP_ENTRIES = Math.floor(PAGE_SIZE / MAP_ENTRY);
const MAP_TYPE_FREE = 2;
const MAP_TYPE_BTREE = 5;
/** The page at 1 GiB is never used: SQLite locks bytes of it. */
const LOCK_PAGE = 2 ** 30 / PAGE_SIZE + 1;

export interface PageImage {
  readonly bytes: Buffer;
  /** Whether its checksum holds: it is what was written last. */
  readonly sound: boolean;
}

export class PageSource {
  readonly #file: ByteSource;
  readonly #walFile: ByteSource;
  readonly #wal: Wal;
  readonly #filePages: number;
  readonly #stretch = Buffer.alloc(STRETCH * PAGE_SIZE);
  #stretchAt = -1;
  readonly #listedFree: ReadonlySet<number> | undefined;
  readonly #maps = new Map<number, Buffer | undefined>();

  constructor(file: ByteSource, walFile: ByteSource) {
    this.#file = file;
    this.#walFile = walFile;
    this.#wal = Wal.read(walFile);
    this.#filePages = Math.ceil(file.size / PAGE_SIZE);
    this.#listedFree = this.#readFreeList();
  }

  /** Whether a part of the log is missing. */
  get isLogBroken(): boolean {
    return this.#wal.broken;
  }

  /** Numbers of all pages that there is an image of. */
  *numbers(): Generator<number> {
    for (let page = 1; page <= this.#filePages; page++) yield page;
    for (const page of this.#wal.pages) if (page > this.#filePages) yield page;
  }

  /** Whether the page is certain to hold nothing that counts. */
  isFree(page: number): boolean {
    if (this.#wal.broken || this.#wal.frames(page).some((frame) => !frame.sound)) return false;
    if (this.#wal.databasePages !== undefined && page > this.#wal.databasePages) return true;
    const type = this.#mapType(page);
    if (this.#listedFree === undefined) return type === MAP_TYPE_FREE;
    return this.#listedFree.has(page) && (type ?? MAP_TYPE_FREE) === MAP_TYPE_FREE;
  }

  /** Whether the page is a part of the pointer map, and well formed. */
  isPointerMap(page: number): boolean {
    return page > 1 && mapPageOf(page) === page && this.#map(page) !== undefined;
  }

  /** Whether it is known that the page is a part of the pointer map, or a node of a table or an index. */
  hasStructure(page: number): boolean {
    const type = this.#mapType(page);
    return page === 1 || mapPageOf(page) === page || type === 1 || type === MAP_TYPE_BTREE;
  }

  /** The images of a page, newest first. A buffer is valid until the next page is asked for. */
  *images(page: number): Generator<PageImage> {
    const frames = this.#wal.frames(page);
    for (let index = frames.length - 1; index >= 0; index--) {
      const frame = frames[index];
      const bytes = frame === undefined ? undefined : this.#wal.image(frame);
      if (bytes !== undefined) yield { bytes, sound: frame?.sound === true };
    }
    const bytes = this.#filePage(page);
    if (bytes !== undefined) yield { bytes, sound: false };
  }

  /** The newest image that counts: sound if there is one, else the file's, else whatever there is. */
  current(page: number): Buffer | undefined {
    const frames = this.#wal.frames(page);
    const frame = frames.findLast(({ sound }) => sound);
    if (frame !== undefined) return this.#wal.image(frame);
    return this.#readPage(page) ?? this.#newest(page);
  }

  /**
   * What a payload may be whose first part is `local` and whose rest begins at page `first`: by the images that count,
   * and, where the log is damaged, by its newest ones, sound or not.
   */
  *payloads(local: Buffer, first: number, size: number): Generator<Buffer> {
    const counting = this.#chain(local, first, size, (page) => this.current(page));
    if (counting !== undefined) yield counting;
    if (this.#wal.sound) return;
    const newest = this.#chain(local, first, size, (page) => this.#newest(page));
    if (newest !== undefined) yield newest;
  }

  #chain(local: Buffer, first: number, size: number, image: (page: number) => Buffer | undefined): Buffer | undefined {
    const parts = [local];
    let page = first;
    for (let left = size - local.length; left > 0; left -= OVERFLOW_SHARE) {
      const bytes = page > 1 ? image(page) : undefined;
      if (bytes === undefined) return undefined;
      page = bytes.readUInt32BE(0);
      parts.push(bytes.subarray(4, 4 + Math.min(left, OVERFLOW_SHARE)));
    }
    return Buffer.concat(parts, size);
  }

  #newest(page: number): Buffer | undefined {
    const frame = this.#wal.frames(page).at(-1);
    return frame === undefined ? this.#readPage(page) : this.#wal.image(frame);
  }

  /** Bytes that its pages in use take. */
  usedBytes(): number {
    let pages = 0;
    for (const page of this.numbers()) if (!this.isFree(page)) pages++;
    return pages * PAGE_SIZE;
  }

  close(): void {
    this.#file.close();
    this.#walFile.close();
  }

  #filePage(page: number): Buffer | undefined {
    if (page < 1 || page > this.#filePages) return undefined;
    const stretch = Math.floor((page - 1) / STRETCH);
    if (this.#stretchAt !== stretch) {
      // One bad sector fails the whole stretch: then each page of it is read alone.
      this.#stretchAt = -1;
      if (!this.#file.read(this.#stretch, stretch * this.#stretch.length)) return this.#readPage(page);
      this.#stretchAt = stretch;
    }
    const at = ((page - 1) % STRETCH) * PAGE_SIZE;
    return this.#stretch.subarray(at, at + PAGE_SIZE);
  }

  #readPage(page: number): Buffer | undefined {
    if (page < 1 || page > this.#filePages) return undefined;
    const bytes = Buffer.allocUnsafe(PAGE_SIZE);
    return this.#file.read(bytes, (page - 1) * PAGE_SIZE) ? bytes : undefined;
  }

  /** The free pages as they are chained from the header, or undefined if anything about the chain is not right. */
  #readFreeList(): ReadonlySet<number> | undefined {
    const header = this.current(1);
    if (header === undefined || !header.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    const count = header.readUInt32BE(36);
    const free = new Set<number>();
    const add = (page: number): boolean => {
      if (page < 2 || page > this.#lastPage || free.has(page)) return false;
      return free.add(page).size <= count;
    };
    for (let trunk = header.readUInt32BE(32); trunk !== 0; ) {
      const bytes = add(trunk) ? this.current(trunk) : undefined;
      const leaves = bytes?.readUInt32BE(4) ?? Number.POSITIVE_INFINITY;
      if (bytes === undefined || leaves > PAGE_SIZE / 4 - 2) return undefined;
      for (let leaf = 0; leaf < leaves; leaf++) {
        if (!add(bytes.readUInt32BE(8 + 4 * leaf))) return undefined;
      }
      trunk = bytes.readUInt32BE(0);
    }
    return free.size === count ? free : undefined;
  }

  get #lastPage(): number {
    return Math.max(this.#filePages, this.#wal.databasePages ?? 0);
  }

  #mapType(page: number): number | undefined {
    if (page < 3) return undefined;
    const mapPage = mapPageOf(page);
    if (mapPage >= page) return undefined;
    return this.#map(mapPage)?.[(page - mapPage - 1) * MAP_ENTRY];
  }

  /** A page of the pointer map; undefined unless every entry of it is one that SQLite could have written. */
  #map(page: number): Buffer | undefined {
    if (!this.#maps.has(page)) {
      const bytes = this.current(page);
      this.#maps.set(page, bytes !== undefined && this.#isMap(bytes, page) ? bytes : undefined);
    }
    return this.#maps.get(page);
  }

  #isMap(bytes: Buffer, page: number): boolean {
    const entries = Math.min(MAP_ENTRIES, this.#lastPage - page);
    for (let entry = 0; entry < entries; entry++) {
      if (page + 1 + entry === LOCK_PAGE) continue;
      const type = bytes[entry * MAP_ENTRY] ?? 0;
      const parent = bytes.readUInt32BE(entry * MAP_ENTRY + 1);
      const orphan = type === 1 || type === MAP_TYPE_FREE;
      if (type < 1 || type > MAP_TYPE_BTREE || parent > this.#lastPage || orphan !== (parent === 0)) return false;
    }
    return entries > 0;
  }
}

/** The page of the pointer map that holds the entry of `page`, or `page` itself if that is one. */
function mapPageOf(page: number): number {
  const span = MAP_ENTRIES + 1;
  const map = Math.floor((page - 2) / span) * span + 2;
  return map === LOCK_PAGE ? map + 1 : map;
}
