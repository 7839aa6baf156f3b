import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { Spool } from '../../../src/spool/spool.ts';
import { LedgerBook } from '../../storm/ledger.ts';
import { tailOf } from '../../storm/tail-file.ts';

const RUN = '01900000-0000-7000-8000-0000000000b1';

function bookWith(samples: number): LedgerBook {
  const book = new LedgerBook();
  book.line('a', { event: 'agent_started', run_id: RUN });
  for (let seq = 1; seq <= samples; seq++) {
    book.line('a', { event: 'sample_taken', event_id: `event-${seq}`, run_id: RUN, seq });
  }
  return book;
}

describe('the ledger', () => {
  it.each([
    { tail: 2, unbegun: true, why: 'the tail file names the number before it' },
    { tail: 3, unbegun: false, why: 'the tail file names its own' },
    { tail: 1, unbegun: false, why: 'the tail file is further behind: that is no ordinary death' },
    { tail: 0, unbegun: false, why: 'the tail file was never written' },
    { tail: undefined, unbegun: false, why: 'there is no tail file' },
  ])('counts the last of three samples of a killed run: $unbegun is unbegun, as $why', ({ tail, unbegun }) => {
    const book = bookWith(3);
    book.ended('a', 'killed', () => tail);
    expect(book.close().runs).toMatchObject([{ lastUnbegun: unbegun, ending: 'killed', last: true }]);
  });

  it('counts every sample of a run that was stopped in order', () => {
    const book = bookWith(3);
    book.ended('a', 'stopped', () => 2);
    expect(book.close().runs).toMatchObject([{ lastUnbegun: false, ending: 'stopped' }]);
  });

  it('counts no death twice: an agent killed before it said that it runs ends no earlier run', () => {
    const book = bookWith(1);
    book.ended('a', 'stopped', () => 1);
    book.ended('a', 'killed', () => 0);
    expect(book.close().runs).toMatchObject([{ ending: 'stopped', lastUnbegun: false }]);
    expect(book.samples).toBe(1);
  });

  it('says where a log skips a number or has a sample outside its run', () => {
    const book = bookWith(2);
    book.line('a', { event: 'sample_taken', event_id: 'x', run_id: RUN, seq: 4 });
    book.line('a', { event: 'sample_taken', event_id: 'y', run_id: 'another', seq: 4 });
    expect(book.problems).toHaveLength(2);
  });
});

describe('the tail file as the harness reads it', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hostspool-storm-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('has the number of the last append that began, and knows no other run', () => {
    const spool = Spool.open({
      path: join(directory, 'spool.db'),
      maxBytes: 64 * 1024 ** 2,
      maxAge: 86_400_000,
      minFree: { bytes: 0 },
      synchronous: 'normal',
      hostname: 'a',
      interval: 1000,
      version: 'test',
      purpose: 'agent',
      clock: new SystemClock(),
      log: silentLog,
    });
    const tail = () => tailOf(join(directory, 'spool.seq'), spool.runId);
    expect(tail()).toBe(0);
    for (let seq = 1; seq <= 3; seq++) {
      const identity = spool.identify();
      expect(tail()).toBe(seq - 1);
      spool.append(identity, Date.now(), '{}');
      expect(tail()).toBe(seq);
    }
    expect(tailOf(join(directory, 'spool.seq'), RUN)).toBeUndefined();
    expect(tailOf(join(directory, 'nowhere'), RUN)).toBeUndefined();
    spool.close(true);
  });

  it('excuses what was taken between two marks, over the runs between them', () => {
    const book = bookWith(3);
    const from = book.mark('a');
    book.line('a', { event: 'sample_taken', event_id: 'event-4', run_id: RUN, seq: 4 });
    book.ended('a', 'killed', () => 4);
    const next = RUN.replace('b1', 'b2');
    book.line('a', { event: 'agent_started', run_id: next });
    book.line('a', { event: 'sample_taken', event_id: 'event-5', run_id: next, seq: 1 });
    book.excuse('a', from, book.mark('a'), { fault: 'f', reasons: ['disk_full'] });
    const [first, second] = book.close().runs;
    expect(first?.excuses).toEqual([{ fault: 'f', first: 4, last: Number.MAX_SAFE_INTEGER, reasons: ['disk_full'] }]);
    expect(second?.excuses).toEqual([{ fault: 'f', first: 1, last: 1, reasons: ['disk_full'] }]);
  });

  it('excuses nothing between two marks at one place', () => {
    const book = bookWith(3);
    book.excuse('a', book.mark('a'), book.mark('a'), { fault: 'f', reasons: ['disk_full'] });
    expect(book.close().runs[0]?.excuses).toEqual([]);
  });

  it('excuses the samples in a message that went with its log, and those that its notes told of', () => {
    const book = bookWith(3);
    const next = RUN.replace('b1', 'b2');
    book.line('a', { event: 'agent_started', run_id: next });
    const notes = [
      { kind: 'lost', run_id: RUN, first_seq: 3, last_seq: 3 },
      { kind: 'run_ended', run_id: RUN, last_seq: 3 },
    ];
    book.excuseMessage({ run_id: next, seq: 1, notes }, { fault: 'f', reasons: ['expired_in_kafka'] });
    const [first, second] = book.close().runs;
    expect(first).toMatchObject({ untold: true, excuses: [{ first: 3, last: 3 }] });
    expect(second).toMatchObject({ untold: true, excuses: [{ first: 1, last: 1 }] });
  });
});
