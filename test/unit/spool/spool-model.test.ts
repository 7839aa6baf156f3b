/**
 * The spool against a plain model: any sequence of appends, reads, acknowledgements, refusals, evictions, failing disks,
 * clock steps, restarts and deaths at any step. After each command every sample that was appended is in the file, or
 * acknowledged, or noted; and none of them is noted that is not lost.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LostNote } from '../../../src/sample/note.ts';
import type { SpoolStep } from '../../../src/spool/ports.ts';
import { NEVER_SHIPPED } from '../../../src/spool/shipping-state.ts';
import type { ShippingState, Spool, SpooledSample } from '../../../src/spool/spool.ts';
import { FUZZ_LIMIT, runs } from '../../support/fuzz.ts';
import { Died, faultWith, LiveSpool } from '../../support/live-spool.ts';

const MiB = 1024 * 1024;
const IDLE: ShippingState = { ...NEVER_SHIPPED, state: 'idle' };
const MAX_AGE = 3_600_000;
const STEPS: readonly SpoolStep[] = [
  'open:locked',
  'open:begun',
  'open:settled',
  'append:tail',
  'append:stored',
  'write:before-commit',
  'write:committed',
];

/** `ride`: acknowledged as a sample that is alone, if it may be. */
type Result = 'acknowledge' | 'ride' | 'release' | 'refuse' | 'hold';

type Command =
  | { readonly kind: 'append'; readonly count: number; readonly size: number }
  | { readonly kind: 'ship'; readonly samples: number; readonly result: Result }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'step'; readonly ms: number }
  | { readonly kind: 'space'; readonly low: boolean }
  /** `lasts`: for so many commands after it; a file that is damaged is recovered from at once. */
  | { readonly kind: 'fault'; readonly code: string; readonly step: SpoolStep; readonly lasts: number }
  | { readonly kind: 'die'; readonly step: SpoolStep; readonly after: number }
  | { readonly kind: 'restart'; readonly clean: boolean; readonly reboot: boolean }
  | { readonly kind: 'maintain' };

const commands = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        count: fc.integer({ min: 1, max: 8 }),
        size: fc.constantFrom(20, 900, 9000),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('ship' as const),
        samples: fc.integer({ min: 1, max: 12 }),
        result: fc.constantFrom<Result>('acknowledge', 'ride', 'ride', 'release', 'refuse', 'hold'),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'maintain' as const }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1000, 1_800_000, 4_000_000) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('step' as const), ms: fc.constantFrom(-86_400_000, 31_536_000_000) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('space' as const), low: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc
        .record({
          kind: fc.constant('fault' as const),
          code: fc.constantFrom('SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_READONLY', 'SQLITE_CORRUPT'),
          step: fc.constant('write:before-commit' as const),
          lasts: fc.integer({ min: 0, max: 6 }),
        })
        .map((fault) => (fault.code === 'SQLITE_CORRUPT' ? { ...fault, lasts: 0 } : fault)),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('die' as const),
        step: fc.constantFrom(...STEPS),
        after: fc.integer({ min: 0, max: 3 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('restart' as const), clean: fc.boolean(), reboot: fc.boolean() }),
    },
  ),
  { minLength: 5, maxLength: 45 },
);

/** `run_id/seq`: a sample, by what can never be used twice. */
const nameOf = (runId: string, seq: number): string => `${runId}/${seq}`;

class Trial {
  readonly #fixture = new LiveSpool();
  readonly #appended = new Set<string>();
  /** Acknowledged by Kafka; if that could not be committed they may still be sent again, refused or evicted. */
  readonly #sent = new Set<string>();
  /** Acknowledged, and deleted for it. */
  readonly #gone = new Set<string>();
  /** Acknowledged, and to be deleted by the next append. */
  #riding: ReadonlySet<string> = new Set();
  /** Acknowledged or refused, and in the file for as long as it can't be written: not handed out again by this process. */
  readonly #withheld = new Set<string>();
  readonly #eventIds = new Set<string>();
  /** Not stored, and not noted before the next write that succeeds. */
  readonly #holes = new Set<string>();
  readonly #delivered: LostNote[] = [];
  #faultAt: { step: SpoolStep; code: string } | undefined;
  #faultLasts = 0;
  #dieAt: { step: SpoolStep; after: number } | undefined;
  #boots = 1;
  #recovered = false;
  #spool: Spool;

  constructor() {
    const { ports } = this.#fixture;
    const { recover } = ports;
    ports.at = (step) => this.#reached(step);
    ports.recover = (request) => {
      this.#recovered = true;
      return recover(request);
    };
    this.#spool = this.#open();
  }

  run(list: readonly Command[]): void {
    for (const command of list) {
      try {
        this.#do(command);
      } catch (error) {
        if (!(error instanceof Died)) throw error;
        this.#dieAt = undefined;
        this.#restart(false);
      }
      this.#check();
      if (command.kind !== 'fault' && this.#faultLasts > 0 && --this.#faultLasts === 0) this.#faultAt = undefined;
    }
    this.#faultAt = undefined;
    this.#dieAt = undefined;
    this.#restart(true);
    expect(this.#holes.size).toBe(0);
    this.#check();
  }

  remove(): void {
    this.#spool.close(false);
    this.#fixture.remove();
  }

  #do(command: Command): void {
    const { clock, ports } = this.#fixture;
    if (command.kind === 'append') for (let index = 0; index < command.count; index++) this.#append(command.size);
    if (command.kind === 'ship') this.#ship(command.samples, command.result);
    if (command.kind === 'pass') clock.pass(command.ms);
    if (command.kind === 'step') clock.stepWall(command.ms);
    if (command.kind === 'die') this.#dieAt = { ...command };
    if (command.kind === 'maintain') this.#spool.maintain();
    if (command.kind === 'space') {
      ports.space_ = { free: command.low ? 1 * MiB : 1000 * MiB, total: 2000 * MiB };
      clock.pass(2000);
    }
    if (command.kind === 'fault') {
      this.#faultAt = command;
      this.#faultLasts = command.lasts;
      this.#append(100);
    }
    if (command.kind === 'restart') {
      if (command.reboot) clock.reboot(`boot-${++this.#boots}`);
      this.#restart(command.clean);
    }
  }

  #append(size: number): void {
    const identity = this.#spool.identify();
    const name = nameOf(identity.run_id, identity.seq);
    expect(this.#appended.has(name) || this.#eventIds.has(identity.event_id)).toBe(false);
    this.#eventIds.add(identity.event_id);
    this.#appended.add(name);
    this.#holes.add(name);
    try {
      const stored = this.#spool.append(identity, this.#fixture.clock.now(), 'x'.repeat(size));
      if (stored) this.#holes.clear();
    } finally {
      // A fault lasts for one append at least, also one that the process does not survive.
      if (this.#faultLasts === 0) this.#faultAt = undefined;
    }
  }

  #ship(samples: number, result: Result): void {
    const stored = this.#fixture.stored().map(({ run_id, seq }) => nameOf(run_id, seq));
    const oldest = stored.filter((name) => !this.#riding.has(name) && !this.#withheld.has(name));
    const batch = this.#spool.read({ samples, bytes: 20_000 });
    const names = batch.map(({ identity }) => nameOf(identity.run_id, identity.seq));
    expect(names).toEqual(oldest.slice(0, batch.length));
    expect(batch.length).toBe(Math.min(batch.length || 1, oldest.length));
    const mayRide = batch.length > 0 && this.#spool.notes(1).length === 0;
    if (result === 'ride' && mayRide) this.#ride(batch, names);
    else if (result === 'acknowledge' || result === 'ride') this.#acknowledge(batch, names);
    else if (result === 'release') this.#spool.release();
    else if (result === 'refuse' && batch[0] !== undefined) {
      this.#spool.release();
      this.#spool.refuse(batch[0], 'refused_by_kafka');
      this.#withhold(names.slice(0, 1));
    }
  }

  #ride(batch: readonly SpooledSample[], names: readonly string[]): void {
    for (const name of names) this.#sent.add(name);
    if (this.#spool.acknowledgeAll(batch, IDLE)) this.#riding = new Set(names);
    else {
      this.#spool.acknowledge(batch.at(-1)?.id ?? 0, [], IDLE);
      this.#withhold(names);
    }
  }

  #acknowledge(batch: readonly SpooledSample[], names: readonly string[]): void {
    const notes = this.#spool.notes(3);
    for (const name of names) this.#sent.add(name);
    for (const { note } of notes) if (note.kind === 'lost') this.#delivered.push(note);
    this.#spool.acknowledge(
      batch.at(-1)?.id ?? 0,
      notes.map(({ id }) => id),
    );
    const left = this.#withhold(names);
    for (const name of names) if (!left.has(name)) this.#gone.add(name);
    if (this.#faultAt === undefined) this.#holes.clear();
  }

  /** Answers what is in the file. */
  #withhold(names: readonly string[]): ReadonlySet<string> {
    const left = new Set(this.#fixture.stored().map(({ run_id, seq }) => nameOf(run_id, seq)));
    for (const name of names) if (left.has(name)) this.#withheld.add(name);
    return left;
  }

  #restart(clean: boolean): void {
    this.#riding = new Set();
    this.#withheld.clear();
    try {
      this.#spool.close(clean);
    } catch (error) {
      if (!(error instanceof Died)) throw error;
    }
    for (;;) {
      try {
        this.#spool = this.#open();
        if (this.#faultAt === undefined) this.#holes.clear();
        return;
      } catch (error) {
        if (!(error instanceof Died)) throw error;
      }
    }
  }

  #open(): Spool {
    return this.#fixture.open({ maxAge: MAX_AGE, maxBytes: 5 * MiB, minFree: { bytes: 10 * MiB } });
  }

  #reached(step: SpoolStep): void {
    if (this.#dieAt?.step === step && this.#dieAt.after-- <= 0) {
      this.#dieAt = undefined;
      throw new Died(step);
    }
    if (this.#faultAt?.step === step) throw faultWith(this.#faultAt.code);
  }

  #check(): void {
    const stored = this.#fixture.stored();
    const inFile = new Set(stored.map(({ run_id, seq }) => nameOf(run_id, seq)));
    expect(inFile.size).toBe(stored.length);
    const riding = [...this.#riding].filter((name) => inFile.has(name)).length;
    // A file that was recovered meanwhile is counted anew.
    if (this.#recovered && riding > 0) expect([0, riding]).toContain(stored.length - this.#spool.depth);
    else if (this.#faultAt === undefined) expect(this.#spool.depth).toBe(stored.length - riding);
    const pending = this.#spool.notes(10_000).map(({ note }) => note);
    const noted = new Set<string>();
    for (const note of [...pending, ...this.#delivered]) {
      if (note.kind !== 'lost') continue;
      for (let seq = note.first_seq; seq <= note.last_seq; seq++) {
        const name = nameOf(note.run_id, seq);
        noted.add(name);
        if (inFile.has(name) || this.#gone.has(name)) expect.fail(`${name} is noted as ${note.reason} and not lost`);
      }
    }
    this.#spool.release();
    for (const name of this.#appended) {
      if (inFile.has(name) || this.#sent.has(name) || noted.has(name) || this.#holes.has(name)) continue;
      expect.fail(`${name} is lost without a note`);
    }
    const totals = Object.values(this.#fixture.losses()).reduce((sum, samples) => sum + samples, 0);
    // A recovery can't know of notes that were delivered: it notes, and counts, their samples again.
    if (this.#recovered) expect(totals).toBeGreaterThanOrEqual(noted.size);
    else expect(totals).toBe(noted.size);
    this.#checkOrder(stored);
  }

  /** Runs one after the other, and within a run the numbers rise. */
  #checkOrder(stored: readonly { run_id: string; seq: number }[]): void {
    const last = new Map<string, number>();
    let current = '';
    for (const { run_id, seq } of stored) {
      if (run_id !== current) expect(last.has(run_id)).toBe(false);
      expect(seq).toBeGreaterThan(last.get(run_id) ?? 0);
      last.set(run_id, seq);
      current = run_id;
    }
  }
}

describe('a spool under anything', () => {
  it(
    'keeps, hands over or notes every sample that was appended',
    () => {
      fc.assert(
        fc.property(commands, (list) => {
          const trial = new Trial();
          try {
            trial.run(list);
          } finally {
            trial.remove();
          }
        }),
        runs(120),
      );
    },
    FUZZ_LIMIT,
  );
});
