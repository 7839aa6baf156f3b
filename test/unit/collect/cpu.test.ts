import { describe, expect, it } from 'vitest';
import { cpuLine, Tree } from './tree.ts';

/** Readings over a sequence of /proc/stat texts; the first is what opening sees. */
async function readings(...texts: string[]) {
  using tree = new Tree('linux-6.8-server');
  tree.write('proc/stat', texts[0] as string);
  const collector = tree.open();
  const result = [];
  for (const text of texts.slice(1)) {
    tree.write('proc/stat', text);
    result.push(await collector.read());
  }
  collector.close();
  return result;
}

const cpus = (count: number) => Array.from({ length: count }, (_, i) => `cpu${i} 1 1 1 1\n`).join('');

describe('the share of busy CPU time', () => {
  it('covers the span from opening to the first sample, then from sample to sample', async () => {
    const [first, second] = await readings(cpuLine(100, 0, 0, 100), cpuLine(150, 0, 0, 150), cpuLine(160, 0, 0, 240));
    expect(first?.cpu_percent).toBe(50);
    expect(second?.cpu_percent).toBe(10);
  });

  it('counts guest time once, steal as busy and iowait as idle', async () => {
    const [reading] = await readings(
      cpuLine(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      cpuLine(40, 10, 5, 20, 15, 3, 2, 5, 40, 10),
    );
    expect(reading).toMatchObject({
      cpu_percent: 65,
      cpu_user_percent: 40,
      cpu_system_percent: 5,
      cpu_iowait_percent: 15,
      cpu_steal_percent: 5,
    });
  });

  it('takes a column that went backward as unchanged', async () => {
    const [reading] = await readings(cpuLine(100, 0, 0, 1000, 500, 0, 0, 0), cpuLine(150, 0, 0, 1050, 400, 0, 0, 0));
    expect(reading).toMatchObject({ cpu_percent: 50, cpu_iowait_percent: 0 });
  });

  it('starts over after a reset of all counters', async () => {
    const [reset, next] = await readings(
      cpuLine(9000, 900, 9000, 90000, 900, 0, 0, 0),
      cpuLine(10, 0, 10, 100, 0, 0, 0, 0),
      cpuLine(20, 0, 20, 180, 0, 0, 0, 0),
    );
    expect(reset?.cpu_percent).toBe(0);
    expect(next?.cpu_percent).toBe(20);
  });

  it('repeats the last value over an empty span, and the next covers both', async () => {
    const values = await readings(
      cpuLine(100, 0, 0, 100),
      cpuLine(100, 0, 0, 100),
      cpuLine(175, 0, 0, 125),
      cpuLine(175, 0, 0, 125),
      cpuLine(185, 0, 0, 215),
    );
    expect(values.map(({ cpu_percent }) => cpu_percent)).toEqual([0, 75, 75, 10]);
  });

  it('stays in range while CPUs are unplugged and plugged', async () => {
    const values = await readings(
      cpuLine(1000, 0, 1000, 8000) + cpus(4),
      cpuLine(700, 0, 600, 4000) + cpus(2),
      cpuLine(800, 0, 600, 4100) + cpus(2),
      cpuLine(1900, 0, 1800, 9000) + cpus(8),
    );
    expect(values.map(({ cpu_count }) => cpu_count)).toEqual([2, 2, 8]);
    for (const { cpu_percent } of values) {
      expect(cpu_percent).toBeGreaterThanOrEqual(0);
      expect(cpu_percent).toBeLessThanOrEqual(100);
    }
    expect(values[1]?.cpu_percent).toBe(50);
  });

  it('reads the four columns of a very old kernel and leaves out a count it does not have', async () => {
    const [reading] = await readings('cpu 0 0 0 0\n', 'cpu 1 1 1 1\n');
    expect(reading?.cpu_percent).toBe(75);
    expect(reading).not.toHaveProperty('cpu_count');
  });
});
