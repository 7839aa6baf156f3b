/**
 * Loading a native addon that is an asset of the executable.
 *
 * The loader of shared objects wants a path, so the addon is written to an unnamed file (O_TMPFILE) and loaded through
 * /proc/self/fd: nothing stays on disk, whatever kills the process. Where the filesystem has no unnamed files it is a
 * named one, unlinked right after loading. Either needs one writable directory that is not mounted noexec.
 */
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRawAsset } from 'node:sea';
import { HostspoolError } from './errors.ts';

const O_TMPFILE = 0o20200000;

/** The addon in `asset`; `name` is what an error calls it. */
export function loadEmbeddedAddon(asset: string, name: string): object {
  const bytes = new Uint8Array(getRawAsset(asset));
  const directories = [process.env.STATE_DIRECTORY, tmpdir(), '/tmp', '/var/tmp', '/dev/shm', process.cwd()];
  const failures: string[] = [];
  for (const directory of new Set(directories)) {
    if (directory === undefined || directory === '') continue;
    for (const load of [loadUnnamed, loadNamed]) {
      try {
        return load(directory, bytes, asset);
      } catch (error) {
        failures.push(`${directory}: ${(error as Error).message}`);
      }
    }
  }
  throw new HostspoolError(
    'NATIVE_ADDON',
    `the built-in ${name} could not be loaded from any of: ${failures.join('; ')}`,
    {
      hint: 'make one of these directories writable and executable (not mounted noexec), or set TMPDIR to one that is',
    },
  );
}

function loadUnnamed(directory: string, bytes: Uint8Array): object {
  const file = openSync(directory, O_TMPFILE | constants.O_RDWR, 0o700);
  try {
    writeWhole(file, bytes);
    // The file stays open: the loader knows objects by their path, and would take the next one of this number for it.
    return dlopen(`/proc/self/fd/${file}`);
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function loadNamed(directory: string, bytes: Uint8Array, asset: string): object {
  // A name of its own for each addon: the loader takes two objects of one path for the same.
  const path = join(directory, `.hostspool-${process.pid}-${asset}`);
  const file = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o700);
  try {
    writeWhole(file, bytes);
  } finally {
    closeSync(file);
  }
  try {
    return dlopen(path);
  } finally {
    unlinkSync(path);
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written);
  }
}

function dlopen(path: string): object {
  const loaded = { exports: {} };
  process.dlopen(loaded, path);
  return loaded.exports;
}
