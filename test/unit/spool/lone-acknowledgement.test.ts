import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NEVER_SHIPPED } from '../../../src/spool/shipping-state.ts';
import { readSnapshot } from '../../../src/spool/snapshot.ts';
import type { ShippingState, Spool, SpooledSample } from '../../../src/spool/spool.ts';
import { appendSamples, LiveSpool } from '../../support/live-spool.ts';

const ALL = { samples: 10_000, bytes: 1e9 };

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

describe('the acknowledgement of a sample that is alone', () => {
  it('deletes it with the next append, and is told at once to whoever looks', () => {
    const spool = healthy();
    const sample = appendOne(spool);
    expect(spool.acknowledgeLone(sample, shipped(2))).toBe(true);
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
    spool.acknowledgeLone(appendOne(spool), shipped(2));
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
    spool.acknowledgeLone(sample, shipped(2));
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
    spool.acknowledgeLone(appendOne(spool), shipped(2));
    appendSamples(spool, 2);
    spool.close(false);
    const next = fixture.open();
    expect(next.read(ALL).map(({ identity }) => identity.seq)).toEqual([3, 4]);
  });

  it('waits for no append that may not come: an upkeep and a stop delete it', () => {
    const spool = healthy();
    spool.acknowledgeLone(appendOne(spool), shipped(2));
    spool.maintain();
    expect(fixture.stored()).toEqual([]);
    spool.acknowledgeLone(appendOne(spool), shipped(3));
    spool.close(true);
    expect(fixture.stored()).toEqual([]);
  });

  it('does not ride where it is not alone, not of this run, or shipping was not well before', () => {
    const before = fixture.open();
    appendSamples(before, 1);
    before.close(true);
    const spool = fixture.open();
    const [old] = spool.read(ALL) as [SpooledSample];
    expect(spool.acknowledgeLone(old, shipped(1))).toBe(false);
    spool.acknowledge(old.id, [], { ...shipped(1), state: 'backing_off' });
    expect(spool.acknowledgeLone(appendOne(spool), shipped(2))).toBe(false);
    spool.saveShipping(shipped(1));
    appendSamples(spool, 1);
    expect(spool.acknowledgeLone(spool.read(ALL)[0] as SpooledSample, shipped(2))).toBe(false);
    expect(spool.depth).toBe(2);
  });
});
