import { release, totalmem } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type InventorySource, readInventory } from '../../../src/collect/inventory.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the inventory', () => {
  it('knows this host’s kernel, CPUs and memory', async () => {
    const inventory = await readInventory();
    expect(inventory).toMatchObject({ kernel: expect.any(String), cpu_count: expect.any(Number) });
    expect(inventory.memory_total_mb).toBe(Math.round(totalmem() / 1024 ** 2));
    for (const value of Object.values(inventory)) expect(['', '-', 'unknown', 0]).not.toContain(value);
  });

  it('does without the tools of a shell, and leaves out what only they tell', async () => {
    vi.stubEnv('PATH', '/nonexistent');
    const inventory = await readInventory();
    expect(inventory).toHaveProperty('kernel');
    expect(inventory).not.toHaveProperty('virtualization');
  });

  it('leaves out the parts that fail or do not come in time', async () => {
    const system = async () => ({ virtual: true, virtualHost: '' }) as Awaited<ReturnType<InventorySource['system']>>;
    const never = () => new Promise<never>(() => undefined);
    const broken = () => Promise.reject(new Error('no lscpu'));
    for (const cpu of [never, broken]) {
      const inventory = await readInventory({ timeout: 20, source: { cpu, system } });
      expect(inventory).toMatchObject({ kernel: release(), virtualization: 'virtual machine' });
      expect(inventory).not.toHaveProperty('cpu_model');
    }
  });
});
