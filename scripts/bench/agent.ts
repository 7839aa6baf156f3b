/**
 * What an agent costs: steady at 1 s and at 5 s beside a minimal collector in Python in the same minutes, how it starts,
 * how large it is, and how its cost grows with the host. All but the growth on the built executable.
 *
 * CPU is the kernel's account of a process and its children, so a noisy neighbour changes it by the caches it empties
 * and not by the time it takes: only what ran side by side compares.
 */
import { Broker } from '../../test/support/broker.ts';
import { benchCollectors } from './agent-growth.ts';
import { benchStart } from './agent-start.ts';
import { benchSteady } from './agent-steady.ts';
import { BenchDirectory } from './bench-directory.ts';
import type { Row } from './table.ts';

export interface AgentBench {
  /** Length of each of the five windows in which the steady agents are watched. */
  readonly seconds: number;
}

export async function benchAgent({ seconds }: AgentBench): Promise<Row[]> {
  using place = new BenchDirectory();
  const directory = place.path;
  const reading = await benchCollectors();
  await using broker = await Broker.start();
  return [...reading, ...(await benchStart(broker, directory)), ...(await benchSteady(broker, directory, seconds))];
}
