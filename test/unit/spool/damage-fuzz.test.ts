/**
 * Any damage to the files of a spool (its database, the log beside it, the tail file) while no process has it: it opens,
 * what it gives was taken, as it was taken, once, and of what it does not give the loss is noted.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Note } from '../../../src/sample/note.ts';
import { PAGE_SIZE } from '../../../src/spool/schema.ts';
import type { Spool, SpooledSample } from '../../../src/spool/spool.ts';
import { type Damage, damage, FUZZ_LIMIT, runs } from '../../support/fuzz.ts';
import { LiveSpool } from '../../support/live-spool.ts';

const FILES = ['spool.db', 'spool.db-wal', 'spool.seq'] as const;
type FileName = (typeof FILES)[number];

interface Taken {
  readonly eventId: string;
  readonly payload: string;
  acknowledged: boolean;
}

/** A spool as a killed agent left it, and what its runs took. */
interface Left {
  readonly files: ReadonlyMap<FileName, Buffer>;
  /** Run to its samples: the sample `seq` is at `seq − 1`. */
  readonly taken: ReadonlyMap<string, readonly Taken[]>;
}

/** Three runs that append and ship; the last one is killed. */
function leave(checkpointed: boolean): Left {
  const fixture = new LiveSpool();
  const taken = new Map<string, Taken[]>();
  try {
    for (const run of [1, 2, 3]) {
      const spool = fixture.open({ minFree: { bytes: 0 } });
      const own: Taken[] = [];
      taken.set(spool.runId, own);
      for (let n = 0; n < 45; n++) {
        const identity = spool.identify();
        const payload = `{"hostname":"host-1","n":${n},"pad":"${'x'.repeat(n % 15 === 7 ? 9000 : 300)}"}`;
        expect(spool.append(identity, fixture.clock.now(), payload)).toBe(true);
        own.push({ eventId: identity.event_id, payload, acknowledged: false });
        fixture.clock.pass(1000);
        if (n % 20 === 19) ship(spool, taken);
      }
      if (run < 3) spool.close(run === 1);
      else if (checkpointed) spool.maintain();
    }
    // A copy beside the open connection is what a kill leaves.
    const files = FILES.filter((name) => existsSync(`${fixture.directory}/${name}`));
    return { files: new Map(files.map((name) => [name, readFileSync(`${fixture.directory}/${name}`)])), taken };
  } finally {
    fixture.remove();
  }
}

function ship(spool: Spool, taken: ReadonlyMap<string, readonly Taken[]>): void {
  const sent = spool.read({ samples: 8, bytes: 1e6 });
  for (const { identity } of sent) (taken.get(identity.run_id)?.[identity.seq - 1] as Taken).acknowledged = true;
  spool.acknowledge(sent.at(-1)?.id ?? 0, []);
}

/** What a drainer gets in the end. */
function drain(spool: Spool): { samples: SpooledSample[]; notes: Note[] } {
  const samples: SpooledSample[] = [];
  for (;;) {
    const read = spool.read({ samples: 40, bytes: 1e6 });
    if (read.length === 0) break;
    samples.push(...read);
    spool.acknowledge(read.at(-1)?.id ?? 0, []);
  }
  return { samples, notes: spool.notes(10_000).map(({ note }) => note) };
}

/** Throws unless everything is what was taken, once, and nothing is gone in silence. */
function check({ taken }: Left, given: ReturnType<typeof drain>, ownRun: string, damaged: readonly string[]): void {
  const { samples, notes } = given;
  const seen = new Set<string>();
  for (const { identity, payload } of samples) {
    const { run_id, seq, event_id } = identity;
    const original = taken.get(run_id)?.[seq - 1];
    expect(original, `${run_id}/${seq} was never taken`).toBeDefined();
    expect({ eventId: event_id, payload }).toEqual({ eventId: original?.eventId, payload: original?.payload });
    expect(seen.has(`${run_id}/${seq}`), `${run_id}/${seq} twice`).toBe(false);
    seen.add(`${run_id}/${seq}`);
  }
  const lost = new Set<string>();
  const known = new Map<string, { last: number; exact: boolean }>();
  for (const note of notes) {
    const own = taken.get(note.run_id);
    expect(own !== undefined || note.run_id === ownRun, `a note on ${note.run_id}, which never was`).toBe(true);
    const exact = note.exact !== false;
    if (note.kind === 'run_ended') {
      known.set(note.run_id, { last: note.last_seq, exact });
      if (exact) expect(note.last_seq, `the end of ${note.run_id}`).toBeLessThanOrEqual(own?.length ?? 0);
      continue;
    }
    if (exact) expect(note.last_seq, `a loss of ${note.run_id}`).toBeLessThanOrEqual(own?.length ?? 0);
    for (let seq = note.first_seq; seq <= Math.min(note.last_seq, own?.length ?? 0); seq++)
      lost.add(`${note.run_id}/${seq}`);
  }
  for (const [run, own] of taken) {
    const end = known.get(run);
    const isKnown = end !== undefined || samples.some(({ identity }) => identity.run_id === run);
    // Of a run of which no byte is left nobody can know; but the tail file names the last one.
    if (!isKnown && (run !== [...taken.keys()].at(-1) || damaged.includes('spool.seq'))) continue;
    for (const [index, { acknowledged }] of own.entries()) {
      const name = `${run}/${index + 1}`;
      if (acknowledged || seen.has(name) || lost.has(name)) continue;
      // An end that is told as uncertain says itself that more may have been lost behind it.
      if (end !== undefined && !end.exact && index + 1 > end.last) continue;
      // Its newest slot destroyed, the tail file gives the one before it (docs/reliability.md).
      if (damaged.length > 1 && damaged.includes('spool.seq') && index + 1 === own.length) continue;
      expect.fail(`${name} of ${own.length} is gone in silence; its run ended at ${JSON.stringify(end)}`);
    }
  }
}

const swapped: fc.Arbitrary<Damage> = fc.tuple(fc.nat(), fc.nat()).map(
  ([a, b]): Damage =>
    (bytes) => {
      const changed = Buffer.from(bytes);
      const pages = Math.floor(bytes.length / PAGE_SIZE);
      if (pages === 0) return changed;
      const [one, other] = [(a % pages) * PAGE_SIZE, (b % pages) * PAGE_SIZE];
      bytes.copy(changed, one, other, other + PAGE_SIZE);
      bytes.copy(changed, other, one, one + PAGE_SIZE);
      return changed;
    },
);
const filled: fc.Arbitrary<Damage> = fc
  .tuple(fc.nat(), fc.constantFrom(0, 0xff, 0xb7), fc.integer({ min: 1, max: 4 }))
  .map(
    ([page, byte, count]): Damage =>
      (bytes) => {
        const from = (page % Math.max(1, Math.floor(bytes.length / PAGE_SIZE))) * PAGE_SIZE;
        return Buffer.from(bytes).fill(byte, from, Math.min(bytes.length, from + count * PAGE_SIZE));
      },
  );
const cutAtPage: fc.Arbitrary<Damage> = fc.nat().map(
  (page): Damage =>
    (bytes) =>
      bytes.subarray(0, (page % (Math.floor(bytes.length / PAGE_SIZE) + 1)) * PAGE_SIZE),
);
const anyDamage = fc.oneof(
  damage(3),
  swapped,
  filled,
  cutAtPage,
  fc.constant<Damage>(() => Buffer.alloc(0)),
);
const damages = fc.uniqueArray(fc.tuple(fc.constantFrom(...FILES, 'spool.db' as const), anyDamage), {
  minLength: 1,
  maxLength: 2,
  selector: ([name]) => name,
});

let kinds: readonly Left[];
beforeAll(() => {
  kinds = [leave(false), leave(true)];
});

describe('a spool whose files were damaged in any way', () => {
  const fixture = new LiveSpool();
  afterAll(() => fixture.remove());
  let trial = 0;

  function put({ files }: Left, changes: readonly (readonly [FileName, Damage])[]): string {
    const directory = `${fixture.directory}/${++trial}`;
    mkdirSync(directory);
    const damaged = new Map(changes);
    for (const [name, bytes] of files) writeFileSync(`${directory}/${name}`, damaged.get(name)?.(bytes) ?? bytes);
    return `${directory}/spool.db`;
  }

  it(
    'opens, gives what can be read of it once and unchanged, and notes the rest',
    () => {
      const property = fc.property(fc.nat(1), damages, (kind, changes) => {
        const left = kinds[kind] as Left;
        const path = put(left, changes);
        const spool = fixture.open({ path });
        try {
          check(
            left,
            drain(spool),
            spool.runId,
            changes.map(([name]) => name),
          );
        } finally {
          spool.close(false);
          rmSync(path.slice(0, path.lastIndexOf('/')), { recursive: true, force: true });
        }
      });
      fc.assert(property, runs(25));
    },
    FUZZ_LIMIT,
  );
});
