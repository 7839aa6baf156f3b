/** A table that the kernel makes a page at a time, one entry of which is longer than half a page. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { Tree } from './tree.ts';

const PAGE = 4096;

const stats = (name: string, sectors: number) => `   8       0 ${name} 10 0 ${sectors} 5 10 0 ${sectors} 5 0 5 10\n`;
/** A disk with all its partitions is one entry. */
const ENTRIES = [
  stats('sda', 2),
  stats('sdb', 2000) + Array.from({ length: 100 }, (_, index) => stats(`sdb${index + 1}`, 3)).join(''),
];

/** As the kernel's seq_file: whole entries while they fit into a page, but one at least. */
function partFrom(position: number): string {
  let start = 0;
  let part = '';
  for (const entry of ENTRIES) {
    if (start >= position) {
      if (part !== '' && part.length + entry.length > PAGE) break;
      part += entry;
    }
    start += entry.length;
  }
  return part;
}

const DISKSTATS = vi.hoisted(() => ({ path: '', file: -1 }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return {
    ...fs,
    openSync(path: string, ...rest: [string]) {
      const file = fs.openSync(path, ...rest);
      if (path === DISKSTATS.path) DISKSTATS.file = file;
      return file;
    },
    readSync(file: number, into: Buffer, at: number, length: number, position: number) {
      if (file !== DISKSTATS.file) return fs.readSync(file, into, at, length, position);
      return into.write(partFrom(position).slice(0, length), at, 'latin1');
    },
  };
});

it('every disk is counted where one of them has many partitions', async () => {
  using tree = new Tree('linux-6.8-server');
  for (const disk of ['sda', 'sdb']) tree.write(`sys/block/${disk}/device/model`, 'DISK');
  DISKSTATS.path = join(tree.root, 'proc/diskstats');
  const collector = tree.open();
  await collector.read().catch(() => undefined);
  const reading = await collector.read();
  collector.close();
  expect(reading).toMatchObject({ disk_read_bytes: 2002 * 512, disk_write_bytes: 2002 * 512 });
});
