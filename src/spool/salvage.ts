/**
 * Every row that can be read of a damaged spool, page by page, in no particular order, some of them more than once.
 *
 * The tree above the leaves is not used: a leaf says by itself what it is, and a row by itself what table it is of. So
 * a destroyed root, schema or inner page costs nothing, and a destroyed leaf costs its own rows only. Of a leaf whose
 * header or list of cells is damaged (a bad sector is an eighth of a page) the samples are found by the mark that the
 * record of each begins with.
 *
 *   images of a page, newest first ──▶ is it known to be what was written?
 *                                        yes: its rows, and on to the next page
 *                                        no:  its rows, and if anything is wrong with it those of the next older image
 *
 * Where a part of the log is missing, the samples of all older images as well: SQLite moves rows from page to page when
 * it deletes others, and the page that got them may be the one that is missing.
 *
 * What an older image adds may have been deleted since, because it was acknowledged or evicted. Sending it once more
 * does no harm: the writer knows a sample by its event_id, and one that arrives outranks the note that it is lost.
 */
import type { PageImage, PageSource } from './pages.ts';
import { type Cell, readCell, readLayout, readValues, readVarint, sizeAsVarint, varintSize } from './record.ts';
import { recognise, type SpoolRow } from './rows.ts';
import { PAGE_SIZE } from './schema.ts';

const LEAF = 0x0d;
const INNER = 0x05;
const INDEX_LEAF = 0x0a;
const INDEX_INNER = 0x02;

/** Header of the file, in front of the first page's own. */
const FILE_HEADER = 100;

/** A sample's record after its header size: a null for the id, then a blob of 16 bytes. */
const SAMPLE_MARK = Buffer.from([0x00, 0x2c]);

const LARGEST_VARINT = 9;

export interface SalvageProgress {
  /** Called once for each page that is not as it was written, as far as that can be told. */
  damaged(page: number): void;
}

/** The rows of all pages that may be in use. */
export function* salvage(pages: PageSource, progress: SalvageProgress): Generator<SpoolRow> {
  for (const page of pages.numbers()) {
    if (pages.isFree(page) || pages.isPointerMap(page)) continue;
    let images = 0;
    let whole = true;
    let known = false;
    for (const image of pages.images(page)) {
      images++;
      const found = new LeafReader(pages, page, image);
      for (const row of found.rows()) if (!known || row.table === 'samples') yield row;
      if (images === 1) whole = found.whole;
      known ||= found.whole && image.sound;
      if (known && !pages.isLogBroken) break;
    }
    if (!whole || images === 0) progress.damaged(page);
  }
}

/** One image of a page, read as a leaf of a table if it is one, or may have been. */
class LeafReader {
  readonly #pages: PageSource;
  readonly #bytes: Buffer;
  readonly #headerAt: number;
  readonly kind: 'leaf' | 'node' | 'other';
  whole = true;

  constructor(pages: PageSource, page: number, image: PageImage) {
    this.#pages = pages;
    this.#bytes = image.bytes;
    this.#headerAt = page === 1 ? FILE_HEADER : 0;
    const type = image.bytes[this.#headerAt];
    const isNode = type === INNER || type === INDEX_LEAF || type === INDEX_INNER;
    this.kind = type === LEAF ? 'leaf' : isNode ? 'node' : 'other';
    if (this.kind === 'other' && !image.sound) this.whole = !pages.hasStructure(page);
    if (this.kind === 'node' && cellPointers(image.bytes, this.#headerAt) === undefined) this.whole = false;
  }

  *rows(): Generator<SpoolRow> {
    const seen = new Set<number>();
    let complete = this.kind === 'node' && this.whole;
    if (this.kind === 'leaf') {
      const pointers = cellPointers(this.#bytes, this.#headerAt);
      complete = pointers !== undefined;
      let before = 0;
      for (const at of pointers ?? []) {
        const cell = readCell(this.#bytes, at);
        if (cell === undefined || cell.rowid <= before) complete = false;
        if (cell === undefined) continue;
        before = cell.rowid;
        seen.add(at);
        const row = this.#row(cell);
        if (row === 'damaged') this.whole = false;
        else if (row !== undefined) yield row;
      }
    }
    if (complete) return;
    if (this.kind !== 'other') this.whole = false;
    for (const at of sampleCells(this.#bytes)) {
      const cell = seen.has(at) ? undefined : readCell(this.#bytes, at);
      const row = cell === undefined ? undefined : this.#row(cell);
      if (typeof row === 'object' && row.table === 'samples') yield row;
    }
  }

  #row({ rowid, size, local, overflow }: Cell): SpoolRow | 'damaged' | undefined {
    const layout = readLayout(local, size);
    if (layout === undefined) return 'damaged';
    for (const payload of overflow === 0 ? [local] : this.#pages.payloads(local, overflow, size)) {
      const row = recognise(rowid, readValues(payload, layout));
      if (row !== undefined) return row;
    }
    // The schema's own rows have five columns; they are made anew.
    return layout.types.length === 5 ? undefined : 'damaged';
  }
}

/** Where the cells of a node begin; undefined if that can't be its list. */
function cellPointers(bytes: Buffer, headerAt: number): readonly number[] | undefined {
  const type = bytes[headerAt];
  const count = bytes.readUInt16BE(headerAt + 3);
  const listAt = headerAt + (type === LEAF || type === INDEX_LEAF ? 8 : 12);
  const listEnd = listAt + 2 * count;
  if (listEnd > PAGE_SIZE) return undefined;
  const pointers: number[] = [];
  for (let at = listAt; at < listEnd; at += 2) {
    const pointer = bytes.readUInt16BE(at);
    if (pointer < listEnd || pointer > PAGE_SIZE - 4) return undefined;
    pointers.push(pointer);
  }
  return pointers;
}

/** Where cells of samples begin, told by the mark and by the two numbers in front of it that must agree with it. */
function* sampleCells(bytes: Buffer): Generator<number> {
  for (let mark = bytes.indexOf(SAMPLE_MARK); mark !== -1; mark = bytes.indexOf(SAMPLE_MARK, mark + 1)) {
    const recordAt = mark - 1;
    const layout = recordAt < 0 ? undefined : readLayout(bytes.subarray(recordAt), undefined);
    if (layout === undefined || layout.types.length !== 8) continue;
    const size = layout.bodyAt + layout.bodySize;
    for (let rowidSize = 1; rowidSize <= LARGEST_VARINT; rowidSize++) {
      const rowidAt = recordAt - rowidSize;
      const at = rowidAt - sizeAsVarint(size);
      if (at < 0) break;
      if (varintSize(bytes, rowidAt) !== rowidSize || readVarint(bytes, at) !== size) continue;
      yield at;
      break;
    }
  }
}
