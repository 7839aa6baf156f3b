/**
 * One log whose load fills every staging table, and what the database has to hold once it is loaded: every row once, and
 * accounts that say so. For the tests of what can happen on the way.
 */
import { deepStrictEqual as same } from 'node:assert';
import type { LogHole } from '../../src/accounts/advance.ts';
import { BEGAN, message, uuid } from '../unit/sink/a-load.ts';
import { type Attempts, loadPersistently } from './persistent-loader.ts';
import type { SqlServerFixture } from './sqlserver-fixture.ts';
import type { Fault } from './tds/faults.ts';

/** Older than every run, so that it explains nothing. */
const HOLE: LogHole = {
  partition: 0,
  epoch: 0,
  first_offset: 0,
  next_offset: 1,
  reason: 'expired_in_kafka',
  found_at: BEGAN,
};
const NOTE = { kind: 'lost', run_id: uuid(1), first_seq: 2, last_seq: 2, reason: 'spool_full' };

export const LOG = [
  message(1, 1),
  message(2, 1),
  message(1, 4),
  ...Array.from({ length: 40 }, (_, index) => message(3, index + 1)),
  message(1, 5, { notes: [NOTE] }),
  message(1, 3),
  message(2, 2),
];
/** What the first load takes. */
export const FIRST = LOG.slice(0, 20);
export const REST = LOG.slice(20);

/** For what a busy machine may take its time with. */
export const PATIENTLY = { timeout: 30_000, interval: 10 };
/** Short enough to wait for, long enough for a load on a busy machine. */
export const IMPATIENT = { request_timeout: 1500, connect_timeout: 1500 };

/** Throws unless everything of LOG is there, once. */
export function expectAll({ server: { committed } }: SqlServerFixture): void {
  same(committed.rows().length, LOG.length);
  same(committed.duplicates(), 0);
  same(committed.accounting(), { runs: 3, taken: 47, received: 46, lost: 1, missing: 0 });
  same(
    committed.offsets().map(({ partition_id, next_offset }) => [partition_id, next_offset]),
    [[0, LOG.length]],
  );
  same(
    committed
      .hosts()
      .map(({ hostname, samples, received, lost, missing }) => [hostname, samples, received, lost, missing]),
    [
      ['host-1', 4, 4, 1, 0],
      ['host-2', 2, 2, 0, 0],
      ['host-3', 40, 40, 0, 0],
    ],
  );
}

/** A first load that goes well, then one that meets the fault, repeated until all is there. */
export async function survive(fixture: SqlServerFixture, fault: Fault, sink = fixture.sink): Promise<Attempts> {
  const { faults } = fixture.server;
  await loadPersistently(sink, FIRST);
  faults.add(fault);
  const attempts = await loadPersistently(sink, LOG, [HOLE]);
  same(faults.struck, 1, 'the fault did not strike');
  expectAll(fixture);
  return attempts;
}
