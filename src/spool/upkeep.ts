/**
 * Giving space back to the filesystem, a little at a time: after a drain the file is mostly free pages. The steps are
 * small, since sampling waits meanwhile; some free pages are kept, since the next outage will want them.
 */
import type { Clock } from '../lib/clock.ts';
import { PAGE_SIZE } from './schema.ts';
import { type Store, WAL_BYTES } from './store.ts';

/** Pages moved in one transaction. */
const STEP_PAGES = 64;
const STEP_BYTES = STEP_PAGES * PAGE_SIZE;

/** Longest time for one call, ms. */
const TIME_LIMIT_MS = 20;

/** Most steps in one call: 16 MiB. */
const STEPS = 64;

/** Free bytes that are kept in the file in any case. */
const KEPT_BYTES = 1024 * 1024;

/** Share of the used bytes that is kept free. */
const KEPT_SHARE = 8;

/** Shrinks the file by some of its free pages; answers by how many bytes, 0 if there is nothing to give back. */
export function giveBack(store: Store, clock: Clock): number {
  const { used, free } = store.usage();
  const spare = free - Math.max(KEPT_BYTES, used / KEPT_SHARE);
  const began = clock.monotonic();
  let given = 0;
  if (STEP_BYTES > spare) return given;
  // After a power cut the file is as large as before, and no worse: no step waits for the disk.
  store.undoably(() => {
    for (let step = 0; step < STEPS && given + STEP_BYTES <= spare; step++) {
      store.database.pragma(`incremental_vacuum(${STEP_PAGES})`);
      given += STEP_BYTES;
      if (clock.monotonic() - began > TIME_LIMIT_MS) break;
    }
  });
  return given;
}

/** Moves the log into the file where SQLite did not come to it, and what was given back out of it. Never waits. */
export function checkpoint(store: Store, given: number): void {
  if (given > 0 || store.walBytes() > 2 * WAL_BYTES) store.database.pragma('wal_checkpoint(PASSIVE)');
}
