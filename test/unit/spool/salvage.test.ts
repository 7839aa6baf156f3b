import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteSource, MemoryBytes } from '../../../src/spool/bytes.ts';
import { PageSource } from '../../../src/spool/pages.ts';
import { readVarint, sizeAsVarint, varintSize } from '../../../src/spool/record.ts';
import type { SpoolRow } from '../../../src/spool/rows.ts';
import { salvage } from '../../../src/spool/salvage.ts';
import { PAGE_SIZE } from '../../../src/spool/schema.ts';
import type { SampleRow } from '../../../src/spool/store.ts';
import { BusySpool, contentOf, type SpoolContent } from '../../support/damaged-spool.ts';

const SAMPLES = 300;
const EMPTY = Buffer.alloc(0);

let whole: BusySpool;
let withLog: BusySpool;
let before: SpoolContent;
/** Every sample that was ever written, by id, deleted ones included. */
let written: ReadonlyMap<number, SampleRow>;
beforeAll(() => {
  whole = BusySpool.build({ samples: SAMPLES, largeEvery: 40 });
  withLog = BusySpool.build({ samples: SAMPLES, largeEvery: 40, keepLog: true });
  before = contentOf(whole.path);
  // With a log that is broken, no page counts as free.
  const everything = BusySpool.build({ samples: SAMPLES, largeEvery: 40, keepDeleted: true });
  written = contentOf(everything.path).samples;
  everything.remove();
});
afterAll(() => {
  whole.remove();
  withLog.remove();
});

interface Found {
  readonly rows: readonly SpoolRow[];
  readonly samples: ReadonlyMap<number, SampleRow>;
  readonly damaged: readonly number[];
}

function salvaged(file: Uint8Array | ByteSource, log: Buffer = EMPTY): Found {
  const source = file instanceof Uint8Array ? new MemoryBytes(Buffer.from(file)) : file;
  const pages = new PageSource(source, new MemoryBytes(log));
  const damaged: number[] = [];
  const rows = [...salvage(pages, { damaged: (page) => damaged.push(page) })];
  pages.close();
  const samples = rows.flatMap((found) => (found.table === 'samples' ? [found.row] : []));
  return { rows, samples: new Map(samples.map((row) => [row.id, row])), damaged };
}

/** What the checksum vouches for. */
const vouched = ({ run_id, seq, event_id, crc, payload }: SampleRow) => ({ run_id, seq, event_id, crc, payload });

const bytesOf = (spool: BusySpool, suffix: '' | '-wal' = ''): Buffer => readFileSync(spool.path + suffix);

const ids = (samples: ReadonlyMap<number, SampleRow>): number[] => [...samples.keys()].sort((a, b) => a - b);

describe('salvage', () => {
  it('finds every row of a whole file once, and no damage', () => {
    const { rows, samples, damaged } = salvaged(bytesOf(whole));
    expect(samples.size).toBe(rows.filter(({ table }) => table === 'samples').length);
    for (const [id, row] of before.samples) expect(samples.get(id)).toEqual(row);
    expect(samples.size).toBe(before.samples.size);
    const count = (table: string): number => rows.filter((row) => row.table === table).length;
    expect([count('runs'), count('notes'), count('losses'), count('state')]).toEqual([3, 3, 1, 3]);
    expect(damaged).toEqual([]);
  });

  it('finds what is in the file and what is only in its log', () => {
    const { samples, damaged } = salvaged(bytesOf(withLog), bytesOf(withLog, '-wal'));
    expect(ids(samples)).toEqual(ids(before.samples));
    expect(damaged).toEqual([]);
  });

  it('leaves out a sample with a changed digit, and only that', () => {
    const id = Math.max(...before.samples.keys()) - 10;
    const file = bytesOf(whole);
    const at = file.indexOf(`"seq":${before.samples.get(id)?.seq}`) + 6;
    file[at] = file[at] === 0x39 ? 0x38 : 0x39;
    const { samples, damaged } = salvaged(file);
    expect(ids(before.samples).filter((one) => !samples.has(one))).toHaveLength(1);
    expect(damaged).toHaveLength(1);
  });

  it('leaves out a sample whose overflow page is damaged, and only that', () => {
    const id = 200;
    const page = Array.from({ length: whole.pages }, (_, index) => index + 1).findLast(
      (one) => whole.samplesOn(one).size === 1 && whole.samplesOn(one).has(id),
    );
    const file = bytesOf(whole).fill(0xff, ((page ?? 0) - 1) * PAGE_SIZE, (page ?? 0) * PAGE_SIZE);
    expect(ids(before.samples).filter((one) => !salvaged(file).samples.has(one))).toEqual([id]);
  });

  it('finds the samples behind a damaged sector, whichever eighth of the page it is', () => {
    const id = 150;
    const page = whole.pageOf(id);
    const onPage = [...whole.samplesOn(page)].filter((one) => before.samples.has(one));
    let rescued = 0;
    for (let sector = 0; sector < 8; sector++) {
      const at = (page - 1) * PAGE_SIZE + sector * 512;
      const { samples } = salvaged(bytesOf(whole).fill(0, at, at + 512));
      for (const [one, row] of before.samples) {
        if (!onPage.includes(one)) expect(samples.get(one)).toEqual(row);
      }
      rescued += onPage.filter((one) => samples.has(one)).length;
      expect(onPage.filter((one) => samples.has(one)).length).toBeGreaterThanOrEqual(onPage.length - 3);
    }
    expect(rescued).toBeGreaterThan(4 * onPage.length);
  });

  it('reads around sectors that can’t be read at all', () => {
    const bad = whole.pageOf(150);
    const memory = new MemoryBytes(bytesOf(whole));
    const source: ByteSource = {
      size: memory.size,
      read: (into, position) => {
        const end = position + into.length;
        return !(position < bad * PAGE_SIZE && end > (bad - 1) * PAGE_SIZE) && memory.read(into, position);
      },
      close() {},
    };
    const { samples, damaged } = salvaged(source);
    expect(damaged).toEqual([bad]);
    const lost = ids(before.samples).filter((one) => !samples.has(one));
    expect(lost).toEqual([...whole.samplesOn(bad)].filter((one) => before.samples.has(one)).sort((a, b) => a - b));
  });

  it('does not trust a list of free pages that is not consistent', () => {
    const file = bytesOf(whole);
    const first = whole.pageOf(150);
    // The list now begins with a page in use.
    file.writeUInt32BE(first, 32);
    const { samples } = salvaged(file);
    for (const [id, row] of before.samples) expect(samples.get(id)).toEqual(row);
  });

  it('does not leave out a page in use because the list of free pages names it', () => {
    const file = bytesOf(whole);
    const trunk = (file.readUInt32BE(32) - 1) * PAGE_SIZE;
    expect(file.readUInt32BE(trunk + 4)).toBeGreaterThan(0);
    file.writeUInt32BE(whole.pageOf(150), trunk + 8);
    const { samples } = salvaged(file);
    for (const [id, row] of before.samples) expect(samples.get(id)).toEqual(row);
  });
});

describe('whatever happens to the bytes', () => {
  const damage = fc.record({
    where: fc.constantFrom('file' as const, 'log' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.constantFrom('flip' as const, 'fill' as const, 'random' as const, 'cut' as const, 'swap' as const),
    length: fc.constantFrom(1, 2, 16, 100, 512, PAGE_SIZE, 5 * PAGE_SIZE),
    seed: fc.integer({ min: 0, max: 255 }),
  });

  function apply(
    bytes: Buffer,
    { at, kind, length, seed }: { at: number; kind: string; length: number; seed: number },
  ): Buffer {
    const from = Math.floor(at * bytes.length);
    const end = Math.min(bytes.length, from + length);
    if (kind === 'cut') return bytes.subarray(0, from);
    if (kind === 'fill') return bytes.fill(seed, from, end);
    if (kind === 'swap') {
      bytes.copy(
        bytes,
        from,
        (from * 7 + seed * PAGE_SIZE) % bytes.length,
        Math.min(bytes.length, ((from * 7 + seed * PAGE_SIZE) % bytes.length) + length),
      );
      return bytes;
    }
    for (let index = from; index < end; index++) {
      bytes[index] =
        kind === 'flip' ? (bytes[index] ?? 0) ^ (1 << (seed % 8)) : (index * 2654435761 + seed * 40503) >>> 13;
      if (kind === 'flip') break;
    }
    return bytes;
  }

  it('throws nothing, and every sample it finds is one that was written, to the bit', () => {
    const file = bytesOf(withLog);
    const log = bytesOf(withLog, '-wal');
    const events = new Map([...written.values()].map((row) => [row.event_id.toString('hex'), row]));
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 6 }), (damages) => {
        let [main, wal] = [Buffer.from(file), Buffer.from(log)];
        for (const one of damages) {
          if (one.where === 'file') main = Buffer.from(apply(main, one));
          else wal = Buffer.from(apply(wal, one));
        }
        for (const found of salvaged(main, wal).rows) {
          if (found.table !== 'samples') continue;
          const original = events.get(found.row.event_id.toString('hex'));
          expect(original).toBeDefined();
          expect(vouched(found.row)).toEqual(vouched(original as SampleRow));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('one flipped bit anywhere costs at most the samples of that page', () => {
    const file = bytesOf(whole);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(7), (at, bit) => {
        const damaged = Buffer.from(file);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        const page = 1 + Math.floor(at / PAGE_SIZE);
        const { rows } = salvaged(damaged);
        const found = new Set(
          rows.flatMap((one) => (one.table === 'samples' ? [one.row.event_id.toString('hex')] : [])),
        );
        const lost = [...before.samples.values()].filter(({ event_id }) => !found.has(event_id.toString('hex')));
        expect(lost.every(({ id }) => whole.samplesOn(page).has(id))).toBe(true);
        expect(lost.length).toBeLessThanOrEqual(1 + (at % PAGE_SIZE < 8 ? whole.samplesOn(page).size : 1));
      }),
      { numRuns: 600 },
    );
  });

  it('ends, on pages made to be followed for ever', () => {
    const file = bytesOf(whole);
    const loops = Buffer.alloc(file.length);
    for (let page = 0; page < loops.length / PAGE_SIZE; page++) {
      // A leaf of a hundred cells that all claim the largest payload, chained to this very page.
      const leaf = loops.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
      leaf.set([0x0d, 0, 0, 0, 100, 0, 0, 0]);
      for (let cell = 0; cell < 100; cell++) leaf.writeUInt16BE(1000 + cell * 8, 8 + 2 * cell);
      for (let cell = 0; cell < 100; cell++) leaf.set([0x87, 0xff, 0xff, 0x7f, cell + 1, 2, 0x2d, 0], 1000 + cell * 8);
      leaf.writeUInt32BE(page + 1, PAGE_SIZE - 4);
    }
    file.copy(loops, 0, 0, 100);
    loops.writeUInt32BE(5, 32);
    const { samples, damaged } = salvaged(loops);
    expect(samples.size).toBe(0);
    expect(damaged.length).toBeGreaterThan(0);
  });
});

describe('a varint', () => {
  it('is read as SQLite writes it, up to 2^53 − 1, and is NaN beyond or cut off', () => {
    const encode = (value: bigint): Buffer => {
      const bytes: number[] = [Number(value & 0x7fn)];
      for (let rest = value >> 7n; rest > 0n; rest >>= 7n) bytes.unshift(Number(rest & 0x7fn) | 0x80);
      return Buffer.from(bytes);
    };
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 56n) - 1n }), (value) => {
        const bytes = encode(value);
        const safe = value <= BigInt(Number.MAX_SAFE_INTEGER);
        expect(readVarint(bytes, 0)).toBe(safe ? Number(value) : Number.NaN);
        expect(varintSize(bytes, 0)).toBe(bytes.length);
        if (safe) expect(sizeAsVarint(Number(value))).toBe(bytes.length);
        if (bytes.length > 1) expect(readVarint(bytes.subarray(0, -1), 0)).toBeNaN();
      }),
    );
    expect(readVarint(Buffer.alloc(9, 0xff), 0)).toBeNaN();
  });
});
