/**
 * After the storm: waits until nothing is on its way any more, then ends everything in the order of the data.
 *
 *   everything runs ─▶ spools drained, no notes pending ─▶ agents stopped ─▶ offsets = ends of the logs ─▶ writers stopped
 *
 * An agent is stopped only when its spool had been drained while it ran, so what it took last is what a stop has to ship;
 * if that fails the spool says so, and the agent is run once more.
 */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { StormProcess } from './process.ts';
import { GROUP, type StormWorld, TOPIC } from './world.ts';

const DRAIN_LIMIT_MS = 120_000;
const LOAD_LIMIT_MS = 120_000;
const EXPLAIN_LIMIT_MS = 30_000;
const STOPS = 3;

/** Brings the world to rest; answers what kept it from it. */
export async function quieten(world: StormWorld): Promise<string[]> {
  await world.heal();
  for (const process of [...world.writers, ...world.agents]) process.start();
  const findings = (await Promise.all(world.agents.map((_, agent) => endAgent(world, agent)))).flat();
  if (!(await waitFor(() => loaded(world), LOAD_LIMIT_MS))) {
    findings.push(`the writers did not load all within ${LOAD_LIMIT_MS} ms: ${await offsetsText(world)}`);
  }
  // A hole in a log explains the gaps behind it a little later than its offsets move.
  await waitFor(() => explained(world), EXPLAIN_LIMIT_MS);
  await Promise.all(world.writers.map((writer) => writer.stop()));
  return findings;
}

async function endAgent(world: StormWorld, index: number): Promise<string[]> {
  const agent = world.agents[index] as StormProcess;
  for (let stop = 1; stop <= STOPS; stop++) {
    agent.start();
    // Before its first sample a run that has just begun has noted nothing of the one before it, and a look at the
    // spool shows what that one left: drained, perhaps, and its end in no note yet.
    await agent.next(({ event }) => event === 'sample_taken', AbortSignal.timeout(DRAIN_LIMIT_MS));
    if (!(await waitFor(() => drained(world, index), DRAIN_LIMIT_MS))) {
      const spool = await spoolText(world, index);
      await agent.stop();
      return [`${agent.name}: the spool was not drained within ${DRAIN_LIMIT_MS} ms: ${spool}`];
    }
    await agent.stop();
    if (await empty(world, index)) return [];
  }
  return [
    `${agent.name} left samples in its spool at ${STOPS} stops, with Kafka there: ${await spoolText(world, index)}`,
  ];
}

interface SpoolStatus {
  readonly spool?: { readonly depth: number | null; readonly notes_pending: number };
}

/** Asked of `hostspool status`, beside the running agent; its exit code is a verdict, not an error. */
function spoolOf(world: StormWorld, agent: number): Promise<SpoolStatus['spool']> {
  return new Promise((resolve) => {
    const args = ['status', '--json', `--spool=${world.spool(agent)}`];
    execFile(world.executable, args, { env: { PATH: '/nonexistent' } }, (_, stdout) => {
      try {
        resolve((JSON.parse(stdout) as SpoolStatus).spool);
      } catch {
        resolve(undefined);
      }
    });
  });
}

/** What a running agent has on its way at any moment: at ten samples a second its spool is hardly ever empty. */
const ON_ITS_WAY = 10;

/** All that is old has been shipped, the notes with it. */
async function drained(world: StormWorld, agent: number): Promise<boolean> {
  const spool = await spoolOf(world, agent);
  return spool !== undefined && (spool.depth ?? Infinity) <= ON_ITS_WAY && spool.notes_pending === 0;
}

/** Nothing is left but the note that this run has ended, which waits for the next one. */
async function empty(world: StormWorld, agent: number): Promise<boolean> {
  const spool = await spoolOf(world, agent);
  return spool?.depth === 0 && spool.notes_pending <= 1;
}

const spoolText = async (world: StormWorld, agent: number) =>
  JSON.stringify((await spoolOf(world, agent)) ?? 'no status');

async function loaded(world: StormWorld): Promise<boolean> {
  const [ends, offsets] = await Promise.all([
    world.traffic.ends(),
    world.database.offsets({ group: GROUP, topic: TOPIC }).catch(() => new Map<number, number>()),
  ]);
  // A partition where nothing was ever written need not have an offset.
  return [...ends].every(([partition, end]) => (offsets.get(partition) ?? 0) === end);
}

async function explained(world: StormWorld): Promise<boolean> {
  const { accounting } = await world.database.copy({ group: GROUP, topic: TOPIC });
  return accounting.every(({ missing }) => missing === 0);
}

async function offsetsText(world: StormWorld): Promise<string> {
  const [ends, offsets] = await Promise.all([
    world.traffic.ends(),
    world.database.offsets({ group: GROUP, topic: TOPIC }).catch(() => new Map<number, number>()),
  ]);
  return [...ends]
    .map(([partition, end]) => `partition ${partition}: ${offsets.get(partition) ?? 0} of ${end}`)
    .join(', ');
}

async function waitFor(condition: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) return false;
    await delay(200);
  }
  return true;
}
