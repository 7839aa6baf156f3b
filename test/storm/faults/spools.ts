/**
 * A spool file damaged between a death and the next start, or under the running agent. What may be lost by it is what
 * lay in the spool at that time, and under a running agent what came until it had been started anew; no more.
 */
import { rmSync } from 'node:fs';
import type { Fault, FaultContext } from '../fault.ts';
import type { Licence } from '../ledger.ts';
import type { StormProcess } from '../process.ts';
import { contentsAtRest, damage } from '../spool-copy.ts';

async function startAgain(context: FaultContext, process: StormProcess): Promise<void> {
  process.start();
  await process.next(
    ({ event }) => event === 'sample_taken',
    AbortSignal.any([context.stop, AbortSignal.timeout(20_000)]),
  );
}

function licenceOf(fault: Fault): Licence {
  // A log that is cut off looks like one that was never longer: then the tail file alone knows of what was in it.
  return { fault: fault.name, reasons: ['spool_corrupt', 'crash'], uncertain: true };
}

const damagedAtRest: Fault = {
  name: 'the spool is damaged between a kill and a start',
  on: 'agent',
  weight: 2,
  run: async (context) => {
    const { world, target, random, note } = context;
    const process = world.agents[target] as StormProcess;
    await process.kill9();
    excuseContents(context, damagedAtRest);
    note(damage(world.spool(target), random));
    await startAgain(context, process);
  },
};

const deletedAtRest: Fault = {
  name: 'the spool is deleted between a kill and a start',
  on: 'agent',
  run: async (context) => {
    const { world, target, note } = context;
    const process = world.agents[target] as StormProcess;
    await process.kill9();
    note(`${excuseContents(context, deletedAtRest)} samples were in it or in its notes`);
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${world.spool(target)}${suffix}`, { force: true });
    await startAgain(context, process);
  },
};

/** A dormant damage shows at the next start at the latest: that is where the licence ends. */
const damagedInUse: Fault = {
  name: 'the spool is damaged under the running agent',
  on: 'agent',
  weight: 2,
  run: async (context) => {
    const { world, target, random, pause, note } = context;
    const process = world.agents[target] as StormProcess;
    const hostname = world.hostname(target);
    // So that all of it is known: dead for the look, alive for the damage.
    await process.kill9();
    excuseContents(context, damagedInUse);
    const from = world.ledger.mark(hostname);
    await startAgain(context, process);
    note(damage(world.spool(target), random));
    await pause(random.integer(200, 5000));
    await process.kill9();
    await startAgain(context, process);
    world.ledger.excuse(hostname, from, world.ledger.mark(hostname), licenceOf(damagedInUse));
  },
};

function excuseContents({ world, target }: FaultContext, fault: Fault): number {
  const contents = contentsAtRest(world.spool(target), world.directory);
  world.ledger.excuseContents(contents, licenceOf(fault));
  world.ledger.excuseLast(world.hostname(target), licenceOf(fault));
  return contents.numbers.length;
}

export const SPOOL_FAULTS: readonly Fault[] = [damagedAtRest, deletedAtRest, damagedInUse];
