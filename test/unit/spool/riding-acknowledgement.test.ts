import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NEVER_SHIPPED } from '../../../src/spool/shipping-state.ts';
import { readSnapshot } from '../../../src/spool/snapshot.ts';
import type { ShippingState, Spool, SpooledSample } from '../../../src/spool/spool.ts';
import { ALL, appendSamples, faultWith, LiveSpool } from '../../support/live-spool.ts';

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

const shipped = (total: number): ShippingState => ({ ...NEVER_SHIPPED, state: 'idle', shipped_total: total });

/** A spool whose first sample was shipped, so that all is well. */
function healthy(): Spool {
  const spool = fixture.open();
  appendSamples(spool, 1);
  spool.acknowledge(spool.read(ALL)[0]?.id ?? 0, [], shipped(1));
  return spool;
}

function appendOne(spool: Spool): SpooledSample {
  appendSamples(spool, 1);
  const [sample] = spool.read(ALL);
  if (sample === undefined || spool.depth !== 1) throw new Error('it is not alone');
  return sample;
}

describe('the acknowledgement of all that is in the spool', () => {
  it('deletes it with the next append, and is told at once to whoever looks', () => {
    const spool = healthy();
    const sample = appendOne(spool);
    expect(spool.acknowledgeAll([sample], shipped(2))).toBe(true);
    expect(fixture.stored()).toHaveLength(1);
    expect(spool.depth).toBe(0);
    expect(spool.oldestAgeSeconds()).toBe(0);
    expect(spool.read(ALL)).toEqual([]);
    for (const look of [readSnapshot(fixture.path, fixture.clock), spool.look()]) {
      expect(look).toMatchObject({
        queue: { depth: 0, oldest: null, runs: [] },
        shipping: { shipped_total: 2 },
        run: { lastSeq: 2 },
      });
    }
    appendSamples(spool, 1);
    expect(fixture.stored().map(({ seq }) => seq)).toEqual([3]);
    expect(spool.depth).toBe(1);
    expect(readSnapshot(fixture.path, fixture.clock)).toMatchObject({
      queue: { depth: 1 },
      shipping: { shipped_total: 2 },
    });
    expect(fixture.query('SELECT acked_seq FROM runs')).toEqual([{ acked_seq: 2 }]);
  });

  it('is not undone by the death of the process', () => {
    const spool = healthy();
    spool.acknowledgeAll([appendOne(spool)], shipped(2));
    spool.close(false);
    expect(readSnapshot(fixture.path, fixture.clock).queue?.depth).toBe(0);
    const next = fixture.open();
    expect(next.depth).toBe(0);
    expect(next.read(ALL)).toEqual([]);
    expect(fixture.stored()).toEqual([]);
    expect(next.notes(10).map(({ note }) => note)).toMatchObject([{ kind: 'run_ended', last_seq: 2 }]);
  });

  it('is lost with the tail file: then the sample is sent again', () => {
    const spool = healthy();
    const sample = appendOne(spool);
    spool.acknowledgeAll([sample], shipped(2));
    spool.close(false);
    rmSync(fixture.path.replace(/\.db$/, '.seq'));
    expect(
      fixture
        .open()
        .read(ALL)
        .map(({ identity }) => identity),
    ).toEqual([sample.identity]);
  });

  it('does not touch a sample of the run that was taken after it', () => {
    const spool = healthy();
    spool.acknowledgeAll([appendOne(spool)], shipped(2));
    appendSamples(spool, 2);
    spool.close(false);
    const next = fixture.open();
    expect(next.read(ALL).map(({ identity }) => identity.seq)).toEqual([3, 4]);
  });

  it('is the same for several: one append deletes them, a death does not bring them back', () => {
    const spool = healthy();
    appendSamples(spool, 3);
    const first = spool.read(ALL);
    expect(first.map(({ identity }) => identity.seq)).toEqual([2, 3, 4]);
    expect(spool.acknowledgeAll(first, shipped(4))).toBe(true);
    expect(spool.depth).toBe(0);
    expect(fixture.stored()).toHaveLength(3);
    expect(readSnapshot(fixture.path, fixture.clock)).toMatchObject({
      queue: { depth: 0 },
      shipping: { shipped_total: 4 },
    });
    appendSamples(spool, 2);
    expect(fixture.stored().map(({ seq }) => seq)).toEqual([5, 6]);
    expect(spool.acknowledgeAll(spool.read(ALL), shipped(6))).toBe(true);
    spool.close(false);
    const next = fixture.open();
    expect(next.depth).toBe(0);
    expect(fixture.stored()).toEqual([]);
    expect(fixture.query('SELECT acked_seq FROM runs ORDER BY started_at')[0]).toEqual({ acked_seq: 6 });
  });

  it('hands out what memory has of them only while that is all, and only up to the limits', () => {
    const spool = healthy();
    appendSamples(spool, 4);
    const seqs = (samples: number, bytes = 1e9) => spool.read({ samples, bytes }).map(({ identity }) => identity.seq);
    expect(seqs(10)).toEqual([2, 3, 4, 5]);
    expect(seqs(3)).toEqual([2, 3, 4]);
    expect(seqs(10, 1)).toEqual([2]);
    const [second] = spool.read({ samples: 1, bytes: 1e9 });
    spool.release();
    if (second !== undefined) spool.refuse(second, 'refused_by_kafka');
    appendSamples(spool, 1);
    expect(seqs(10)).toEqual([3, 4, 5, 6]);
    expect(spool.read(ALL)).toEqual(
      fixture.stored().map(({ seq }) => expect.objectContaining({ identity: expect.objectContaining({ seq }) })),
    );
  });

  it('does not ride where the file lost one of them meanwhile, and another took its place', () => {
    const spool = healthy();
    appendSamples(spool, 3);
    const sent = spool.read(ALL);
    const own = fixture.ports.recover;
    fixture.ports.recover = () => {
      fixture.ports.at = () => {};
      fixture.tamper('DELETE FROM samples WHERE seq = 4');
      fixture.ports.recover = own;
    };
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit') throw faultWith('SQLITE_CORRUPT');
    };
    appendSamples(spool, 1);
    expect(fixture.stored().map(({ seq }) => seq)).toEqual([2, 3, 5]);
    expect(spool.depth).toBe(sent.length);
    expect(spool.acknowledgeAll(sent, shipped(4))).toBe(false);
    spool.acknowledge(sent.at(-1)?.id ?? 0, [], shipped(4));
    expect(spool.depth).toBe(1);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([5]);
  });

  it('waits for no append that may not come: an upkeep and a stop delete it', () => {
    const spool = healthy();
    spool.acknowledgeAll([appendOne(spool)], shipped(2));
    spool.maintain();
    expect(fixture.stored()).toEqual([]);
    spool.acknowledgeAll([appendOne(spool)], shipped(3));
    spool.close(true);
    expect(fixture.stored()).toEqual([]);
  });

  it('does not ride where it is not all, not of this run, or shipping was not well before', () => {
    const before = fixture.open();
    appendSamples(before, 1);
    before.close(true);
    const spool = fixture.open();
    const [old] = spool.read(ALL) as [SpooledSample];
    expect(spool.acknowledgeAll([old], shipped(1))).toBe(false);
    spool.acknowledge(old.id, [], { ...shipped(1), state: 'backing_off' });
    expect(spool.acknowledgeAll([appendOne(spool)], shipped(2))).toBe(false);
    spool.saveShipping(shipped(1));
    appendSamples(spool, 1);
    expect(spool.acknowledgeAll(spool.read(ALL).slice(0, 1), shipped(2))).toBe(false);
    expect(spool.depth).toBe(2);
  });
});
