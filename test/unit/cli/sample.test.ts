import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import yargs from 'yargs';
import { sampleCommand } from '../../../src/cli/sample.ts';
import { renderReading } from '../../../src/cli/sample-table.ts';
import type { HostReading } from '../../../src/sample/sample.ts';

const REQUIRED: HostReading = {
  cpu_percent: 12.5,
  memory_percent: 50,
  memory_used_mb: 512,
  memory_total_mb: 1024,
  disk_percent: 42.11,
  disk_used_gb: 40,
  disk_total_gb: 100,
  network_bytes_sent: 1_048_576,
  network_bytes_recv: 7,
};

const output: string[] = [];

beforeEach(() => {
  output.length = 0;
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output.push(String(text));
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

async function run(...args: string[]): Promise<void> {
  await yargs(['sample', ...args])
    .command([sampleCommand])
    .exitProcess(false)
    .fail((_, error) => {
      throw error;
    })
    .parseAsync();
}

const samples = () =>
  output
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('hostspool sample', () => {
  it('prints as many JSON lines as asked for, one interval apart, in the shape of the contract', async () => {
    const before = Date.now();
    await run('--json', '--count=3', '--interval=100ms');
    const lines = samples();
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line.hostname).toBe(hostname());
      for (const field of Object.keys(REQUIRED)) expect(line[field], field).toEqual(expect.any(Number));
      for (const field of ['event_id', 'run_id', 'seq', 'spool_depth']) expect(line).not.toHaveProperty(field);
    }
    const times = lines.map(({ timestamp }) => Date.parse(String(timestamp)));
    expect(times[0]).toBeGreaterThanOrEqual(before + 100);
    expect(times[2]).toBeGreaterThan(times[1] as number);
    expect(lines[0]?.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('prints a table for people, with the host above it', async () => {
    await run('--interval=100ms', '--details');
    const text = output.join('');
    expect(text.split('\n')[0]).toMatch(new RegExp(`^${hostname()} +\\d{4}-`));
    for (const heading of ['CPU', 'Memory', 'Disk', 'Network', 'System', 'Filesystem', 'Interface']) {
      expect(text).toMatch(new RegExp(`^${heading}`, 'm'));
    }
  });

  it('ends at Ctrl-C without an error', async () => {
    const running = run('--json', '--count=0', '--interval=100ms');
    await vi.waitFor(() => expect(output.length).toBeGreaterThan(0));
    process.emit('SIGINT');
    await running;
    const count = samples().length;
    expect(count).toBeGreaterThan(0);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it.each([
    ['--count=x'],
    ['--count=-1'],
    ['--count=1.5'],
    ['--count='],
    ['--interval=5'],
    ['--interval=50ms'],
    ['--interval=2d'],
    ['--interval=1s', '--interval=2s'],
  ])('refuses %s as wrong usage', async (...args) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 'USAGE', hint: expect.any(String) });
    expect(output).toEqual([]);
  });
});

describe('a reading as a table', () => {
  it('leaves out what is not known, and whole blocks of it', () => {
    const text = renderReading(REQUIRED);
    expect(text).toContain('12.50 %');
    expect(text).toContain('512.00 of 1024.00 MiB');
    expect(text).toContain('1048576 bytes (1MiB)');
    for (const absent of ['Pressure', 'swap', 'undefined', 'NaN', 'Filesystem']) expect(text).not.toContain(absent);
  });

  it('aligns its columns and lets no name steer the terminal', () => {
    const text = renderReading({
      ...REQUIRED,
      filesystems: [
        { mount: '/', device: '/dev/sda', type: 'ext4', total_gb: 100, used_gb: 40, percent: 42.11 },
        { mount: '/a\u001b[2Jb', device: '/dev/sdb', type: 'xfs', total_gb: 1000, used_gb: 4, percent: 0.4 },
      ],
    });
    expect(text).not.toContain('\u001b');
    const rows = text.split('\n').slice(-4, -1);
    expect(rows[0]).toMatch(/^Filesystem/);
    expect(new Set(rows.map((row) => row.length)).size).toBe(1);
  });
});
