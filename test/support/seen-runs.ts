/** What arrived, run by run. */

export interface SeenRun {
  readonly runId: string;
  /** Sequence numbers in the order of their first occurrence. */
  readonly firstSeqs: readonly number[];
}

/** The runs in a topic, each with its sequence numbers in the order in which they first occurred. */
export function runsOf(messages: readonly { readonly value: string }[]): SeenRun[] {
  const runs = new Map<string, Set<number>>();
  for (const { value } of messages) {
    const { run_id, seq } = JSON.parse(value) as { run_id: string; seq: number };
    const seqs = runs.get(run_id) ?? new Set();
    runs.set(run_id, seqs.add(seq));
  }
  return [...runs].map(([runId, seqs]) => ({ runId, firstSeqs: [...seqs] }));
}

/** 1, 2, … last. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
