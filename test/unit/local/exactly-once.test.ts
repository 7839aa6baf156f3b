import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { BatchLoader } from '../../../src/local/batch-loader.ts';
import type { Load, LoadOutcome, Sink } from '../../../src/sink/sink.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import type { PendingNote, SpooledSample } from '../../../src/spool/spool.ts';
import { message, uuid } from '../sink/a-load.ts';

type Step =
  | { readonly do: 'take'; readonly samples: number }
  | { readonly do: 'lose'; readonly samples: number; readonly noted: boolean }
  | { readonly do: 'load'; readonly samples: number; readonly fate: 'well' | 'before' | 'answer lost' | 'killed' }
  | { readonly do: 'new run' };

const samples = fc.integer({ min: 1, max: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), samples }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), samples, noted: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      samples,
      fate: fc.constantFrom('well' as const, 'before' as const, 'answer lost' as const, 'killed' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('new run' as const) }) },
);

/** A spool in memory, and a database on disk behind connections that break as the steps say. */
class World {
  readonly #sink: SqliteSink;
  #loader: BatchLoader;
  #breaks: 'before' | 'answer lost' | undefined;
  #run = 1;
  #seq = 0;
  #id = 0;
  #waiting: SpooledSample[] = [];
  #notes: PendingNote[] = [];
  readonly taken: string[] = [];
  noted = 0;
  unnoted = 0;

  constructor(sink: SqliteSink) {
    this.#sink = sink;
    this.#loader = new BatchLoader(this.#port(), silentLog);
  }

  async apply(given: Step): Promise<void> {
    if (given.do === 'take') this.#take(given.samples);
    else if (given.do === 'lose') this.#lose(given.samples, given.noted);
    else if (given.do === 'load') await this.#load(given.samples, given.fate);
    else this.#newRun();
  }

  /** A last sample, so that every loss lies below a number that is heard of, then everything is loaded. */
  async finish(): Promise<void> {
    this.#take(1);
    while (this.#waiting.length > 0) await this.#load(6, 'well');
  }

  #take(count: number): void {
    for (let index = 0; index < count; index++) {
      const seq = ++this.#seq;
      const identity = { event_id: uuid(this.#run, seq), run_id: uuid(this.#run), seq };
      this.#waiting.push({ id: ++this.#id, hostname: 'h', identity, takenAt: 0, payload: message(this.#run, seq) });
      this.taken.push(identity.event_id.replaceAll('-', ''));
    }
  }

  #lose(count: number, isNoted: boolean): void {
    const first_seq = this.#seq + 1;
    this.#seq += count;
    // An evicted sample had its row id; the spool's ids go on behind it.
    this.#id += count;
    if (!isNoted) {
      this.unnoted += count;
      return;
    }
    this.noted += count;
    const note = {
      kind: 'lost',
      run_id: uuid(this.#run),
      first_seq,
      last_seq: this.#seq,
      reason: 'spool_full',
    } as const;
    this.#notes.push({ id: this.#id, note });
  }

  #newRun(): void {
    this.#take(1);
    this.#run++;
    this.#seq = 0;
    // Else a loss at the very beginning of the run would be one that no number lies below.
    this.#take(1);
  }

  async #load(count: number, fate: 'well' | 'before' | 'answer lost' | 'killed'): Promise<void> {
    const batch = this.#waiting.slice(0, count);
    if (batch.length === 0) return;
    this.#breaks = fate === 'before' || fate === 'answer lost' ? fate : undefined;
    const notes = [...this.#notes];
    try {
      const outcome = await this.#loader.load('spool', batch, notes);
      expect(outcome.kind).toBe('committed');
    } catch (error) {
      expect(String(error)).toContain('broken');
      return;
    }
    if (fate === 'killed') {
      this.#loader = new BatchLoader(this.#port(), silentLog);
      return;
    }
    this.#waiting = this.#waiting.slice(batch.length);
    this.#notes = this.#notes.filter((note) => !notes.includes(note));
  }

  #port(): Sink {
    const sink = this.#sink;
    return {
      load: async (load: Load): Promise<LoadOutcome> => {
        if (this.#breaks === 'before') throw new Error('broken before the load');
        const outcome = await sink.load(load);
        if (this.#breaks === 'answer lost') throw new Error('broken before the answer');
        return outcome;
      },
      readOffsets: (reader, partitions) => sink.readOffsets(reader, partitions),
      readAccounts: (runs) => sink.readAccounts(runs),
      readUnexplained: () => sink.readUnexplained(),
      readHoles: (reader) => sink.readHoles(reader),
      close: () => sink.close(),
    };
  }
}

describe('a spool that is loaded over connections that break', () => {
  it('ends with every sample taken in the table once, and every loss on record', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'once-'));
    let number = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
          const path = join(directory, `${++number}.db`);
          const sink = SqliteSink.open({ path });
          const world = new World(sink);
          for (const given of steps) await world.apply(given);
          await world.finish();
          await sink.close();

          const database = openSqlite(path, { readonly: true });
          const rows = database.prepare('SELECT lower(hex(event_id)) FROM server_metrics ORDER BY id').pluck().all();
          const [runs, hosts] = ['runs', 'hosts'].map((table) =>
            database
              .prepare(`SELECT sum(received) AS received, sum(lost) AS lost, sum(missing) AS missing FROM ${table}`)
              .get(),
          );
          const samplesOfHosts = database.prepare('SELECT sum(samples) FROM hosts').pluck().get();
          database.close();
          expect(rows).toEqual(world.taken);
          expect(runs).toEqual({ received: world.taken.length, lost: world.noted, missing: world.unnoted });
          expect(hosts).toEqual(runs);
          expect(samplesOfHosts).toBe(world.taken.length);
        }),
        { numRuns: 60 },
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
