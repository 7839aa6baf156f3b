/** Loading as a writer does it: what passes is repeated, what another wrote is read again. */
import { HostspoolError } from '../../src/lib/errors.ts';
import type { Sink } from '../../src/sink/sink.ts';
import { loadOf } from '../unit/sink/a-load.ts';

const MOST_TRIES = 50;

export interface Loaded {
  inserted: number;
  duplicates: number;
  /** How often it had to be repeated, by what came instead. */
  readonly repeated: Record<string, number>;
}

/** Loads messages of a partition from `expected` on until they are in; a fence that moved to their end is an end too. */
export async function loadUntilCommitted(
  sink: Sink,
  messages: readonly string[],
  expected: number | null,
  partition = 0,
): Promise<Loaded> {
  const loaded: Loaded = { inserted: 0, duplicates: 0, repeated: {} };
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    let what: string;
    try {
      const load = await loadOf(sink, messages, expected, { partition });
      const outcome = await sink.load(load);
      if (outcome.kind === 'committed') return { ...loaded, ...outcome };
      what = outcome.kind;
      if (what === 'fenced') {
        const stored = (await sink.readOffsets(load)).get(partition);
        if (stored?.next === load.offsets[0]?.next) return loaded;
      }
    } catch (error) {
      if (!(error instanceof HostspoolError) || !error.retryable) throw error;
      what = error.code;
    }
    loaded.repeated[what] = (loaded.repeated[what] ?? 0) + 1;
  }
  throw new Error(`not committed after ${MOST_TRIES} tries: ${JSON.stringify(loaded.repeated)}`);
}
