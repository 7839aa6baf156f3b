import { describe, expect, it } from 'vitest';
import { DETAIL_ENTRIES } from '../../../src/collect/collector.ts';
import { Tree } from './tree.ts';

const STATS = 'proc/diskstats';
const disk = (name: string, sectorsRead: number | bigint, sectorsWritten: number | bigint) =>
  `   8       0 ${name} 11 0 ${sectorsRead} 0 22 0 ${sectorsWritten} 0 0 0 0\n`;

describe('disks', () => {
  it('are whole devices with hardware and network block devices; nothing stacked, hidden, or in memory', async () => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open({ details: true });
    const { disks } = await collector.read();
    expect(disks).toEqual([
      {
        name: 'nvme0n1',
        read_bytes: 61_234_560 * 512,
        write_bytes: 98_123_464 * 512,
        reads: 812_344,
        writes: 1_901_233,
      },
      { name: 'sda', read_bytes: 2_048_000 * 512, write_bytes: 8192 * 512, reads: 1001, writes: 77 },
      { name: 'nbd0', read_bytes: 2000 * 512, write_bytes: 4000 * 512, reads: 10, writes: 20 },
    ]);
    collector.close();
  });

  it('may have a slash in their name', async () => {
    using tree = new Tree('linux-4.9-no-psi');
    const collector = tree.open({ details: true });
    expect((await collector.read()).disks?.map(({ name }) => name)).toEqual(['cciss/c0d0']);
    collector.close();
  });

  it('come and go; a name that comes back is looked at again', async () => {
    using tree = new Tree('linux-3.10-no-memavailable');
    const collector = tree.open();
    const bytesWith = async (text: string) => {
      tree.write(STATS, text);
      return (await collector.read()).disk_read_bytes;
    };
    expect(await bytesWith(disk('vda', 10, 0))).toBe(5120);
    expect(await bytesWith(disk('vda', 10, 0) + disk('sdb', 100, 0))).toBe(5120);
    expect(await bytesWith(disk('vda', 10, 0))).toBe(5120);
    tree.write('sys/block/sdb/device/model', 'USB\n');
    expect(await bytesWith(disk('vda', 10, 0) + disk('sdb', 100, 0))).toBe(56_320);
    tree.remove('sys/block/sdb');
    expect(await bytesWith(disk('vda', 10, 0))).toBe(5120);
    collector.close();
  });

  it('are left out where there is none', async () => {
    using tree = new Tree('linux-4.9-no-psi');
    tree.write(STATS, disk('ram0', 5, 5));
    const collector = tree.open();
    const reading = await collector.read();
    expect(reading).not.toHaveProperty('disk_read_bytes');
    expect(reading).not.toHaveProperty('disk_write_bytes');
    expect(collector.errors).toEqual(new Map());
    collector.close();
  });

  it('keep their sums exact and safe when bytes pass 2^53', async () => {
    using tree = new Tree('linux-3.10-no-memavailable');
    tree.write(STATS, disk('vda', 2n ** 44n + 3n, 2n ** 63n));
    const collector = tree.open();
    expect(await collector.read()).toMatchObject({ disk_read_bytes: 1536, disk_write_bytes: 0 });
    collector.close();
  });

  it('are listed up to a bound and summed beyond it', async () => {
    using tree = new Tree('linux-3.10-no-memavailable');
    const names = Array.from({ length: 100 }, (_, i) => `sd${i}`);
    for (const name of names) tree.write(`sys/block/${name}/device/model`, 'disk\n');
    tree.write(STATS, names.map((name) => disk(name, 2, 4)).join(''));
    const collector = tree.open({ details: true });
    const reading = await collector.read();
    expect(reading.disks).toHaveLength(DETAIL_ENTRIES);
    expect(reading).toMatchObject({ disk_read_bytes: 102_400, disk_write_bytes: 204_800 });
    collector.close();
  });

  it('cost their fields when a line is not one', async () => {
    using tree = new Tree('linux-3.10-no-memavailable');
    tree.write(STATS, `${disk('vda', 2, 4)}   8 0 vda 1 2\n`);
    const collector = tree.open();
    expect(await collector.read()).not.toHaveProperty('disk_read_bytes');
    expect(collector.errors.get('disks')).toBe(1);
    collector.close();
  });
});
