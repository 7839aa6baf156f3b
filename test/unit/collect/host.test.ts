import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { Log, LogFields } from '../../../src/lib/log.ts';
import { cpuLine, Tree } from './tree.ts';

const ROOT = { disk_percent: 42.11, disk_used_gb: 40, disk_total_gb: 100 };

class Lines implements Log {
  readonly events: string[] = [];
  debug = () => undefined;
  info = (fields: LogFields) => this.#keep('info', fields);
  warn = (fields: LogFields) => this.#keep('warn', fields);
  error = (fields: LogFields) => this.#keep('error', fields);

  #keep(level: string, { event, collector }: LogFields): void {
    this.events.push(`${level} ${event} ${collector}`);
  }
}

describe('a host’s reading', () => {
  it('has every field of a current kernel with pressure information', async () => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open();
    tree.edit('proc/stat', (text) =>
      text.replace(/^cpu .*\n/, cpuLine(1043556, 2224, 398811, 50913038, 31907, 0, 10238, 4026, 120100, 0)),
    );
    expect(await collector.read()).toEqual({
      cpu_percent: 42,
      cpu_user_percent: 30,
      cpu_system_percent: 10,
      cpu_iowait_percent: 3,
      cpu_steal_percent: 0.5,
      cpu_count: 4,
      memory_percent: 39.72,
      memory_used_mb: 6319.74,
      memory_total_mb: 15910,
      memory_available_mb: 9590.27,
      swap_total_mb: 4096,
      swap_used_mb: 1024,
      swap_percent: 25,
      ...ROOT,
      network_bytes_sent: 12_354_679_701,
      network_bytes_recv: 50_124_456_989,
      disk_read_bytes: 32_401_694_720,
      disk_write_bytes: 50_245_455_872,
      pressure_cpu_some_percent: 2.04,
      pressure_memory_some_percent: 0.31,
      pressure_memory_full_percent: 0.12,
      pressure_io_some_percent: 12.5,
      pressure_io_full_percent: 7.75,
      load_1: 1.27,
      load_5: 0.94,
      load_15: 0.71,
      uptime_seconds: 130_912.44,
      process_count: 5,
    });
    expect(collector.errors).toEqual(new Map());
    collector.close();
  });

  it('goes without pressure where the kernel has none, and counts an aliased interface', async () => {
    using tree = new Tree('linux-4.9-no-psi');
    const collector = tree.open();
    tree.edit('proc/stat', (text) =>
      text.replace(/^cpu .*\n/, cpuLine(88145, 310, 40147, 9120381, 2201, 0, 811, 0, 0, 0)),
    );
    expect(await collector.read()).toEqual({
      cpu_percent: 50,
      cpu_user_percent: 25,
      cpu_system_percent: 25,
      cpu_iowait_percent: 0,
      cpu_steal_percent: 0,
      cpu_count: 2,
      memory_percent: 50,
      memory_used_mb: 1000,
      memory_total_mb: 2000,
      memory_available_mb: 1000,
      swap_total_mb: 0,
      swap_used_mb: 0,
      swap_percent: 0,
      ...ROOT,
      network_bytes_sent: 987_654_328,
      network_bytes_recv: 123_456_794,
      disk_read_bytes: 204_800_000,
      disk_write_bytes: 102_400_000,
      load_1: 0,
      load_5: 0.01,
      load_15: 0.05,
      uptime_seconds: 91_234.1,
      process_count: 2,
    });
    expect(collector.errors).toEqual(new Map());
    collector.close();
  });

  it('estimates available memory where the kernel does not show it', async () => {
    using tree = new Tree('linux-3.10-no-memavailable');
    const collector = tree.open();
    tree.edit('proc/stat', (text) => text.replace(/^cpu .*\n/, cpuLine(5021, 12, 3301, 771300, 410, 3, 55, 20, 0, 0)));
    expect(await collector.read()).toEqual({
      cpu_percent: 0,
      cpu_user_percent: 0,
      cpu_system_percent: 0,
      cpu_iowait_percent: 0,
      cpu_steal_percent: 0,
      cpu_count: 1,
      memory_percent: 48.51,
      memory_used_mb: 481.34,
      memory_total_mb: 992.19,
      memory_available_mb: 510.84,
      swap_total_mb: 1024,
      swap_used_mb: 0,
      swap_percent: 0,
      ...ROOT,
      network_bytes_sent: 9001,
      network_bytes_recv: 7001,
      disk_read_bytes: 40_960_000,
      disk_write_bytes: 10_240_000,
      load_1: 0.1,
      load_5: 0.2,
      load_15: 0.3,
      uptime_seconds: 7761.03,
      process_count: 1,
    });
    collector.close();
  });

  it('takes a container’s view as it is: free memory for an impossible available, no disks without /sys/block', async () => {
    using tree = new Tree('container-cgroup2');
    const collector = tree.open();
    tree.edit('proc/stat', (text) => text.replace(/^cpu .*\n/, cpuLine(1075, 0, 525, 8300, 0, 0, 0, 0, 0, 0)));
    const reading = await collector.read();
    expect(reading).toMatchObject({
      cpu_percent: 25,
      memory_total_mb: 512,
      memory_available_mb: 128,
      memory_used_mb: 384,
      memory_percent: 75,
      network_bytes_sent: 4096,
      network_bytes_recv: 8192,
      pressure_cpu_some_percent: 0,
      process_count: 2,
      uptime_seconds: 86.2,
    });
    expect(reading).not.toHaveProperty('disk_read_bytes');
    expect(collector.errors).toEqual(new Map());
    collector.close();
  });

  it('counts 256 CPUs, whose text is larger than the first buffer', async () => {
    using tree = new Tree('linux-6.8-server');
    const cpus = Array.from({ length: 256 }, (_, i) => `cpu${i} 1 0 1 100 0 0 0 0 0 0\n`).join('');
    const interrupts = `intr ${Array(20_000).fill('12345').join(' ')}\n`;
    tree.write('proc/stat', cpuLine(256, 0, 256, 25_600, 0, 0, 0, 0, 0, 0) + cpus + interrupts);
    const collector = tree.open();
    tree.write('proc/stat', cpuLine(1256, 0, 256, 28_600, 0, 0, 0, 0, 0, 0) + cpus + interrupts);
    expect(await collector.read()).toMatchObject({ cpu_percent: 25, cpu_count: 256 });
    collector.close();
  });

  it('tells how long each collector took', async () => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open({ details: true });
    await collector.read();
    expect([...collector.lastDurations().keys()].sort()).toEqual(
      [
        'cpu',
        'disks',
        'filesystem_details',
        'load',
        'memory',
        'network',
        'pressure',
        'processes',
        'root_filesystem',
        'uptime',
      ].sort(),
    );
    collector.close();
  });

  it('reads anew after it was closed, and closes twice', async () => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open();
    collector.close();
    expect((await collector.read()).load_1).toBe(1.27);
    collector.close();
    collector.close();
  });
});

describe('a collector that fails', () => {
  it('costs its own fields only, is counted each time and logged when it begins and ends', async () => {
    using tree = new Tree('linux-6.8-server');
    const log = new Lines();
    const collector = tree.open({ log });
    const whole = await collector.read();
    const loadavg = tree.read('proc/loadavg');
    tree.write('proc/loadavg', 'high\n');
    for (let i = 0; i < 3; i++) {
      const { load_1, load_5, load_15, ...rest } = whole;
      expect(await collector.read()).toEqual(rest);
      expect([load_1, load_5, load_15]).toEqual([1.27, 0.94, 0.71]);
    }
    tree.write('proc/loadavg', loadavg);
    expect(await collector.read()).toEqual(whole);
    expect(collector.errors).toEqual(new Map([['load', 3]]));
    expect(log.events).toEqual(['warn collector_failed load', 'info collector_recovered load']);
    collector.close();
  });

  it.each([
    ['proc/loadavg', ['load_1', 'load_5', 'load_15']],
    ['proc/uptime', ['uptime_seconds']],
    ['proc/diskstats', ['disk_read_bytes', 'disk_write_bytes']],
    ['sys/block', ['disk_read_bytes', 'disk_write_bytes']],
    ['proc/pressure/cpu', ['pressure_cpu_some_percent']],
    ['proc/pressure/io', ['pressure_io_some_percent', 'pressure_io_full_percent']],
  ])('leaves out what a missing %s would have told', async (path, fields) => {
    using tree = new Tree('linux-6.8-server');
    const before = tree.open();
    const whole = await before.read();
    before.close();
    tree.remove(path);
    const collector = tree.open();
    const reading = await collector.read();
    expect(Object.keys(whole).filter((field) => !(field in reading))).toEqual(fields);
    collector.close();
  });

  it.each([
    ['proc/stat', 'cpu_percent'],
    ['proc/meminfo', 'memory_percent'],
    ['proc/1/net/dev', 'network_bytes_sent'],
  ])('makes no sample without %s, and one again when it is back', async (path, field) => {
    using tree = new Tree('linux-6.8-server');
    const text = tree.read(path);
    const collector = tree.open();
    tree.write(path, '');
    const error = await collector.read().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(HostspoolError);
    expect(error).toMatchObject({ code: 'COLLECT_REQUIRED', retryable: true });
    expect((error as HostspoolError).message).toContain(`no ${field}`);
    expect((error as HostspoolError).message).toContain(path);
    tree.write(path, text);
    await collector.read();
    collector.close();
  });

  it('needs one reading of the CPUs more when /proc/stat was not there at first', async () => {
    using tree = new Tree('linux-6.8-server');
    const text = tree.read('proc/stat');
    tree.remove('proc/stat');
    const collector = tree.open();
    tree.write('proc/stat', text);
    await expect(collector.read()).rejects.toMatchObject({
      code: 'COLLECT_REQUIRED',
      cause: { code: 'COLLECT_NO_BASELINE' },
    });
    expect((await collector.read()).cpu_count).toBe(4);
    collector.close();
  });
});

describe('the count of processes', () => {
  it('is taken anew only after four seconds', async () => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open();
    expect((await collector.read()).process_count).toBe(5);
    tree.write('proc/30000/comm', 'new\n');
    tree.clock.pass(3999);
    expect((await collector.read()).process_count).toBe(5);
    tree.clock.pass(1);
    expect((await collector.read()).process_count).toBe(6);
    collector.close();
  });
});
