/**
 * What a writer does with a log of one partition and a sink that fails: loads what lies above the stored offset, and
 * after any error or refusal reads again and repeats, as the port says that its caller should.
 */
import type { LogHole } from '../../src/accounts/advance.ts';
import type { HostspoolError } from '../../src/lib/errors.ts';
import type { LoadOutcome, Sink } from '../../src/sink/sink.ts';
import { loadOf, READER } from '../unit/sink/a-load.ts';

export interface Attempts {
  readonly outcomes: readonly LoadOutcome['kind'][];
  readonly errors: readonly HostspoolError[];
}

const MOST_ATTEMPTS = 8;

/** `log`: all messages of partition 0 from offset 0 on. Ends when everything is loaded. */
export async function loadPersistently(
  sink: Sink,
  log: readonly string[],
  holes: readonly LogHole[] = [],
): Promise<Attempts> {
  const outcomes: LoadOutcome['kind'][] = [];
  const errors: HostspoolError[] = [];
  let from: number | null | undefined;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    try {
      from ??= (await sink.readOffsets(READER, [0])).get(0)?.next ?? null;
      if (from === log.length) return { outcomes, errors };
      const load = await loadOf(sink, log.slice(from ?? 0), from, { holes });
      const outcome = await sink.load(load);
      outcomes.push(outcome.kind);
      if (outcome.kind === 'committed') return { outcomes, errors };
      from = undefined;
    } catch (error) {
      errors.push(error as HostspoolError);
    }
  }
  throw new Error(`not loaded after ${MOST_ATTEMPTS} attempts`, { cause: errors.at(-1) });
}
