import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryBytes } from '../../../src/spool/bytes.ts';
import { PageSource } from '../../../src/spool/pages.ts';
import { salvage } from '../../../src/spool/salvage.ts';
import { PAGE_SIZE } from '../../../src/spool/schema.ts';
import { Wal } from '../../../src/spool/wal.ts';
import { BusySpool, contentOf, type SpoolContent } from '../../support/damaged-spool.ts';
import { appendSamples, LiveSpool } from '../../support/live-spool.ts';

const FRAME = PAGE_SIZE + 24;
const SAMPLES = 200;

let spool: BusySpool;
let before: SpoolContent;
let file: Buffer;
let log: Buffer;
let frames: number;
beforeAll(() => {
  spool = BusySpool.build({ samples: SAMPLES, keepLog: true });
  file = readFileSync(spool.path);
  log = readFileSync(`${spool.path}-wal`);
  frames = (log.length - 32) / FRAME;
  const copy = spool.copy();
  before = contentOf(copy.path);
  copy.remove();
});
afterAll(() => spool.remove());

function idsFrom(main: Buffer, wal: Buffer): Set<number> {
  const pages = new PageSource(new MemoryBytes(main), new MemoryBytes(wal));
  const ids = new Set<number>();
  for (const found of salvage(pages, { damaged() {} })) if (found.table === 'samples') ids.add(found.row.id);
  return ids;
}

const missing = (main: Buffer, wal: Buffer): number[] => {
  const found = idsFrom(main, wal);
  return [...before.samples.keys()].filter((id) => !found.has(id));
};

const read = (wal: Buffer): Wal => Wal.read(new MemoryBytes(wal));

/** Whether no later frame is of the same page. */
function isNewest(frame: number): boolean {
  const pageAt = (index: number): number => log.readUInt32BE(32 + index * FRAME);
  for (let later = frame + 1; later < frames; later++) if (pageAt(later) === pageAt(frame)) return false;
  return true;
}

describe('the write-ahead log', () => {
  it('is whole as SQLite wrote it', () => {
    const wal = read(log);
    expect(frames).toBeGreaterThan(20);
    expect(wal.broken).toBe(false);
    expect([...wal.pages].every((page) => wal.frames(page).every(({ sound }) => sound))).toBe(true);
    expect(missing(file, log)).toEqual([]);
  });

  it('costs no sample but those of the frame, whichever frame is overwritten', () => {
    for (let frame = 0; frame < frames; frame++) {
      for (const [from, size] of [
        [24, PAGE_SIZE],
        [0, FRAME],
      ] as const) {
        const at = 32 + frame * FRAME + from;
        const damaged = Buffer.from(log).fill(0xb9, at, at + size);
        const lost = missing(file, damaged);
        const image = log.toString('latin1', 32 + frame * FRAME, 32 + (frame + 1) * FRAME);
        // A page is written again and again: only its newest image can be the only one of a sample.
        const onlyThere = isNewest(frame) ? lost.filter((id) => image.includes(`<${id}>`)) : [];
        expect(lost, `frame ${frame}`).toEqual(onlyThere);
      }
    }
  });

  it('tells a frame that is damaged from the one behind it, which is not', () => {
    const middle = Math.floor(frames / 2);
    const damaged = Buffer.from(log);
    const at = 32 + middle * FRAME + 24 + 2000;
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const wal = read(damaged);
    const unsound = [...wal.pages].flatMap((page) => wal.frames(page).filter(({ sound }) => !sound));
    expect(unsound).toEqual([{ index: middle, sound: false }]);
    expect(wal.broken).toBe(true);
  });

  it('has a rest where SQLite stops before its end, which may hide commits', () => {
    const commits = Array.from({ length: frames }, (_, frame) => frame).filter(
      (frame) => log.readUInt32BE(32 + frame * FRAME + 4) > 0,
    );
    const [before, damagedOne] = commits.slice(-3) as [number, number];
    const from = before + 1;
    expect(read(log).rest).toBeUndefined();
    const damaged = Buffer.from(log);
    damaged.writeUInt8(0xaa ^ damaged.readUInt8(32 + damagedOne * FRAME + 100), 32 + damagedOne * FRAME + 100);
    expect(read(damaged).rest).toEqual({ from, to: frames, hidesCommits: true });
    expect(read(log.subarray(0, 32 + damagedOne * FRAME + 100)).rest).toEqual({
      from,
      to: damagedOne + 1,
      hidesCommits: false,
    });
    expect(read(log.subarray(0, 32 + from * FRAME)).rest).toBeUndefined();
  });

  it('is read without its header', () => {
    const damaged = Buffer.from(log).fill(0, 0, 32);
    expect(missing(file, damaged)).toEqual([]);
    expect(read(damaged).broken).toBe(true);
  });

  it('is read behind what was cut off under a process that wrote on', () => {
    const cut = 32 + FRAME * Math.floor(frames / 2);
    const zeros = Buffer.from(log).fill(0, 0, cut);
    const from = Math.floor(frames / 2);
    const indexes = [...read(zeros).pages].flatMap((page) =>
      read(zeros)
        .frames(page)
        .map(({ index }) => index),
    );
    expect(Math.min(...indexes)).toBe(from);
    expect(Math.max(...indexes)).toBe(frames - 1);
    expect(read(zeros).rest).toEqual({ from: 0, to: frames, hidesCommits: true });
  });

  it('is read up to where it was cut', () => {
    for (const size of [0, 31, 32, 40, 32 + FRAME * 10, 32 + FRAME * 10 + 900, log.length - 1]) {
      const lost = missing(file, log.subarray(0, size));
      expect(lost.length > 0).toBe(size < log.length - 1);
    }
  });

  it('costs no sample that waits when a power cut takes one of the frames that did not wait for the disk', () => {
    const live = new LiveSpool();
    try {
      const agent = live.open({ synchronous: 'full' });
      for (let count = 0; count < 100; count++) appendSamples(agent, 1, `"${'x'.repeat(300 + ((count * 37) % 500))}"`);
      for (let batch = 0; batch < 12; batch++) {
        const durable = (statSync(`${live.path}-wal`).size - 32) / FRAME;
        // SQLite moves what is left in a page to its neighbour.
        agent.acknowledge(agent.read({ samples: 3 + ((batch * 5) % 11), bytes: 1e6 }).at(-1)?.id ?? 0, []);
        const waiting = live.stored().map(({ id }) => id);
        const main = readFileSync(live.path);
        const wal = readFileSync(`${live.path}-wal`);
        expect((wal.length - 32) / FRAME).toBeGreaterThan(durable);
        for (let frame = durable; frame < (wal.length - 32) / FRAME; frame++) {
          const torn = Buffer.from(wal).fill(0, 32 + frame * FRAME, 32 + (frame + 1) * FRAME);
          const found = idsFrom(main, torn);
          const gone = waiting.filter((id) => !found.has(id));
          expect(gone, `batch ${batch}, frame ${frame - durable}`).toEqual([]);
        }
      }
    } finally {
      live.remove();
    }
  });

  it('ends where an earlier log begins that it was written over', () => {
    const older = Buffer.from(log.subarray(0, 32 + FRAME * 3));
    const strange = Buffer.from(log.subarray(32 + FRAME * 3));
    for (let at = 0; at < strange.length; at += FRAME) strange.writeUInt32BE(strange.readUInt32BE(at + 8) - 1, at + 8);
    const wal = read(Buffer.concat([older, strange]));
    const indexes = [...wal.pages].flatMap((page) => wal.frames(page).map(({ index }) => index));
    expect(Math.max(...indexes)).toBe(2);
  });

  it('does not count a transaction that was never committed', () => {
    const lastCommit = 32 + (frames - 1) * FRAME;
    const torn = Buffer.from(log);
    torn.writeUInt32BE(0, lastCommit + 4);
    const wal = read(torn);
    const frame = wal.frames(torn.readUInt32BE(lastCommit)).at(-1);
    expect(frame).toMatchObject({ index: frames - 1, sound: false });
    expect(wal.broken).toBe(false);
  });

  it('is read with checksums in either byte order', () => {
    const swapped = Buffer.from(log);
    swapped.writeUInt32BE(0x377f0683, 0);
    let state = sum(swapped.subarray(0, 24), 0, 0);
    swapped.writeUInt32BE(state[0], 24);
    swapped.writeUInt32BE(state[1], 28);
    for (let at = 32; at < swapped.length; at += FRAME) {
      state = sum(swapped.subarray(at, at + 8), ...state);
      state = sum(swapped.subarray(at + 24, at + FRAME), ...state);
      swapped.writeUInt32BE(state[0], at + 16);
      swapped.writeUInt32BE(state[1], at + 20);
    }
    const wal = read(swapped);
    expect(wal.broken).toBe(false);
    expect([...wal.pages].every((page) => wal.frames(page).every(({ sound }) => sound))).toBe(true);
    expect(missing(file, swapped)).toEqual([]);
  });
});

/** SQLite's checksum over big-endian words. */
function sum(bytes: Buffer, first: number, second: number): [number, number] {
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + bytes.readUInt32BE(at) + second) >>> 0;
    second = (second + bytes.readUInt32BE(at + 4) + first) >>> 0;
  }
  return [first, second];
}
