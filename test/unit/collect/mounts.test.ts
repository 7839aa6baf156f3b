import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMounts } from '../../../src/collect/mounts.ts';
import { FIXTURES } from './tree.ts';

const points = (table: string) => parseMounts(table).map(({ point }) => point);
const line = (number: string, root: string, point: string, type: string, source: string) =>
  `20 1 ${number} ${root} ${point} rw,relatime shared:1 master:2 - ${type} ${source} rw\n`;

describe('the mounts of a host', () => {
  it('are its disks and network mounts, each device once, the root first', () => {
    const table = readFileSync(join(FIXTURES, 'linux-6.8-server/proc/1/mountinfo'), 'utf8');
    expect(parseMounts(table)).toEqual([
      { point: '/', device: '/dev/mapper/vg-root', type: 'ext4', network: false },
      { point: '/boot/efi', device: '/dev/nvme0n1p1', type: 'vfat', network: false },
      { point: '/srv/my data', device: '/dev/sda', type: 'xfs', network: false },
      { point: '/home', device: '/dev/nbd0', type: 'btrfs', network: false },
      { point: '/mnt/archive', device: 'nas.example.net:/archive', type: 'nfs4', network: true },
      { point: '/mnt/archive/disk', device: '/dev/sdb', type: 'ext4', network: true },
      { point: '/mnt/dav', device: 'https://user:***@dav.example.net/f', type: 'fuse.davfs', network: true },
    ]);
  });

  it('have the root even when it is an overlay, and the host’s device behind a bind mount', () => {
    const table = readFileSync(join(FIXTURES, 'container-cgroup2/proc/1/mountinfo'), 'utf8');
    expect(points(table)).toEqual(['/', '/etc/hosts']);
  });

  it('show a device at its own root rather than at a part of it, and at / above all', () => {
    expect(points(line('8:1', '/part', '/a', 'ext4', 'x') + line('8:1', '/', '/b', 'ext4', 'x'))).toEqual(['/b']);
    expect(points(line('8:1', '/', '/b', 'ext4', 'x') + line('8:1', '/part', '/', 'ext4', 'x'))).toEqual(['/']);
  });

  it('show only the last of several on one point', () => {
    const hidden = line('8:1', '/', '/data', 'ext4', '/dev/a') + line('8:2', '/', '/data', 'xfs', '/dev/b');
    expect(parseMounts(hidden)).toEqual([{ point: '/data', device: '/dev/b', type: 'xfs', network: false }]);
    expect(points(line('8:1', '/', '/data', 'ext4', 'x') + line('0:9', '/', '/data', 'tmpfs', 'tmpfs'))).toEqual([]);
  });

  it('are found in no text that is not a table, without throwing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseMounts(text)).toEqual([]);
      }),
    );
  });
});
