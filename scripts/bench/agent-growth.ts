/**
 * How the cost of reading a host grows with the host: CPU per reading over fixture trees with more CPUs, interfaces and
 * mounts, in this process, the trees taking turns. What it is to be compared with is the text that has to be read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostCollector } from '../../src/collect/host.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Tree, USAGE } from '../../test/unit/collect/tree.ts';
import { type Row, row, show } from './table.ts';

const ROUNDS = 7;
const READINGS = 200;
const EXT4 = { ...USAGE, type: 0xef53 };

interface Host {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  readonly details: boolean;
}

export async function benchCollectors(): Promise<Row[]> {
  show('agent: readings of hosts that grow');
  const hosts = [
    ...[1, 64, 256].map((count) => host(`${count} CPUs`, 'proc/stat', cpus(count))),
    ...[2, 200].map((count) => host(`${count} interfaces`, 'proc/1/net/dev', interfaces(count))),
    ...[2, 200].map((count) => host(`${count} interfaces, details`, 'proc/1/net/dev', interfaces(count), true)),
    ...[2, 500].map((count) => host(`${count} mounts, details`, 'proc/1/mountinfo', mounts(count), true)),
  ];
  const opened = hosts.map((one) => {
    const tree = new Tree('linux-6.8-server');
    tree.write(one.path, one.text);
    const { details } = one;
    const collector = HostCollector.open({
      root: tree.root,
      details,
      timeout: 1000,
      clock: new SystemClock(),
      log: silentLog,
      statfs: async () => EXT4,
      statfsNow: () => EXT4,
    });
    const kib = readFileSync(join(tree.root, one.path)).length / 1024;
    return { ...one, kib, tree, collector, cost: [] as number[] };
  });
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { collector, cost } of opened) {
      const before = process.cpuUsage();
      for (let n = 0; n < READINGS; n++) await collector.read();
      const { user, system } = process.cpuUsage(before);
      // The first round compiles.
      if (round > 0) cost.push((user + system) / READINGS);
    }
  }
  for (const { collector, tree } of opened) {
    collector.close();
    tree[Symbol.dispose]();
  }
  return opened.map(({ name, kib, cost }) =>
    row('agent: a reading', `CPU µs, ${name}: ${kib.toFixed(1)} KiB to read`, cost),
  );
}

function host(name: string, path: string, text: string, details = false): Host {
  return { name, path, text, details };
}

function lines(count: number, line: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => `${line(n)}\n`).join('');
}

function cpus(count: number): string {
  const row = (name: string) => `${name} 262114 551 99811 12725566 8011 0 6123 1001 30000 0`;
  return `${row('cpu ')}\n${lines(count, (n) => row(`cpu${n}`))}intr 1\nctxt 1\nbtime 1700000000\nprocesses 1\n`;
}

function interfaces(count: number): string {
  const row = (n: number) => `  veth${n}: 50123456789 41230011 3 17 0 0 0 88122 12345678901 18002331 1 2 0 0 0 0`;
  return `Inter-|   Receive |  Transmit\n face |bytes packets |bytes packets\n${lines(count, row)}`;
}

function mounts(count: number): string {
  const row = (n: number) =>
    `${30 + n} 1 8:${n} / ${n === 0 ? '/' : `/srv/${n}`} rw,relatime shared:${n} - ext4 /dev/sda${n} rw`;
  return lines(count, row);
}
