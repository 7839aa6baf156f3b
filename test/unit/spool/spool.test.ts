import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NEVER_SHIPPED } from '../../../src/spool/shipping-state.ts';
import type { Spool, SpooledSample } from '../../../src/spool/spool.ts';
import { ALL, appendSamples, Died, faultWith, LiveSpool, notesOf } from '../../support/live-spool.ts';

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

const SHIPPED = { ...NEVER_SHIPPED, state: 'idle' } as const;

/** Delivers all notes, and the samples up to this id. */
function deliverNotes(spool: Spool, upTo: number): void {
  const notes = spool.notes(1000).map(({ id }) => id);
  spool.acknowledge(upTo, notes, SHIPPED);
}

describe('a spool', () => {
  it('hands out what was appended, oldest first, with its identity and its bytes', () => {
    const spool = fixture.open();
    const taken = ['{"a":1}', '{"b":"ä€😀"}', '{"c":3}'].map((payload) => {
      const identity = spool.identify();
      expect(spool.append(identity, 1_767_225_600_123, payload)).toBe(true);
      return { identity, payload };
    });
    const samples = spool.read(ALL);
    expect(samples.map(({ identity, payload }) => ({ identity, payload }))).toEqual(taken);
    expect(samples.map(({ identity }) => identity.seq)).toEqual([1, 2, 3]);
    expect(samples[0]).toMatchObject({ hostname: 'host-1', takenAt: 1_767_225_600_123 });
    expect(spool.depth).toBe(3);
  });

  it('reads within both limits, but at least one sample however large', () => {
    const spool = fixture.open();
    appendSamples(spool, 5, 'x'.repeat(1000));
    expect(spool.read({ samples: 2, bytes: 1e6 })).toHaveLength(2);
    expect(spool.read({ samples: 100, bytes: 3500 })).toHaveLength(3);
    expect(spool.read({ samples: 100, bytes: 10 })).toHaveLength(1);
  });

  it('reads the same samples again until they are acknowledged', () => {
    const spool = fixture.open();
    appendSamples(spool, 4);
    const first = spool.read({ samples: 2, bytes: 1e6 });
    expect(spool.read({ samples: 2, bytes: 1e6 })).toEqual(first);
    spool.release();
    expect(spool.read({ samples: 2, bytes: 1e6 })).toEqual(first);
    spool.acknowledge(first[1]?.id ?? 0, []);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([3, 4]);
    expect(spool.depth).toBe(2);
    expect(fixture.query('SELECT acked_seq, last_seq FROM runs')).toEqual([{ acked_seq: 2, last_seq: 2 }]);
  });

  it('keeps samples, shipping state and its own id over a restart, in a run of its own', () => {
    const first = fixture.open();
    appendSamples(first, 3);
    const shipping = { ...first.shipping(), state: 'backing_off' as const, shipped_total: 7, last_error: 'away' };
    first.saveShipping(shipping);
    first.close(true);
    const second = fixture.open();
    appendSamples(second, 2);
    expect(second.id).toBe(first.id);
    expect(second.runId).not.toBe(first.runId);
    expect(second.shipping()).toEqual(shipping);
    expect(second.read(ALL).map(({ identity }) => [identity.run_id, identity.seq])).toEqual([
      [first.runId, 1],
      [first.runId, 2],
      [first.runId, 3],
      [second.runId, 1],
      [second.runId, 2],
    ]);
  });

  it('ends a run that stopped in order as clean, and one that died as unclean', () => {
    const first = fixture.open();
    appendSamples(first, 3);
    first.close(true);
    const second = fixture.open();
    appendSamples(second, 2);
    second.close(false);
    const third = fixture.open();
    expect(notesOf(third)).toEqual([
      { kind: 'run_ended', run_id: first.runId, last_seq: 3, clean: true },
      { kind: 'run_ended', run_id: second.runId, last_seq: 2, clean: false },
    ]);
  });

  it('keeps the hostname of each sample’s run', () => {
    const before = fixture.open({ hostname: 'old-name' });
    appendSamples(before, 1);
    before.close(true);
    const spool = fixture.open({ hostname: 'new-name' });
    appendSamples(spool, 1);
    expect(spool.read(ALL).map(({ hostname }) => hostname)).toEqual(['old-name', 'new-name']);
  });

  it('deletes notes with their acknowledgement and no others', () => {
    for (let run = 0; run < 3; run++) {
      const spool = fixture.open();
      appendSamples(spool, 1);
      spool.close(true);
    }
    const spool = fixture.open();
    const [first] = spool.notes(1);
    spool.acknowledge(0, [first?.id ?? 0]);
    expect(notesOf(spool)).toHaveLength(2);
    spool.release();
    spool.acknowledge(0, [first?.id ?? 0, 99]);
    expect(notesOf(spool)).toHaveLength(2);
  });

  it('turns a refused sample into a note, in one transaction', () => {
    const spool = fixture.open();
    appendSamples(spool, 3);
    const [, second] = spool.read(ALL);
    if (second === undefined) throw new Error('nothing read');
    spool.release();
    spool.refuse(second, 'refused_by_kafka');
    expect(fixture.seqs()).toEqual([1, 3]);
    expect(notesOf(spool)).toEqual([
      { kind: 'lost', run_id: spool.runId, first_seq: 2, last_seq: 2, reason: 'refused_by_kafka' },
    ]);
    expect(fixture.losses()).toEqual({ refused_by_kafka: 1 });
    expect(spool.depth).toBe(2);
  });

  it('tells depth, bytes and age without asking the file', () => {
    const spool = fixture.open();
    expect([spool.depth, spool.oldestAgeSeconds()]).toEqual([0, 0]);
    appendSamples(spool, 1, 'x'.repeat(5000));
    fixture.clock.pass(90_000);
    appendSamples(spool, 1);
    expect(spool.oldestAgeSeconds()).toBe(90);
    expect(spool.bytes).toBeGreaterThan(5000);
    spool.acknowledge(spool.read({ samples: 1, bytes: 1 })[0]?.id ?? 0, []);
    expect(spool.oldestAgeSeconds()).toBe(0);
  });

  it('refuses a sample that is not the next one of its run', () => {
    const spool = fixture.open();
    const [identity] = appendSamples(spool, 1);
    if (identity === undefined) throw new Error('nothing appended');
    expect(() => spool.append(identity, 0, '{}')).toThrow(RangeError);
    expect(() => spool.append({ ...spool.identify(), run_id: identity.event_id }, 0, '{}')).toThrow(RangeError);
  });

  it('notes a number that was given and never appended', () => {
    const spool = fixture.open();
    appendSamples(spool, 1);
    spool.identify();
    spool.identify();
    appendSamples(spool, 1);
    expect(notesOf(spool)).toMatchObject([{ first_seq: 2, last_seq: 3, reason: 'spool_unwritable' }]);
  });

  it('closes once, and takes nothing after', () => {
    const spool = fixture.open();
    const identity = spool.identify();
    spool.close(true);
    spool.close(true);
    expect(() => spool.append(identity, 0, '{}')).toThrow(TypeError);
    expect(spool.read(ALL)).toEqual([]);
  });

  /** A spool in which so many runs were begun and ended before. */
  function afterRuns(runs: number) {
    for (let run = 0; run < runs; run++) {
      const spool = fixture.open();
      appendSamples(spool, 1);
      spool.close(true);
    }
    return fixture.open();
  }
  const runsInFile = () => fixture.query('SELECT ended FROM runs').length;

  it('forgets ended runs of which nothing is left, but for the last hundred', () => {
    const spool = afterRuns(105);
    spool.maintain();
    expect(runsInFile()).toBe(106);
    deliverNotes(spool, spool.read(ALL).at(-1)?.id ?? 0);
    appendSamples(spool, 1);
    spool.maintain();
    expect(runsInFile()).toBe(101);
    expect(fixture.query('SELECT 1 FROM runs WHERE ended IS NULL')).toHaveLength(1);
  });

  it('forgets none while it is not known whose a damaged sample is', () => {
    const spool = afterRuns(105);
    deliverNotes(spool, 100);
    fixture.tamper(`UPDATE samples SET run_id = x'00' WHERE id = 103`);
    spool.maintain();
    expect(runsInFile()).toBe(106);
    for (let batch = spool.read(ALL); batch.length > 0; batch = spool.read(ALL)) {
      spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    }
    deliverNotes(spool, 0);
    spool.maintain();
    expect(runsInFile()).toBe(101);
  });

  it('is put back in place when its file is deleted under it, with everything in it', () => {
    const spool = fixture.open();
    appendSamples(spool, 3);
    rmSync(fixture.path);
    fixture.clock.pass(1000);
    appendSamples(spool, 1);
    expect(existsSync(fixture.path)).toBe(true);
    appendSamples(spool, 1);
    expect(fixture.seqs()).toEqual([1, 2, 3, 4, 5]);
    expect(fixture.events('error')).toEqual(['spool_displaced']);
    expect(statSync(fixture.path).mode & 0o777).toBe(0o600);
  });
});

describe('a spool whose log is deleted under it', () => {
  it('has everything in its file again, and goes on with a new log', () => {
    const spool = fixture.open();
    appendSamples(spool, 3);
    rmSync(`${fixture.path}-wal`);
    fixture.clock.pass(1000);
    appendSamples(spool, 2);
    expect(fixture.seqs()).toEqual([1, 2, 3, 4, 5]);
    expect(fixture.events('error')).toEqual(['spool_displaced']);
    expect(spool.read(ALL)).toHaveLength(5);
    const next = fixture.open({ path: fixture.leftByDeath() });
    expect(next.read(ALL).map(({ identity }) => identity.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(notesOf(next)).toMatchObject([{ kind: 'run_ended', run_id: spool.runId, last_seq: 5 }]);
  });
});

describe('a spool whose every file is deleted under it', () => {
  it('goes on in new ones, and its end is certain when it dies', () => {
    const earlier = fixture.open();
    appendSamples(earlier, 2);
    earlier.close(true);
    const spool = fixture.open();
    appendSamples(spool, 3);
    for (const name of readdirSync(fixture.directory)) rmSync(join(fixture.directory, name));
    fixture.clock.pass(1000);
    appendSamples(spool, 2);
    fixture.ports.at = (step) => {
      if (step === 'append:tail') throw new Died();
    };
    expect(() => appendSamples(spool, 1)).toThrow(Died);
    fixture.ports.at = () => {};
    spool.close(false);
    const next = fixture.open();
    expect(fixture.seqs()).toEqual([1, 2, 1, 2, 3, 4, 5]);
    expect(notesOf(next)).toEqual([
      { kind: 'run_ended', run_id: earlier.runId, last_seq: 2, clean: true },
      { kind: 'lost', run_id: spool.runId, first_seq: 6, last_seq: 6, reason: 'crash' },
      { kind: 'run_ended', run_id: spool.runId, last_seq: 6, clean: false },
    ]);
  });
});

describe('a run that died', () => {
  it('loses the sample that was taken and not stored, on record', () => {
    const first = fixture.open();
    appendSamples(first, 3);
    fixture.ports.at = (step) => {
      if (step === 'append:tail') throw new Died();
    };
    expect(() => appendSamples(first, 1)).toThrow(Died);
    fixture.ports.at = () => {};
    first.close(false);
    const second = fixture.open();
    expect(notesOf(second)).toEqual([
      { kind: 'lost', run_id: first.runId, first_seq: 4, last_seq: 4, reason: 'crash' },
      { kind: 'run_ended', run_id: first.runId, last_seq: 4, clean: false },
    ]);
    second.close(false);
    expect(notesOf(fixture.open())).toHaveLength(2);
  });

  it.each(['open:locked', 'open:begun', 'write:before-commit', 'write:committed', 'open:settled'])(
    'in its start, at %s, leaves no note, since it certainly took no sample',
    (deadly) => {
      const first = fixture.open();
      appendSamples(first, 2);
      first.close(false);
      fixture.ports.at = (step) => {
        if (step === deadly) throw new Died();
      };
      expect(() => fixture.open()).toThrow(Died);
      fixture.ports.at = () => {};
      expect(notesOf(fixture.open())).toEqual([{ kind: 'run_ended', run_id: first.runId, last_seq: 2, clean: false }]);
    },
  );

  it('is not certain of its end after a power cut', () => {
    const first = fixture.open();
    appendSamples(first, 2);
    first.close(false);
    fixture.clock.reboot('boot-2');
    expect(notesOf(fixture.open())).toEqual([
      { kind: 'run_ended', run_id: first.runId, last_seq: 2, clean: false, exact: false },
    ]);
  });

  it('is not certain of its end without its tail file', () => {
    const first = fixture.open();
    appendSamples(first, 2);
    first.close(false);
    rmSync(fixture.path.replace('.db', '.seq'));
    expect(notesOf(fixture.open())).toMatchObject([{ kind: 'run_ended', last_seq: 2, exact: false }]);
  });

  it('is lost whole, on record, when its spool file is gone', () => {
    const first = fixture.open();
    appendSamples(first, 4);
    first.close(false);
    renameSync(fixture.path, `${fixture.path}.elsewhere`);
    rmSync(`${fixture.path}-wal`, { force: true });
    const second = fixture.open();
    expect(notesOf(second)).toEqual([
      { kind: 'lost', run_id: first.runId, first_seq: 1, last_seq: 4, reason: 'spool_corrupt', exact: false },
      { kind: 'run_ended', run_id: first.runId, last_seq: 4, clean: false, exact: false },
    ]);
    second.close(true);
    expect(notesOf(fixture.open())).toHaveLength(2);
  });

  it('is not lost when its spool file is gone, once it and its end were delivered', () => {
    const first = fixture.open();
    appendSamples(first, 3);
    first.close(false);
    const second = fixture.open();
    deliverNotes(second, second.read(ALL).at(-1)?.id ?? 0);
    appendSamples(second, 2);
    second.maintain();
    second.close(false);
    rmSync(fixture.path);
    rmSync(`${fixture.path}-wal`, { force: true });
    expect(notesOf(fixture.open()).map(({ run_id, kind }) => [run_id, kind])).toEqual([
      [second.runId, 'lost'],
      [second.runId, 'run_ended'],
    ]);
  });

  it('has lost what was not acknowledged when its spool file is gone, and for certain where that is nothing', () => {
    const gone = (appended: number) => {
      const spool = fixture.open();
      deliverNotes(spool, 0);
      appendSamples(spool, 3);
      expect(spool.acknowledgeAll(spool.read(ALL), SHIPPED)).toBe(true);
      appendSamples(spool, appended);
      spool.close(false);
      for (const suffix of ['', '-wal']) rmSync(`${fixture.path}${suffix}`, { force: true });
      return spool.runId;
    };
    const first = gone(2);
    const ended = { kind: 'run_ended', run_id: first, last_seq: 5, clean: false, exact: false };
    const lost = { kind: 'lost', run_id: first, first_seq: 4, last_seq: 5, reason: 'spool_corrupt', exact: false };
    const spool = fixture.open();
    expect(notesOf(spool)).toEqual([lost, ended]);
    spool.close(true);
    for (const name of ['spool.db', 'spool.db-wal', 'spool.seq'])
      rmSync(join(fixture.directory, name), { force: true });
    const second = gone(0);
    expect(notesOf(fixture.open())).toEqual([{ kind: 'run_ended', run_id: second, last_seq: 3, clean: false }]);
  });

  it('does not tell that all is acknowledged while a note waits', () => {
    const first = fixture.open();
    appendSamples(first, 1);
    first.close(false);
    const spool = fixture.open();
    spool.acknowledge(spool.read(ALL).at(-1)?.id ?? 0, [], SHIPPED);
    appendSamples(spool, 1);
    expect(spool.acknowledgeAll(spool.read(ALL), SHIPPED)).toBe(false);
    deliverNotes(spool, 0);
    expect(spool.acknowledgeAll(spool.read(ALL), SHIPPED)).toBe(true);
  });

  it('leaves its last number behind even if it could never write to the spool', () => {
    fixture.open().close(true);
    const full = faultWith('SQLITE_FULL');
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit') throw full;
    };
    const first = fixture.open();
    expect(appendSamples(first, 3).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    first.close(false);
    const second = fixture.open();
    appendSamples(second, 2);
    second.close(false);
    fixture.ports.at = () => {};
    const third = fixture.open();
    expect(fixture.seqs()).toEqual([]);
    expect(notesOf(third)).toEqual([
      { kind: 'lost', run_id: first.runId, first_seq: 1, last_seq: 3, reason: 'crash' },
      { kind: 'run_ended', run_id: first.runId, last_seq: 3, clean: false },
      { kind: 'lost', run_id: second.runId, first_seq: 1, last_seq: 2, reason: 'crash' },
      { kind: 'run_ended', run_id: second.runId, last_seq: 2, clean: false },
    ]);
  });
});

describe('a drain', () => {
  it('ends the open run of a dead agent, begins none, and hands out its samples', () => {
    const dead = fixture.open();
    appendSamples(dead, 3);
    dead.close(false);
    const drain = fixture.open({ purpose: 'drain' });
    expect(drain.read(ALL)).toHaveLength(3);
    expect(notesOf(drain)).toMatchObject([{ kind: 'run_ended', run_id: dead.runId, last_seq: 3 }]);
    expect(() => drain.append(drain.identify(), 0, '{}')).toThrow(TypeError);
    drain.acknowledge(drain.read(ALL).at(-1)?.id ?? 0, []);
    drain.close(true);
    expect(fixture.query('SELECT ended FROM runs')).toEqual([{ ended: 'unclean' }]);
    const agent = fixture.open();
    expect([agent.depth, notesOf(agent).length]).toEqual([0, 1]);
  });

  it('of a spool that was set aside hands out its samples, and says nothing of runs that another spool tells of', () => {
    const agent = fixture.open();
    appendSamples(agent, 3);
    const path = `${fixture.path}.corrupt-20260102T030405006Z`;
    for (const suffix of ['', '-wal']) copyFileSync(`${fixture.path}${suffix}`, `${path}${suffix}`);
    const drain = fixture.open({ purpose: 'drain', path });
    expect(drain.read(ALL).map(({ identity }) => identity.run_id)).toEqual(Array(3).fill(agent.runId));
    drain.refuse(drain.read(ALL)[0] as SpooledSample, 'refused_by_kafka');
    expect(notesOf(drain)).toEqual([]);
    expect(fixture.query('SELECT ended FROM runs')).toEqual([{ ended: null }]);
  });

  it('leaves no run to be taken for lost by the next agent, once all of it is delivered', () => {
    const dead = fixture.open();
    appendSamples(dead, 3);
    dead.close(false);
    // Its end is told by none of a hundred runs, so that its row is the oldest of those to be forgotten.
    for (let run = 0; run < 102; run++) {
      const spool = fixture.open();
      const told = spool.notes(1000).filter(({ note }) => note.run_id !== dead.runId);
      appendSamples(spool, 1);
      spool.acknowledge(
        spool.read(ALL).at(-1)?.id ?? 0,
        told.map(({ id }) => id),
      );
      spool.maintain();
      spool.close(true);
    }
    const drain = fixture.open({ purpose: 'drain' });
    deliverNotes(drain, 0);
    drain.maintain();
    drain.close(true);
    const agent = fixture.open();
    expect([notesOf(agent), fixture.losses()]).toEqual([[], {}]);
  });
});
