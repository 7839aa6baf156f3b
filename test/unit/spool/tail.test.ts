import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UuidSource } from '../../../src/sample/identity.ts';
import { Tail } from '../../../src/spool/tail.ts';

const uuids = new UuidSource(() => 1_767_225_600_000);
let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spool-tail-'));
  path = join(directory, 'spool.seq');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (boot = 'boot'): Tail => Tail.open(path, boot, 0o600);

/** What the next start finds. */
function found(boot = 'boot') {
  const tail = open(boot);
  const runs = tail.runs();
  tail.close();
  return runs;
}

describe('the tail file', () => {
  it('is made whole, and is only overwritten after', () => {
    const tail = open();
    expect(statSync(path)).toMatchObject({ size: 4096, blocks: 8 });
    tail.begin(uuids.next());
    tail.settle(0);
    for (let seq = 1; seq <= 1000; seq++) tail.write(seq);
    expect(statSync(path).size).toBe(4096);
    tail.close();
  });

  it('says how far the run came', () => {
    const runId = uuids.next();
    const tail = open();
    tail.begin(runId);
    tail.settle(0);
    for (const seq of [1, 2, 3]) tail.write(seq);
    tail.close();
    const tailOfIt = { runId, seq: 3, acked: 0, begun: true, told: false, thisBoot: true, whole: true };
    expect(found()).toEqual([tailOfIt]);
    expect(found('next boot')).toEqual([{ ...tailOfIt, thisBoot: false }]);
  });

  it('says what is acknowledged, also while the next number is taken, and nothing of it to the next run', () => {
    const tail = open();
    tail.begin(uuids.next());
    tail.settle(0);
    for (const seq of [1, 2]) tail.write(seq);
    tail.acknowledged(2);
    expect(found()).toMatchObject([{ seq: 2, acked: 2 }]);
    tail.write(3);
    expect(found()).toMatchObject([{ seq: 3, acked: 2 }]);
    tail.begin(uuids.next());
    tail.settle(0);
    tail.close();
    expect(found()).toMatchObject([{ seq: 0, acked: 0 }]);
  });

  it('still knows the number before when one of its slots is torn', () => {
    const runId = uuids.next();
    const tail = open();
    tail.begin(runId);
    tail.settle(0);
    for (const seq of [1, 2, 3, 4]) tail.write(seq);
    tail.close();
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 127 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const torn = Buffer.from(whole);
        torn.writeUInt8(torn.readUInt8(at) ^ flip, at);
        writeFileSync(path, torn);
        const [run] = found();
        expect(run?.runId).toBe(runId);
        expect([3, 4]).toContain(run?.seq);
        // The last 20 bytes of a slot hold nothing.
        expect(run?.whole).toBe(at % 64 >= 44);
      }),
    );
  });

  it('keeps the runs before until their tails are taken over', () => {
    const [first, second, third] = [uuids.next(), uuids.next(), uuids.next()];
    for (const [runId, last] of [
      [first, 5],
      [second, 7],
    ] as const) {
      const tail = open();
      tail.begin(runId);
      tail.write(last);
      tail.close();
    }
    expect(found().map(({ runId, seq, begun }) => [runId, seq, begun])).toEqual([
      [first, 5, false],
      [second, 7, false],
    ]);
    const tail = open();
    tail.begin(third);
    tail.write(2);
    tail.settle(2);
    tail.write(3);
    tail.close();
    expect(found().map(({ runId, seq, begun }) => [runId, seq, begun])).toEqual([[third, 3, true]]);
  });

  it('does not fail when more runs than it has room for could not begin', () => {
    const last = uuids.next();
    for (const runId of [...Array.from({ length: 40 }, () => uuids.next()), last]) {
      const tail = open();
      tail.begin(runId);
      tail.write(9);
      tail.close();
    }
    expect(found()).toHaveLength(31);
    expect(found().at(-1)).toMatchObject({ runId: last, seq: 9 });
  });

  it('gives up what took no sample, and then what is told, before anything that may be lost', () => {
    const begin = (runId: string, seq: number): void => {
      const tail = open();
      tail.begin(runId);
      if (seq > 0) tail.write(seq);
      tail.close();
    };
    const [told, current] = [uuids.next(), uuids.next()];
    const tail = open();
    tail.begin(told);
    tail.settle(0);
    tail.write(5);
    tail.begin(current);
    tail.settle(0, new Set([told]));
    tail.write(6);
    tail.keep(new Set([told]), new Set([told]));
    tail.close();
    const starts = Array.from({ length: 31 }, (_, index) => ({ runId: uuids.next(), seq: index < 2 ? 0 : 9 }));
    for (const { runId, seq } of starts) begin(runId, seq);
    // 31 pairs for 33 runs: the two that took nothing are gone, and then one that is told.
    const kept = [current, ...starts.filter(({ seq }) => seq > 0).map(({ runId }) => runId)];
    expect(found().map(({ runId, whole }) => [runId, whole])).toEqual([told, ...kept].map((runId) => [runId, true]));
    const next = uuids.next();
    begin(next, 9);
    expect(found().map(({ runId, whole }) => [runId, whole])).toEqual([...kept, next].map((runId) => [runId, true]));
  });

  it('names its holder, and no one once that is damaged', () => {
    const tail = open();
    expect(Tail.holder(path)).toBeUndefined();
    tail.hold(4711);
    expect(Tail.holder(path)).toBe(4711);
    tail.close();
    truncateSync(path, 4034);
    expect(Tail.holder(path)).toBeUndefined();
    expect(Tail.holder(join(directory, 'none'))).toBeUndefined();
  });

  it('reads anything without failing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6000 }), (content) => {
        writeFileSync(path, content);
        expect(found()).toEqual([]);
        expect(Tail.holder(path)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('keeps the earlier runs that it is told to, the newest of many, in their order before the current one', () => {
    const runs = Array.from({ length: 40 }, () => uuids.next());
    const kept = new Set<string>();
    for (const [index, runId] of runs.entries()) {
      const tail = open();
      tail.begin(runId);
      tail.settle(0, kept);
      for (let seq = 1; seq <= index + 1; seq++) tail.write(seq);
      tail.close();
      if (index % 2 === 0 || index > 20) kept.add(runId);
    }
    const found = open();
    expect(found.runs().map(({ runId, seq }) => [runId, seq])).toEqual(
      runs
        .map((runId, index) => [runId, index + 1] as const)
        .filter(([runId]) => kept.has(runId))
        .slice(-25),
    );
    found.close();
  });

  it('drops the earlier runs that it is told to, and goes on with the current one', () => {
    const [first, second, third] = [uuids.next(), uuids.next(), uuids.next()];
    const tail = open();
    tail.begin(first);
    tail.settle(0);
    tail.write(7);
    tail.begin(second);
    tail.settle(0, new Set([first]));
    tail.write(8);
    tail.begin(third);
    tail.settle(0, new Set([first, second]));
    tail.write(9);
    tail.keep(new Set([second]), new Set());
    tail.write(10);
    tail.close();
    expect(found().map(({ runId, seq }) => [runId, seq])).toEqual([
      [second, 8],
      [third, 10],
    ]);
  });

  it('says of which earlier runs all is told, and gives up those first where they are too many', () => {
    const runs = Array.from({ length: 30 }, () => uuids.next());
    const told = new Set(runs.slice(4, 8));
    for (const runId of runs) {
      const tail = open();
      tail.begin(runId);
      tail.settle(0, new Set(runs));
      tail.write(1);
      if (runId === runs[15]) tail.keep(new Set(runs), told);
      tail.close();
    }
    const kept = found();
    expect(kept).toHaveLength(25);
    expect(kept.map(({ runId }) => runId)).toEqual(runs.filter((runId) => !told.has(runId)).slice(-25));
    const few = open();
    few.begin(uuids.next());
    few.settle(0, new Set(runs.slice(-3)));
    few.keep(new Set(runs.slice(-3)), new Set([runs.at(-2) as string]));
    few.close();
    expect(found().map((tail) => tail.told)).toEqual([false, true, false, false]);
  });

  it('puts a run whose beginning is not committed behind those that are kept', () => {
    const [first, second, third] = [uuids.next(), uuids.next(), uuids.next()];
    const tail = open();
    tail.begin(first);
    tail.settle(0);
    tail.write(7);
    tail.begin(second);
    tail.settle(0, new Set([first]));
    tail.write(8);
    tail.begin(third);
    tail.write(1);
    tail.close();
    expect(found().map(({ runId, seq, begun }) => [runId, seq, begun])).toEqual([
      [first, 7, true],
      [second, 8, true],
      [third, 1, false],
    ]);
  });
});
