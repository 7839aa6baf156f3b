/**
 * Which filesystems a host has that can fill up, from a mountinfo table.
 *
 * - local: on a block device of its own (a device number whose major is not 0), or one of the few that manage their
 *   devices themselves and have an anonymous number (btrfs, zfs);
 * - network: asked of another machine, so it may not answer; and whatever is mounted beneath one, since the path to
 *   it leads through.
 * All else is the kernel's own (proc, cgroup, tmpfs, overlay) and left out, but for the root, which the sample is
 * about. So are read-only images (snaps, CDs), which are full by nature. Each device comes once: at its own root
 * rather than at a bind mount of a part, the first of equals. Of mounts on one point only the last can be seen.
 */
export interface Mount {
  /** Where it is mounted. */
  readonly point: string;
  readonly device: string;
  readonly type: string;
  readonly network: boolean;
}

interface Entry extends Mount {
  /** major:minor. */
  readonly number: string;
  /** Whether the whole filesystem is mounted, not a part of it. */
  readonly whole: boolean;
}

const SELF_MANAGED = new Set(['btrfs', 'zfs', 'bcachefs']);
const IMAGES = new Set(['squashfs', 'iso9660', 'erofs', 'cramfs', 'romfs', 'udf']);
const NETWORK = new Set(
  'nfs nfs4 cifs smb3 smbfs ncpfs afs ceph 9p virtiofs lustre gpfs beegfs pvfs2 orangefs glusterfs davfs coda'.split(
    ' ',
  ),
);
/** Programs that mount views and portals, not storage. */
const FUSE_VIEWS = new Set(
  ['lxcfs', 'gvfsd-fuse', 'portal', 'snapfuse', 'squashfuse', 'archivemount', 'xdg-document-portal', 'jetbrains'].map(
    (program) => `fuse.${program}`,
  ),
);
const OCTAL_ESCAPE = /\\([0-3][0-7]{2})/g;
/** A source may be a URL with a login in it. */
const PASSWORD = /(:\/\/[^/@\s]*:)[^/@\s]*@/;

/** The mounts of `table`, the text of a mountinfo file; the root first if it is there, then in the table's order. */
export function parseMounts(table: string): Mount[] {
  const byPoint = new Map<string, Entry>();
  for (const line of table.split('\n')) {
    const entry = parseLine(line);
    if (entry === undefined) continue;
    byPoint.delete(entry.point);
    byPoint.set(entry.point, entry);
  }
  const networkPoints = [...byPoint.values()].filter(({ network }) => network).map(({ point }) => point);
  const byDevice = new Map<string, Entry>();
  for (const entry of byPoint.values()) {
    if (entry.point !== '/' && !canFill(entry)) continue;
    const rival = byDevice.get(entry.number);
    if (rival === undefined || rank(entry) > rank(rival)) byDevice.set(entry.number, entry);
  }
  return [...byDevice.values()]
    .sort((a, b) => Number(b.point === '/') - Number(a.point === '/'))
    .map(({ point, device, type, network }) => ({
      point,
      device,
      type,
      network: network || networkPoints.some((above) => point.startsWith(`${above}/`)),
    }));
}

/** `ID parent major:minor root point options optional… - type source superoptions`; undefined for anything else. */
function parseLine(line: string): Entry | undefined {
  const [mount, filesystem] = line.split(' - ', 2);
  const [, , number, root, point] = (mount ?? '').split(' ');
  const [type, source] = (filesystem ?? '').split(' ');
  if (!number || !root?.startsWith('/') || !point?.startsWith('/') || !type) return undefined;
  const device = unescaped(source ?? '').replace(PASSWORD, '$1***@');
  return { point: unescaped(point), device, type, network: isNetwork(type), number, whole: root === '/' };
}

function isNetwork(type: string): boolean {
  return NETWORK.has(type) || (type.startsWith('fuse.') && !FUSE_VIEWS.has(type));
}

function canFill({ type, number, network }: Entry): boolean {
  if (IMAGES.has(type)) return false;
  return network || SELF_MANAGED.has(type) || !number.startsWith('0:');
}

/** Which of two mounts of one device stands for it. */
function rank({ point, whole }: Entry): number {
  if (point === '/') return 2;
  return whole ? 1 : 0;
}

/** The kernel writes blank, tab, newline and backslash as three octal digits. */
function unescaped(text: string): string {
  return text.replace(OCTAL_ESCAPE, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
