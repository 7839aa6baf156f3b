/**
 * How full each filesystem of the host is: the `filesystems` array, for those who turned details on.
 *
 * The root has been asked when this begins. Then one filesystem after the other is asked, the local ones before the
 * network's, so that what may not answer keeps nobody waiting; when time is up, what has been answered is sent. One
 * that is stuck is left alone until it returns, and closes what could get stuck next to it:
 *
 *     a network mount is stuck ─▶ no other network mount is asked; the local ones are
 *     a local one is stuck     ─▶ no other is asked at all, so that the second slot stays for the root
 *
 * What remains is a local filesystem that hangs while a network mount is dead: that takes the root's slot, and costs
 * samples until one of them returns.
 */
import { errorCode, HostspoolError } from '../lib/errors.ts';
import type { FilesystemDetail } from '../sample/sample.ts';
import { DETAIL_ENTRIES, type SlowCollector, type SlowResult } from './collector.ts';
import type { Deadline } from './deadline.ts';
import type { KernelFile } from './kernel-file.ts';
import { type Mount, parseMounts } from './mounts.ts';
import type { StatfsCalls } from './statfs-calls.ts';
import { usageOf } from './usage.ts';

/** Longer mount points and device names are cut: 64 paths of 4 KiB would make a message of their own. */
const LONGEST_NAME = 255;
const MOST_NAMED = 5;

/** Answers that say: not for us, or gone since the table was read. They are no fault of the host's. */
const NOT_OURS = new Set(['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR']);

export class FilesystemDetailsCollector implements SlowCollector {
  readonly name = 'filesystem_details';
  readonly #mountinfo: KernelFile;
  readonly #calls: StatfsCalls;
  readonly #pathOf: (point: string) => string;
  #table = '';
  #mounts: readonly Mount[] = [];

  /** `pathOf` answers under which path a mount point of the table is reached. */
  constructor(mountinfo: KernelFile, calls: StatfsCalls, pathOf: (point: string) => string) {
    this.#mountinfo = mountinfo;
    this.#calls = calls;
    this.#pathOf = pathOf;
  }

  async collect(deadline: Deadline): Promise<SlowResult> {
    const mounts = this.#readMounts();
    const isStuck = ({ point }: Mount) => this.#calls.outstanding.has(this.#pathOf(point));
    const isMounted = (path: string) => mounts.some(({ point }) => this.#pathOf(point) === path);
    // Unmounted lazily while it was asked: the call is still out, and has its slot.
    const strayIsStuck = [...this.#calls.outstanding].some((path) => !isMounted(path));
    const networkIsStuck = strayIsStuck || mounts.some((mount) => mount.network && isStuck(mount));
    const localIsStuck = mounts.some((mount) => !mount.network && isStuck(mount));
    const isClosed = ({ network }: Mount) => localIsStuck || (network && networkIsStuck);

    const found = new Map<Mount, FilesystemDetail>();
    const silent = new Set<Mount>(mounts.filter(isClosed));
    const open = mounts.filter((mount) => !isClosed(mount)).sort((a, b) => Number(a.network) - Number(b.network));
    for (const [i, mount] of open.entries()) {
      try {
        const call = this.#calls.start(this.#pathOf(mount.point));
        const answer = call === undefined ? undefined : await deadline.answerOf(call);
        if (answer === undefined) {
          for (const left of open.slice(i)) silent.add(left);
          break;
        }
        const usage = usageOf(answer);
        // A filesystem without blocks is a view of something else.
        if (usage !== undefined && answer.blocks > 0) found.set(mount, detailOf(mount, usage));
      } catch (error) {
        if (!NOT_OURS.has(errorCode(error) ?? '')) silent.add(mount);
      }
    }
    const filesystems = mounts.flatMap((mount) => found.get(mount) ?? []);
    return silent.size === 0
      ? { fields: { filesystems } }
      : { fields: { filesystems }, problem: problemOf([...silent]) };
  }

  #readMounts(): readonly Mount[] {
    const table = this.#mountinfo.read().rest();
    if (table !== this.#table) {
      this.#mounts = parseMounts(table).slice(0, DETAIL_ENTRIES);
      this.#table = table;
    }
    return this.#mounts;
  }

  close(): void {
    this.#mountinfo.close();
  }
}

function detailOf(mount: Mount, { total, used, percent }: NonNullable<ReturnType<typeof usageOf>>): FilesystemDetail {
  return {
    mount: cut(mount.point),
    device: cut(mount.device),
    type: mount.type,
    total_gb: total,
    used_gb: used,
    percent,
  };
}

/** Half a character at the end would make the sample one that no reader takes. */
function cut(name: string): string {
  return name.slice(0, LONGEST_NAME).toWellFormed();
}

function problemOf(silent: readonly Mount[]): HostspoolError {
  const more = silent.length > MOST_NAMED ? ` and ${silent.length - MOST_NAMED} more` : '';
  const points = silent.slice(0, MOST_NAMED).map(({ point }) => point);
  return new HostspoolError('COLLECT_STUCK', `no answer from the filesystems at ${points.join(', ')}${more}`, {
    hint: 'a network mount whose server is gone can be released by umount -l',
    retryable: true,
  });
}
