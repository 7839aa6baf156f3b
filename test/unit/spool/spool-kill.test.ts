/**
 * kill -9, a few hundred times, of a process that appends and acknowledges over one and the same spool: at the end every
 * sample it said it had stored is in the file or was delivered, and every number it used is accounted for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { Spool } from '../../../src/spool/spool.ts';

const KILLS = Number(process.env.SPOOL_KILLS ?? 200);
/** No new child is started after this long; a slow machine tries fewer deaths, not longer, ms. */
const TIME_LIMIT_MS = 45_000;
const SIDE_BY_SIDE = 4;

const directory = mkdtempSync(join(tmpdir(), 'spool-kill-'));
const children = new Set<ChildProcess>();

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** One spool, and everything that its processes said of it. */
class Victim {
  readonly path: string;
  readonly stored = new Set<string>();
  readonly delivered = new Set<string>();
  /** The last number that each run said it had stored. */
  readonly last = new Map<string, number>();
  deaths = 0;

  constructor(name: string) {
    this.path = join(directory, name, 'spool.db');
  }

  /** Starts a process, and kills it after it said so many lines, or at a moment that nobody chose, such as in its start. */
  async die(afterLines: number, afterMs: number): Promise<void> {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '../../support/spool-process.ts'), 'append', this.path],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    children.add(child);
    let lines = 0;
    const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
    const ended = new Promise((resolve) => child.once('close', resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      this.#heard(line);
      if (++lines === afterLines) child.kill('SIGKILL');
    }
    await ended;
    clearTimeout(timer);
    expect(child.signalCode).toBe('SIGKILL');
    children.delete(child);
    this.deaths++;
  }

  #heard(line: string): void {
    const [first = '', ...rest] = line.split(' ');
    if (first === 'acknowledged') {
      for (const name of rest) this.delivered.add(name);
      return;
    }
    const seq = Number(rest[0]);
    this.last.set(first, seq);
    if (seq > 0) this.stored.add(`${first}/${seq}`);
  }

  check(): void {
    const spool = Spool.open({
      path: this.path,
      maxBytes: 2 ** 40,
      maxAge: 2 ** 40,
      minFree: { bytes: 0 },
      synchronous: 'normal',
      hostname: 'child',
      interval: 100,
      version: '0.0.0',
      purpose: 'drain',
      clock: new SystemClock(),
      log: silentLog,
    });
    try {
      this.#account(spool);
    } finally {
      spool.close(false);
    }
  }

  #account(spool: Spool): void {
    const found = new Set<string>();
    for (let batch = spool.read({ samples: 5000, bytes: 1e9 }); batch.length > 0; ) {
      for (const { identity } of batch) found.add(`${identity.run_id}/${identity.seq}`);
      spool.acknowledge(batch.at(-1)?.id ?? 0, []);
      batch = spool.read({ samples: 5000, bytes: 1e9 });
    }
    const missing = [...this.stored].filter((name) => !found.has(name) && !this.delivered.has(name));
    expect(missing).toEqual([]);

    const notes = spool.notes(100_000).map(({ note }) => note);
    for (const [runId, said] of this.last) {
      const end = notes.find((note) => note.kind === 'run_ended' && note.run_id === runId);
      // A run that died before it took a sample has nothing to end.
      if (end === undefined) expect([runId, said]).toEqual([runId, 0]);
      else expect(end.last_seq).toBeGreaterThanOrEqual(said);
      for (let seq = 1; seq <= (end?.last_seq ?? 0); seq++) {
        const noted = notes.some(
          (note) => note.kind === 'lost' && note.run_id === runId && note.first_seq <= seq && seq <= note.last_seq,
        );
        const name = `${runId}/${seq}`;
        if (!noted && !found.has(name) && !this.delivered.has(name)) expect.fail(`${name} is lost without a note`);
      }
    }
  }
}

describe('a spool whose process is killed', () => {
  it(
    'has every sample that was stored, and a note of every one that was not',
    async () => {
      const victims = Array.from({ length: SIDE_BY_SIDE }, (_, index) => new Victim(`victim-${index}`));
      const deadline = Date.now() + TIME_LIMIT_MS;
      await Promise.all(
        victims.map(async (victim) => {
          while (victim.deaths < KILLS / SIDE_BY_SIDE && Date.now() < deadline) {
            const inTheStart = Math.random() < 0.3;
            await victim.die(
              1 + Math.floor(Math.random() ** 2 * 300),
              inTheStart ? 100 + Math.random() * 600 : TIME_LIMIT_MS,
            );
          }
        }),
      );
      for (const victim of victims) {
        expect(victim.deaths).toBeGreaterThan(0);
        victim.check();
      }
    },
    TIME_LIMIT_MS * 2,
  );
});
