/** The filesystem that a spool lies on. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { contentsInUse } from '../spool-copy.ts';

const REFILL_EVERY_MS = 50;
/** After the disk is free again, until every line of a sample that met it full was read. */
const SETTLED_AFTER_MS = 2000;

const full: Fault = {
  name: 'the disk under the spool is full',
  on: 'agent disk',
  run: async ({ world, target, random, stop, note, skip }) => {
    const disk = world.disks[target];
    if (disk === undefined) return skip('only root may mount a small one');
    const hostname = world.hostname(target);
    const ms = random.integer(1000, 12_000);
    // Either the reserve of the spool helps it over, or somebody takes what it gives back as well.
    const greedy = random.chance(0.6);
    note(`for ${ms} ms${greedy ? ', and what is given back is taken' : ''}`);
    const from = world.ledger.mark(hostname);
    const licence = { fault: full.name, reasons: ['disk_full', 'spool_unwritable', 'crash'] };
    // `spool_unwritable`: a damaged spool for whose recovery there is no room.
    // A spool that may not grow gives up its oldest for the newest.
    world.ledger.excuseContents(contentsInUse(world.spool(target)), { ...licence, reasons: ['disk_full'] });
    const until = performance.now() + ms;
    try {
      disk.fill();
      while (performance.now() < until && !stop.aborted) {
        await delay(REFILL_EVERY_MS);
        if (greedy) disk.fill();
      }
    } finally {
      disk.free();
    }
    await delay(SETTLED_AFTER_MS);
    // What memory owed the spool when the agent was killed is gone with it, and known to be.
    world.ledger.excuse(hostname, from, world.ledger.mark(hostname), licence);
  },
};

export const DISK_FAULTS: readonly Fault[] = [full];
