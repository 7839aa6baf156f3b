import { afterEach, beforeEach, expect, it } from 'vitest';
import { evaluate } from '../../../src/operate/status.ts';
import { DEFAULT_THRESHOLDS } from '../../../src/operate/status-findings.ts';
import { readSnapshot, type SpoolSnapshot } from '../../../src/spool/snapshot.ts';
import { appendSamples, LiveSpool } from '../../support/live-spool.ts';

let live: LiveSpool;

beforeEach(() => {
  live = new LiveSpool();
});

afterEach(() => live.remove());

const reportOf = (snapshot: SpoolSnapshot) => evaluate(snapshot, DEFAULT_THRESHOLDS, live.clock.now());

it('a look from within tells what a look from outside tells', () => {
  const first = live.open();
  appendSamples(first, 5);
  first.close(false);
  const spool = live.open({ maxBytes: 32 * 1024 * 1024 });
  appendSamples(spool, 7);
  spool.saveShipping({ ...spool.shipping(), state: 'backing_off', failures: 3, last_error: 'away' });
  const [oldest] = spool.read({ samples: 1, bytes: 1 });
  if (oldest !== undefined) spool.refuse(oldest, 'refused_by_kafka');
  live.clock.pass(1000);

  const within = spool.look();
  const outside = readSnapshot(live.path, live.clock);
  if (within === undefined) throw new Error('it could not look');
  // The free space of the filesystem changes under other processes.
  const same = (snapshot: SpoolSnapshot) => reportOf({ ...snapshot, filesystemFree: 0 });
  expect(same(within)).toEqual(same(outside));
  expect(reportOf(within)).toMatchObject({ spool: { depth: 11 }, agent: { running: true, pid: process.pid } });
  expect(spool.losses()).toEqual(new Map([['refused_by_kafka', 1]]));
});

it('a look from within leaves the lock and the file as they were', () => {
  const spool = live.open();
  appendSamples(spool, 3);
  for (let look = 0; look < 3; look++) expect(spool.look()).toBeDefined();
  expect(() => live.open()).toThrow(expect.objectContaining({ code: 'SPOOL_LOCKED' }));
  appendSamples(spool, 1);
  expect(live.seqs()).toEqual([1, 2, 3, 4]);
});

it('there is no look once the file is closed', () => {
  const spool = live.open();
  spool.close(true);
  expect(spool.look()).toBeUndefined();
  expect(spool.losses()).toEqual(new Map());
});
