/**
 * Whether another root is the root filesystem of a host. Asked once, before the first sample: a container that was given
 * too little would otherwise report the figures of itself under the host's name, sample after sample.
 *
 * - /proc must be there and show process 1: of the host's network and mounts only that one's tables tell.
 * - The root must be mounted. A directory of the filesystem that this process runs on (somebody mounted /proc and /sys
 *   alone) would give that one's size for the host's. Whether it is shows in the device; a mount point on the same
 *   device is believed, since an engine may keep its containers on the host's own root.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { errorCode, HostspoolError } from '../lib/errors.ts';

/** What can't be read from anywhere else. */
const NEEDED = ['proc/stat', 'proc/1/net/dev', 'proc/1/mountinfo', 'sys'];

/** What is asked of this process's own surroundings; for tests. */
export interface Surroundings {
  /** The device that a path is on. */
  device(path: string): number;
  /** The mounts of this process. */
  mountinfo(): string;
}

const OWN: Surroundings = {
  device: (path) => statSync(path).dev,
  mountinfo: () => readFileSync('/proc/self/mountinfo', 'utf8'),
};

/** Throws COLLECT_HOST_ROOT; `/` is always one. */
export function requireHostRoot(root: string, own: Surroundings = OWN): void {
  if (root === '/') return;
  for (const path of NEEDED) {
    try {
      accessSync(`${root}/${path}`, constants.R_OK);
    } catch (cause) {
      throw notAHost(`${root}/${path} can't be read (${errorCode(cause)})`, cause);
    }
  }
  if (own.device(root) === own.device('/') && !isMountPoint(root, own.mountinfo())) {
    throw notAHost(`nothing is mounted at ${root}, so that its size would be that of this process's own root`);
  }
}

function isMountPoint(path: string, table: string): boolean {
  // The kernel writes blank, tab, newline and backslash as three octal digits.
  const written = path.replace(/[ \t\n\\]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return table.split('\n').some((line) => line.split(' ')[4] === written);
}

function notAHost(reason: string, cause?: unknown): HostspoolError {
  return new HostspoolError('COLLECT_HOST_ROOT', `collect.host_root is not a host's root filesystem: ${reason}`, {
    hint: 'mount the host’s / there with all that is mounted in it, as by docker run -v /:/host:ro,rslave',
    cause,
  });
}
