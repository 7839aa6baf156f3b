import { describe, expect, it } from 'vitest';
import { DETAIL_ENTRIES } from '../../../src/collect/collector.ts';
import { Tree } from './tree.ts';

const HEADER = 'Inter-| Receive | Transmit\n face |bytes|bytes\n';
const DEV = 'proc/1/net/dev';

function line(name: string, received: number | bigint | string, sent: number | bigint | string): string {
  return `${name}:${received} 1 2 3 0 0 0 0 ${sent} 1 4 5 0 0 0 0\n`;
}

async function networkOf(text: string, details = false) {
  using tree = new Tree('linux-6.8-server');
  tree.write(DEV, HEADER + text);
  const collector = tree.open({ details });
  try {
    const { network_bytes_sent, network_bytes_recv, interfaces } = await collector.read();
    return { sent: network_bytes_sent, received: network_bytes_recv, interfaces };
  } finally {
    collector.close();
  }
}

describe('the network', () => {
  it.each(['\u2003', '\u2003lo', '\ufeff'])(
    'counts an interface whose name is or begins with a blank to others: %j',
    async (name) => {
      const { sent, received } = await networkOf(line('    lo', 5, 5) + line(`  ${name}`, 100, 200));
      expect([sent, received]).toEqual([200, 100]);
    },
  );

  it('is every interface but loopback, whatever their names are', async () => {
    const names = ['eth0', 'eth0:avahi', 'br-3f2a1b', 'veth@x', '  wg.0', 'ünïcode', 'lo0', 'lo:1', '42'];
    const text = names.map((name) => line(name, 10, 1)).join('') + line('    lo', 1_000_000, 1_000_000);
    const { sent, received, interfaces } = await networkOf(text, true);
    expect([sent, received]).toEqual([names.length, 10 * names.length]);
    expect(interfaces?.map(({ name }) => name)).toEqual(names.map((name) => name.trim()));
  });

  it('is silent on a host that has nothing but loopback', async () => {
    expect(await networkOf(line('lo', 5, 5))).toMatchObject({ sent: 0, received: 0 });
  });

  it('keeps its sums exact and safe when counters pass 2^53', async () => {
    const near = 2n ** 53n - 10n;
    expect(await networkOf(line('eth0', near, near + 5n) + line('eth1', 25, 25))).toMatchObject({
      sent: 20,
      received: 15,
    });
    expect(await networkOf(line('eth0', 2n ** 53n + 7n, 2n ** 64n - 1n))).toMatchObject({
      sent: 2 ** 53 - 1,
      received: 7,
    });
  });

  it('shows errors and drops of both directions per interface', async () => {
    const { interfaces } = await networkOf(line('eth0', 10, 20), true);
    expect(interfaces).toEqual([{ name: 'eth0', bytes_sent: 20, bytes_recv: 10, errors: 6, drops: 8 }]);
  });

  it('lists a bounded number of interfaces and sums them all, over many reads of one text', async () => {
    const count = 3000;
    const text = Array.from({ length: count }, (_, i) => line(`veth${i}`, 2, 1)).join('');
    const { sent, received, interfaces } = await networkOf(text, true);
    expect([sent, received]).toEqual([count, 2 * count]);
    expect(interfaces).toHaveLength(DETAIL_ENTRIES);
  });

  it.each([
    ['a negative counter', line('eth0', '-5', 1)],
    ['too few counters', 'eth0: 1 2 3\n'],
    ['a line without a name', ': 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n'],
    ['a line without a colon', 'eth0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n'],
    ['a counter of more than 64 bits', line('eth0', '9'.repeat(21), 1)],
  ])('is not guessed from %s', async (_, text) => {
    await expect(networkOf(line('eth1', 1, 1) + text)).rejects.toMatchObject({
      code: 'COLLECT_REQUIRED',
      cause: { code: 'COLLECT_GARBLED' },
    });
  });

  it('follows interfaces that come and go', async () => {
    using tree = new Tree('linux-6.8-server');
    const collector = tree.open();
    const sentWith = async (text: string) => {
      tree.write(DEV, HEADER + text);
      return (await collector.read()).network_bytes_sent;
    };
    expect(await sentWith(line('lo', 1, 1) + line('eth0', 1, 100))).toBe(100);
    expect(await sentWith(line('lo', 1, 1) + line('eth0', 1, 110) + line('usb0', 1, 7))).toBe(117);
    expect(await sentWith(line('lo', 1, 1) + line('eth0', 1, 120))).toBe(120);
    collector.close();
  });

  it('is that of the host’s first process under another root, not the reader’s own', async () => {
    using tree = new Tree('linux-6.8-server');
    tree.write('proc/self/net/dev', HEADER + line('eth0', 1, 1));
    tree.write('proc/net/dev', HEADER + line('eth0', 1, 1));
    const collector = tree.open();
    expect((await collector.read()).network_bytes_sent).toBe(12_354_679_701);
    collector.close();
  });
});
