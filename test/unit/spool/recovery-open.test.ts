import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uuidFromBytes } from '../../../src/sample/identity.ts';
import type { SampleIdentity } from '../../../src/sample/sample.ts';
import { systemPorts } from '../../../src/spool/ports.ts';
import { type RecoveryStep, recoverSpool } from '../../../src/spool/recovery.ts';
import { PAGE_SIZE } from '../../../src/spool/schema.ts';
import type { Spool } from '../../../src/spool/spool.ts';
import { ALL, appendSamples, Died, faultWith, LiveSpool, notesOf } from '../../support/live-spool.ts';

const PAYLOAD = JSON.stringify({ hostname: 'host-1', pad: 'x'.repeat(600) });

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => fixture.remove());

const pagesOf = (path: string): number => Math.floor(statSync(path).size / PAGE_SIZE);

function overwrite(path: string, page: number): void {
  const file = readFileSync(path);
  file.fill(0xc3, (page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  writeFileSync(path, file);
}

/** Every one of them is in the spool, in order, or noted. */
function expectAccountedFor(spool: Spool, taken: readonly SampleIdentity[]): void {
  const there = spool.read(ALL).map(({ identity }) => identity);
  spool.release();
  const notes = notesOf(spool);
  for (const { event_id, run_id, seq } of taken) {
    const noted = notes.some(
      (note) => note.kind === 'lost' && note.run_id === run_id && note.first_seq <= seq && seq <= note.last_seq,
    );
    expect(noted || there.some((one) => one.event_id === event_id), `sample ${seq} of ${run_id}`).toBe(true);
  }
  const order = there.map(({ event_id }) => taken.findIndex((one) => one.event_id === event_id));
  expect(order).toEqual([...order].sort((one, other) => one - other));
}

/** The log is emptied into the file, so that the file is what is damaged. */
function closed(fill: (spool: Spool) => SampleIdentity[]): SampleIdentity[] {
  const spool = fixture.open();
  const taken = fill(spool);
  spool.close(true);
  return taken;
}

describe('a damaged spool that an agent opens', () => {
  it('has every sample of the earlier run or its note, whichever page is overwritten', () => {
    const earlier = closed((spool) => appendSamples(spool, 120, PAYLOAD));
    const pristine = readFileSync(fixture.path);
    for (let page = 1; page <= pristine.length / PAGE_SIZE; page++) {
      for (const name of readdirSync(fixture.directory)) rmSync(`${fixture.directory}/${name}`);
      writeFileSync(fixture.path, pristine);
      overwrite(fixture.path, page);
      const spool = fixture.open();
      const now = appendSamples(spool, 3, PAYLOAD);
      expectAccountedFor(spool, [...earlier, ...now]);
      expect(
        spool
          .read(ALL)
          .slice(-3)
          .map(({ identity }) => identity),
      ).toEqual(now);
      expect(
        notesOf(spool).filter(({ kind, run_id }) => kind === 'run_ended' && run_id === earlier[0]?.run_id),
      ).not.toEqual([]);
      spool.close(true);
    }
  });

  it('of a process that was killed: its run is ended, and its log is not forgotten', () => {
    const first = fixture.open();
    const early = appendSamples(first, 50, PAYLOAD);
    first.maintain();
    const late = appendSamples(first, 50, PAYLOAD);
    const [file, log, tail] = ['', '-wal']
      .map((suffix) => readFileSync(fixture.path + suffix))
      .concat(readFileSync(fixture.path.replace('.db', '.seq')));
    first.close(false);
    for (const name of readdirSync(fixture.directory)) rmSync(`${fixture.directory}/${name}`);
    writeFileSync(fixture.path, Buffer.alloc(file?.length ?? 0, 0x11));
    writeFileSync(`${fixture.path}-wal`, log ?? '');
    writeFileSync(fixture.path.replace('.db', '.seq'), tail ?? '');
    const second = fixture.open();
    expectAccountedFor(second, [...early, ...late]);
    expect(notesOf(second)).toContainEqual(
      expect.objectContaining({ kind: 'run_ended', run_id: first.runId, last_seq: 100, clean: false }),
    );
  });

  it('of which nothing is left: the tail file tells what is lost', () => {
    const first = fixture.open();
    appendSamples(first, 40, PAYLOAD);
    first.close(false);
    writeFileSync(fixture.path, 'nothing');
    rmSync(`${fixture.path}-wal`, { force: true });
    const second = fixture.open();
    expect(notesOf(second)).toEqual([
      { kind: 'lost', run_id: first.runId, first_seq: 1, last_seq: 40, reason: 'spool_corrupt', exact: false },
      expect.objectContaining({ kind: 'run_ended', run_id: first.runId, last_seq: 40, exact: false }),
    ]);
    expect(fixture.losses()).toEqual({ spool_corrupt: 40 });
  });

  it.each([
    ['deleted', () => rmSync(fixture.path)],
    ['empty', () => writeFileSync(fixture.path, '')],
    ['overwritten', () => writeFileSync(fixture.path, 'nothing')],
  ])('that held samples of three runs, and is %s: the tail file tells what each of them lost', (_, destroy) => {
    const runs = [30, 20, 10].map((samples) => {
      const spool = fixture.open();
      appendSamples(spool, samples, PAYLOAD);
      spool.close(samples === 20);
      return { runId: spool.runId, samples };
    });
    destroy();
    for (const suffix of ['-wal', '-shm']) rmSync(`${fixture.path}${suffix}`, { force: true });
    const next = fixture.open();
    const notes = notesOf(next);
    for (const { runId, samples } of runs) {
      expect(notes).toContainEqual(
        expect.objectContaining({
          kind: 'lost',
          run_id: runId,
          first_seq: 1,
          last_seq: samples,
          reason: 'spool_corrupt',
        }),
      );
      expect(notes).toContainEqual(expect.objectContaining({ kind: 'run_ended', run_id: runId, last_seq: samples }));
    }
    expect(fixture.losses()).toEqual({ spool_corrupt: 60 });
  });

  it('that is destroyed under the running agent after two runs: the tail file tells what the first of them lost', () => {
    const first = fixture.open();
    appendSamples(first, 30, PAYLOAD);
    first.close(true);
    const second = fixture.open();
    appendSamples(second, 5, PAYLOAD);
    writeFileSync(fixture.path, Buffer.alloc(65_536, 0x11));
    writeFileSync(`${fixture.path}-wal`, '');
    appendSamples(second, 5, PAYLOAD);
    second.close(false);
    const notes = notesOf(fixture.open());
    expect(notes).toContainEqual(
      expect.objectContaining({
        kind: 'lost',
        run_id: first.runId,
        first_seq: 1,
        last_seq: 30,
        reason: 'spool_corrupt',
      }),
    );
  });

  it('and says nothing of a run that it had done with', () => {
    const first = fixture.open();
    appendSamples(first, 30, PAYLOAD);
    first.close(true);
    const second = fixture.open();
    appendSamples(second, 1, PAYLOAD);
    second.acknowledge(
      second.read(ALL).at(-1)?.id ?? 0,
      second.notes(100).map(({ id }) => id),
    );
    second.maintain();
    appendSamples(second, 1, PAYLOAD);
    second.close(false);
    rmSync(fixture.path);
    rmSync(`${fixture.path}-wal`, { force: true });
    const runs = new Set(notesOf(fixture.open()).map(({ run_id }) => run_id));
    expect(runs).toEqual(new Set([second.runId]));
  });

  it.each<RecoveryStep>(['built', 'decided', 'log-moved', 'database-moved', 'placed'])(
    'by a process that is killed when the recovery has %s: the next one has all of it',
    (step) => {
      const earlier = closed((spool) => appendSamples(spool, 120, PAYLOAD));
      overwrite(fixture.path, Math.floor(pagesOf(fixture.path) / 2));
      fixture.ports.recover = (request) =>
        recoverSpool(request, {
          reached(reached) {
            if (reached === step) throw new Died();
          },
        });
      expect(() => fixture.open()).toThrow(Died);
      fixture.ports.recover = (request) => recoverSpool(request);
      const spool = fixture.open();
      expectAccountedFor(spool, [...earlier, ...appendSamples(spool, 2, PAYLOAD)]);
      expect(readdirSync(fixture.directory).filter((name) => /recover/.test(name))).toEqual([]);
    },
  );
});

describe('a damaged spool on a disk without room for a copy', () => {
  it('does not keep the agent from starting, and its samples can be drained from the file set aside', () => {
    const earlier = closed((spool) => appendSamples(spool, 120, PAYLOAD));
    overwrite(fixture.path, 1);
    let setAside = '';
    fixture.ports.recover = (request) => {
      ({ setAside } = recoverSpool(request, { freeBytes: () => 50_000 }));
    };
    const spool = fixture.open();
    const now = appendSamples(spool, 3, PAYLOAD);
    expectAccountedFor(spool, [...earlier, ...now]);
    expect(spool.depth).toBe(3);
    const ended = notesOf(spool).filter((note) => note.kind === 'run_ended' && note.run_id === earlier[0]?.run_id);
    expect(ended).not.toEqual([]);
    fixture.ports.recover = (request) => recoverSpool(request);
    const aside = fixture.open({ path: setAside, purpose: 'drain' });
    expect(aside.read(ALL).map(({ identity }) => identity)).toEqual(earlier);
  });
});

describe('damage that is met while the agent runs', () => {
  it('costs what was on the page, and the run goes on in a fresh file', () => {
    const spool = fixture.open();
    const taken = appendSamples(spool, 400, PAYLOAD);
    const first = spool.read({ samples: 20, bytes: 1e6 });
    spool.acknowledge(first.at(-1)?.id ?? 0, []);
    spool.close(false);
    // A connection that remembers hardly a page, as with a file much larger than its cache.
    fixture.ports.openDatabase = (path, options) => {
      const database = systemPorts.openDatabase(path, options);
      database.pragma('cache_size = 5');
      return database;
    };
    const again = fixture.open();
    overwrite(fixture.path, Math.floor(pagesOf(fixture.path) / 2));
    taken.push(...appendSamples(again, 5, PAYLOAD));
    const batch = again.read(ALL);
    again.release();
    taken.push(...appendSamples(again, 5, PAYLOAD));
    expect(fixture.events('error')).toContain('spool_recovered');
    expect(batch.length).toBeGreaterThan(300);
    expectAccountedFor(again, taken.slice(20));
    expect(
      again
        .read(ALL)
        .slice(-5)
        .map(({ identity }) => identity),
    ).toEqual(taken.slice(-5));
    expect(notesOf(again).filter((note) => note.kind === 'run_ended' && note.run_id === again.runId)).toEqual([]);
  });

  it('in the middle of an append costs no sample at all if the pages are whole', () => {
    const spool = fixture.open();
    const taken = appendSamples(spool, 30, PAYLOAD);
    let failures = 1;
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit' && failures-- > 0) throw faultWith('SQLITE_CORRUPT');
    };
    taken.push(...appendSamples(spool, 3, PAYLOAD));
    expect(fixture.seqs()).toEqual(taken.map(({ seq }) => seq));
    expect(fixture.query('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    expect(
      uuidFromBytes(fixture.query<{ run_id: Buffer }>('SELECT run_id FROM runs')[0]?.run_id ?? Buffer.alloc(16)),
    ).toBe(spool.runId);
  });

  it('keeps what was acknowledged acknowledged', () => {
    const spool = fixture.open();
    appendSamples(spool, 60, PAYLOAD);
    const batch = spool.read({ samples: 40, bytes: 1e6 });
    spool.acknowledge(batch.at(-1)?.id ?? 0, []);
    let failures = 1;
    fixture.ports.at = (step) => {
      if (step === 'write:before-commit' && failures-- > 0) throw faultWith('SQLITE_CORRUPT');
    };
    appendSamples(spool, 1, PAYLOAD);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual(
      Array.from({ length: 21 }, (_, index) => 41 + index),
    );
    expect(existsSync(`${fixture.path}.recovering`)).toBe(false);
  });
});
