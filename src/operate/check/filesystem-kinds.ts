/** Kinds of filesystems by the number that statfs tells, and what is wrong with some of them for a database. */
export interface FilesystemKind {
  readonly name: string;
  /** `kernel`: no file can be made there at all. */
  readonly trouble: 'memory' | 'network' | 'kernel' | null;
}

const KINDS: ReadonlyMap<number, FilesystemKind> = new Map(
  (
    [
      [0xef53, 'ext4', null],
      [0x58465342, 'xfs', null],
      [0x9123683e, 'btrfs', null],
      [0x2fc12fc1, 'zfs', null],
      [0xf2f52010, 'f2fs', null],
      [0x794c7630, 'overlay', null],
      [0x01021994, 'tmpfs', 'memory'],
      [0x858458f6, 'ramfs', 'memory'],
      [0x6969, 'nfs', 'network'],
      [0xff534d42, 'cifs', 'network'],
      [0xfe534d42, 'smb', 'network'],
      [0x517b, 'smb', 'network'],
      [0x01021997, '9p', 'network'],
      [0x00c36400, 'ceph', 'network'],
      [0x0bd00bd0, 'lustre', 'network'],
      [0x5346414f, 'afs', 'network'],
      [0x9fa0, 'proc', 'kernel'],
      [0x62656572, 'sysfs', 'kernel'],
      [0x63677270, 'cgroup2', 'kernel'],
    ] as const
  ).map(([type, name, trouble]) => [type, { name, trouble }]),
);

export function filesystemKind(type: number): FilesystemKind {
  // The number is signed on some machines.
  return KINDS.get(type >>> 0) ?? { name: `a filesystem of the type 0x${(type >>> 0).toString(16)}`, trouble: null };
}
