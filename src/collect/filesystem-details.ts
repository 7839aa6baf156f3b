/**
 * How full each filesystem of the host is: the `filesystems` array, for those who turned details on.
 *
 * The root has been asked when this begins. Local filesystems are then asked one after the other, and beside them the
 * network's, one after the other, so at most two calls are out and at most one of them waits for another machine.
 *
 *     local lane    / ✓ ─▶ /var ─▶ /home …         a lane whose call is stuck is closed until it returns;
 *     network lane  /mnt/a ─▶ /mnt/b (stuck) ✗      with the local lane stuck, the network lane is closed too,
 *                                                   so that one slot stays for the root
 *
 * A dead network mount thus costs the network mounts after it. When time is up, what has been answered is sent.
 */
import { errorCode, HostspoolError } from '../lib/errors.ts';
import type { FilesystemDetail } from '../sample/sample.ts';
import { DETAIL_ENTRIES, type SlowCollector, type SlowResult } from './collector.ts';
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

  async collect(timeUp: Promise<void>): Promise<SlowResult> {
    const mounts = this.#readMounts();
    const silent: string[] = [];
    const found = new Map<Mount, FilesystemDetail>();
    const lanes = [mounts.filter(({ network }) => !network), mounts.filter(({ network }) => network)];
    const stuck = lanes.map((lane) => lane.some(({ point }) => this.#isOutstanding(point)));
    const closed = [stuck[0] ?? false, stuck.includes(true)];
    const deadline = timeUp.then(() => undefined);
    await Promise.all(
      lanes.map((lane, i) =>
        closed[i] ? silent.push(...lane.map(({ point }) => point)) : this.#ask(lane, deadline, found, silent),
      ),
    );
    const filesystems = mounts.flatMap((mount) => found.get(mount) ?? []);
    return silent.length === 0 ? { fields: { filesystems } } : { fields: { filesystems }, problem: problemOf(silent) };
  }

  #readMounts(): readonly Mount[] {
    const table = this.#mountinfo.read().rest();
    if (table !== this.#table) {
      this.#mounts = parseMounts(table).slice(0, DETAIL_ENTRIES);
      this.#table = table;
    }
    return this.#mounts;
  }

  #isOutstanding(point: string): boolean {
    return this.#calls.outstanding.has(this.#pathOf(point));
  }

  /** Asks one lane's filesystems in turn; those that gave no answer are added to `silent`. */
  async #ask(
    lane: readonly Mount[],
    deadline: Promise<undefined>,
    found: Map<Mount, FilesystemDetail>,
    silent: string[],
  ): Promise<void> {
    for (const [i, mount] of lane.entries()) {
      try {
        const call = this.#calls.start(this.#pathOf(mount.point));
        const answer = call === undefined ? undefined : await Promise.race([call, deadline]);
        if (answer === undefined) {
          silent.push(...lane.slice(i).map(({ point }) => point));
          return;
        }
        const usage = usageOf(answer);
        // A filesystem without blocks is a view of something else.
        if (usage !== undefined && answer.blocks > 0) found.set(mount, detailOf(mount, usage));
      } catch (error) {
        if (!NOT_OURS.has(errorCode(error) ?? '')) silent.push(mount.point);
      }
    }
  }

  close(): void {
    this.#mountinfo.close();
  }
}

function detailOf(mount: Mount, { total, used, percent }: NonNullable<ReturnType<typeof usageOf>>): FilesystemDetail {
  return {
    mount: mount.point.slice(0, LONGEST_NAME),
    device: mount.device.slice(0, LONGEST_NAME),
    type: mount.type,
    total_gb: total,
    used_gb: used,
    percent,
  };
}

function problemOf(silent: readonly string[]): HostspoolError {
  const more = silent.length > MOST_NAMED ? ` and ${silent.length - MOST_NAMED} more` : '';
  const points = silent.slice(0, MOST_NAMED).join(', ') + more;
  return new HostspoolError('COLLECT_STUCK', `no answer from the filesystems at ${points}`, {
    hint: 'a network mount whose server is gone can be released by umount -l',
    retryable: true,
  });
}
