/**
 * Every sample that was taken, kept outside the product.
 *
 * An agent writes the debug line `sample_taken` (event_id, run_id, seq) when a sample has its identity and before its
 * append begins: the tail file is overwritten, then the row is committed. The line is a single write to a pipe whose
 * reader is here, and what is in a pipe outlives its writer. So whatever kills an agent, each sample that could ever
 * have reached the spool has its line, and the ledger is never too short. It can be too long by one: an agent killed
 * after its last line and before its append began has named a sample that nobody else has ever heard of. Whether that
 * was so is not guessed: at every death, before anything else touches the spool, the tail file is looked at
 * (tail-file.ts). Where it names exactly the number before the last line's, that line is a sample not begun: then it
 * must turn up nowhere. In every other case all lines count.
 *
 * A line cut off in the middle was never written to its end, so its append never began: it counts for nothing.
 */

import type { TopicMessage } from './evidence.ts';
import type { SpoolContents } from './spool-copy.ts';

/** Samples of a run that a fault may have cost, and what the loss must then be called. */
export interface Excuse {
  readonly fault: string;
  readonly first: number;
  readonly last: number;
  readonly reasons: readonly string[];
}

/** What a fault may do to the runs it meets, beside losing samples. */
export interface Licence {
  readonly fault: string;
  readonly reasons: readonly string[];
  /** The account may call the end of these runs uncertain, and their losses greater than they were. */
  readonly uncertain?: boolean;
}

/** A place in what an agent took: so many samples of so many runs. */
export interface Mark {
  readonly runs: number;
  readonly samples: number;
}

/** A run of an agent, by its log. */
export interface LedgerRun {
  readonly runId: string;
  readonly hostname: string;
  /** event_ids; that of sequence number n is at n − 1. */
  readonly events: readonly string[];
  /** How it ended: by kill -9, in order, or it has not ended. */
  readonly ending: 'killed' | 'stopped' | 'running';
  /** The last event's append had not begun when the agent was killed. */
  readonly lastUnbegun: boolean;
  /** It is the last run of its agent: nobody has told its end. */
  readonly last: boolean;
  /** What faults may have cost it, place by place. */
  readonly excuses: readonly Excuse[];
  /** A fault destroyed what the agent knew of it, or part of that. */
  readonly uncertain: boolean;
  /** A message went with the log that told how far it came or how it ended: nobody else may know. */
  readonly untold: boolean;
}

export interface Ledger {
  readonly runs: readonly LedgerRun[];
  /** Messages of plain producers: event_id to hostname. */
  readonly plain: ReadonlyMap<string, string>;
  /** Numbers of the poison messages that were sent. */
  readonly poison: ReadonlySet<number>;
  /** Runs that only poison named: run_id to how many samples of it. */
  readonly poisonRuns: ReadonlyMap<string, number>;
}

interface OpenRun {
  runId: string;
  hostname: string;
  events: string[];
  ending: LedgerRun['ending'];
  lastUnbegun: boolean;
  readonly excuses: Excuse[];
  uncertain: boolean;
  untold: boolean;
}

export class LedgerBook {
  readonly #runsByAgent = new Map<string, OpenRun[]>();
  readonly #problems: string[] = [];
  readonly plain = new Map<string, string>();
  readonly poison = new Set<number>();
  readonly poisonRuns = new Map<string, number>();

  /** What the agents' logs themselves have wrong: numbers out of order, samples without a run. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  get samples(): number {
    let samples = 0;
    for (const runs of this.#runsByAgent.values()) for (const { events } of runs) samples += events.length;
    return samples;
  }

  /** A line of an agent's log. */
  line(hostname: string, line: Readonly<Record<string, unknown>>): void {
    const runs = this.#runsByAgent.get(hostname) ?? [];
    this.#runsByAgent.set(hostname, runs);
    if (line.event === 'agent_started') {
      const runId = String(line.run_id);
      runs.push({
        runId,
        hostname,
        events: [],
        ending: 'running',
        lastUnbegun: false,
        excuses: [],
        uncertain: false,
        untold: false,
      });
    } else if (line.event === 'sample_taken') {
      this.#taken(hostname, runs.at(-1), line);
    }
  }

  #taken(hostname: string, run: OpenRun | undefined, line: Readonly<Record<string, unknown>>): void {
    if (run === undefined || run.runId !== line.run_id || run.ending !== 'running') {
      this.#problems.push(`${hostname} took a sample outside a run: ${JSON.stringify(line)}`);
      return;
    }
    if (line.seq !== run.events.length + 1) {
      this.#problems.push(`${hostname} numbered ${line.seq} after ${run.events.length} in run ${run.runId}`);
    }
    run.events.push(String(line.event_id));
  }

  /** The agent's process is gone and its log read to the end; `tailOf`: what the tail file has for a run. */
  ended(hostname: string, ending: 'killed' | 'stopped', tailOf: (runId: string) => number | undefined): void {
    const run = this.#runsByAgent.get(hostname)?.at(-1);
    if (run === undefined || run.ending !== 'running') return;
    run.ending = ending;
    const taken = run.events.length;
    run.lastUnbegun = ending === 'killed' && taken > 0 && tailOf(run.runId) === taken - 1;
  }

  /** Where the agent is now. */
  mark(hostname: string): Mark {
    const runs = this.#runsByAgent.get(hostname) ?? [];
    return { runs: runs.length, samples: runs.at(-1)?.events.length ?? 0 };
  }

  /** A fault may have cost any sample that was taken between the two marks. */
  excuse(hostname: string, from: Mark, to: Mark, licence: Licence): void {
    const runs = this.#runsByAgent.get(hostname) ?? [];
    for (let index = Math.max(0, from.runs - 1); index < to.runs; index++) {
      const first = index === from.runs - 1 ? from.samples + 1 : 1;
      const last = index === to.runs - 1 ? to.samples : Number.MAX_SAFE_INTEGER;
      allow(runs[index] as OpenRun, first, last, licence);
    }
  }

  /** A fault may have cost these very samples, and have met these runs. */
  excuseContents({ numbers, runs }: SpoolContents, licence: Licence): void {
    for (const { run_id, seq } of numbers) {
      const run = this.#run(run_id);
      if (run !== undefined) allow(run, seq, seq, licence);
    }
    for (const run_id of runs) {
      const run = this.#run(run_id);
      if (run !== undefined) allow(run, 1, 0, licence);
    }
  }

  /** The same for the last sample that the agent took, wherever it was when the agent died. */
  excuseLast(hostname: string, licence: Licence): void {
    const run = this.#runsByAgent.get(hostname)?.at(-1);
    if (run !== undefined) allow(run, run.events.length, run.events.length, licence);
  }

  /** A fault destroyed this message before it was read, with the sample and the notes in it. */
  excuseMessage({ run_id, seq, notes }: Pick<TopicMessage, 'run_id' | 'seq' | 'notes'>, licence: Licence): void {
    if (run_id === null || seq === null) return;
    for (const told of [{ run_id, last_seq: seq, first_seq: seq }, ...notes]) {
      const run = this.#run(told.run_id);
      if (run === undefined) continue;
      run.untold = true;
      if (told.first_seq !== undefined) allow(run, told.first_seq, told.last_seq, licence);
    }
  }

  #run(runId: string): OpenRun | undefined {
    return [...this.#runsByAgent.values()].flat().find((run) => run.runId === runId);
  }

  close(): Ledger {
    const runs = [...this.#runsByAgent.values()].flatMap((runs) =>
      runs.map((run, index) => ({ ...run, last: index === runs.length - 1 })),
    );
    return { runs, plain: this.plain, poison: this.poison, poisonRuns: this.poisonRuns };
  }
}

function allow(run: OpenRun, first: number, last: number, { fault, reasons, uncertain = false }: Licence): void {
  run.uncertain ||= uncertain;
  if (last >= first) run.excuses.push({ fault, first, last, reasons });
}
