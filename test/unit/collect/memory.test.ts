import { describe, expect, it } from 'vitest';
import { Tree } from './tree.ts';

const MEMINFO = 'proc/meminfo';

async function memoryOf(change: (text: string) => string, prepare: (tree: Tree) => void = () => undefined) {
  using tree = new Tree('linux-3.10-no-memavailable');
  prepare(tree);
  tree.edit(MEMINFO, change);
  const collector = tree.open();
  try {
    return await collector.read();
  } finally {
    collector.close();
  }
}

const without = (name: string) => (text: string) => text.replace(new RegExp(`^${name}:.*\\n`, 'm'), '');
const withEntry = (entry: string, kib: number) => (text: string) => `${text}${entry}: ${kib} kB\n`;

describe('available memory', () => {
  it('is the kernel’s own figure', async () => {
    expect(await memoryOf(withEntry('MemAvailable', 508_000))).toMatchObject({
      memory_percent: 50,
      memory_used_mb: 496.09,
      memory_available_mb: 496.09,
    });
  });

  it('is estimated when the kernel’s figure is 0, a known bug', async () => {
    expect((await memoryOf(withEntry('MemAvailable', 0))).memory_available_mb).toBe(510.84);
  });

  it('is free plus cached where the kernel does not show its zones, or parts of its page cache', async () => {
    const freeAndCached = 605.47; // (120000 + 500000) / 1024
    const noZones = await memoryOf(
      (text) => text,
      (tree) => tree.remove('proc/zoneinfo'),
    );
    expect(noZones.memory_available_mb).toBe(freeAndCached);
    expect((await memoryOf(without('SReclaimable'))).memory_available_mb).toBe(freeAndCached);
  });

  it('is nothing, not less, when the zones keep back more than there is', async () => {
    const { memory_available_mb, memory_percent } = await memoryOf(
      (text) => text,
      (tree) => tree.write('proc/zoneinfo', 'Node 0, zone Normal\n  pages free 1\n  min 1\n  low 900000\n'),
    );
    expect(memory_available_mb).toBe(0);
    expect(memory_percent).toBe(100);
  });

  it('is what is free when it is said to exceed the total', async () => {
    expect(await memoryOf(withEntry('MemAvailable', 2_000_000))).toMatchObject({ memory_available_mb: 117.19 });
  });

  it.each(['MemTotal', 'MemFree'])('is not guessed without %s', async (name) => {
    await expect(memoryOf(without(name))).rejects.toMatchObject({ code: 'COLLECT_REQUIRED' });
  });
});

describe('swap', () => {
  it('is left out where the kernel does not show it', async () => {
    const reading = await memoryOf(without('SwapFree'));
    expect(reading).not.toHaveProperty('swap_percent');
    expect(reading.memory_total_mb).toBe(992.19);
  });
});
