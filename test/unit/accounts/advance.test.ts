import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Account, tally } from '../../../src/accounts/account.ts';
import { type AccountEvent, advance, type LogHole } from '../../../src/accounts/advance.ts';
import { advanceAll, difference } from '../../../src/accounts/advance-all.ts';
import { LOSS_REASONS } from '../../../src/sample/note.ts';
import { modelOf } from './set-model.ts';

/** Made at 2025-05-06T10:08:34Z or so: older than AFTER, younger than BEFORE. */
const RUN = '0196a5b0-0000-7000-8000-000000000001';
const STARTED = 0x0196a5b00000;
const BEFORE = STARTED - 1000;
const AFTER = STARTED + 1000;

interface Place {
  partition?: number;
  offset?: number;
  epoch?: number;
  began_at?: number;
}
const origin = (place: Place = {}) => ({ partition: 0, epoch: 0, offset: 0, at: AFTER, began_at: BEFORE, ...place });
const received = (seq: number, place?: Place): AccountEvent => {
  return { kind: 'received', run_id: RUN, hostname: 'web-1', seq, origin: origin(place) };
};
const dead = (seq: number): AccountEvent => ({ ...received(seq), kind: 'dead_letter' }) as AccountEvent;
const lost = (first_seq: number, last_seq: number, reason: string = 'spool_full', exact = true): AccountEvent => {
  const note = { kind: 'lost', run_id: RUN, first_seq, last_seq, reason, exact } as const;
  return { kind: 'note', note, hostname: 'web-1', origin: origin() };
};
const ended = (last_seq: number, clean = true, exact = true): AccountEvent => {
  const note = { kind: 'run_ended', run_id: RUN, last_seq, clean, exact } as const;
  return { kind: 'note', note, hostname: 'web-1', origin: origin() };
};
const accountOf = (...events: AccountEvent[]) => advance(undefined, events);
const gapsOf = (account: Account) => account.gaps.map((gap) => [gap.first_seq, gap.last_seq, gap.reason]);

describe('the account of a run', () => {
  it('has no gap when every number came', () => {
    const account = accountOf(received(1), received(2), received(3));
    expect(account).toMatchObject({ run_id: RUN, hostname: 'web-1', last_seq: 3, gaps: [], ended: null, version: 0 });
    expect(tally(account)).toEqual({ received: 3, lost: 0, missing: 0 });
  });

  it('opens a gap without a reason where a number was passed over, and closes it when the number comes after all', () => {
    const opened = accountOf(received(1), received(5));
    expect(gapsOf(opened)).toEqual([[2, 4, null]]);
    expect(gapsOf(advance(opened, [received(3)]))).toEqual([
      [2, 2, null],
      [4, 4, null],
    ]);
    expect(advance(opened, [received(3), received(2), received(4)]).gaps).toEqual([]);
  });

  it('gives the part of a gap that a note covers its reason, and the rest none', () => {
    const account = accountOf(received(1), received(10), lost(3, 5));
    expect(gapsOf(account)).toEqual([
      [2, 2, null],
      [3, 5, 'spool_full'],
      [6, 9, null],
    ]);
    expect(tally(account)).toEqual({ received: 2, lost: 3, missing: 5 });
  });

  it('hears of the end of a run from its notes', () => {
    const account = accountOf(received(1), lost(2, 4, 'crash'), ended(6, false, false));
    expect(gapsOf(account)).toEqual([
      [2, 4, 'crash'],
      [5, 6, null],
    ]);
    expect(account).toMatchObject({ last_seq: 6, ended: { clean: false }, uncertain: true });
  });

  it('believes a sample that came over every note about its loss', () => {
    expect(accountOf(lost(1, 3), received(2), lost(1, 3)).gaps).toEqual([
      { first_seq: 1, last_seq: 1, reason: 'spool_full' },
      { first_seq: 3, last_seq: 3, reason: 'spool_full' },
    ]);
  });

  it('believes the agent over a dead letter, and a replayed dead letter over all', () => {
    expect(gapsOf(accountOf(dead(1)))).toEqual([[1, 1, 'dead_letter']]);
    expect(gapsOf(accountOf(dead(1), lost(1, 1)))).toEqual([[1, 1, 'spool_full']]);
    expect(gapsOf(accountOf(lost(1, 1), dead(1)))).toEqual([[1, 1, 'spool_full']]);
    expect(gapsOf(accountOf(dead(1), received(1)))).toEqual([]);
    expect(gapsOf(accountOf(received(1), dead(1)))).toEqual([]);
  });

  it('is the same object when it was told nothing new', () => {
    const account = accountOf(received(1), received(5), lost(2, 3), ended(6));
    expect(advance(account, [received(5), lost(2, 3), ended(6), received(1), lost(5, 5)])).toBe(account);
  });

  it('keeps the version it was read with, so that a load can check it', () => {
    expect(advance({ ...accountOf(received(1)), version: 7 }, [received(2)]).version).toBe(7);
  });
});

describe('the first contact with a run', () => {
  it('tells what came before it apart when the run is older than the group’s reading of the partition', () => {
    expect(gapsOf(accountOf(received(4, { began_at: AFTER })))).toEqual([[1, 3, 'before_first_contact']]);
    expect(gapsOf(accountOf(received(4, { began_at: BEFORE })))).toEqual([[1, 3, null]]);
  });

  it('may be a note', () => {
    const note = { ...lost(3, 4), origin: origin({ began_at: AFTER }) } as AccountEvent;
    expect(gapsOf(accountOf(note, received(6)))).toEqual([
      [1, 2, 'before_first_contact'],
      [3, 4, 'spool_full'],
      [5, 5, null],
    ]);
    const end = { ...ended(3), origin: origin({ began_at: AFTER }) } as AccountEvent;
    expect(gapsOf(accountOf(end))).toEqual([[1, 3, 'before_first_contact']]);
  });

  it('leaves a later note or sample the last word', () => {
    const account = accountOf(received(4, { began_at: AFTER }));
    expect(gapsOf(advance(account, [lost(1, 2), received(3)]))).toEqual([[1, 2, 'spool_full']]);
  });
});

describe('a hole in the log', () => {
  const hole: LogHole = {
    partition: 0,
    epoch: 0,
    first_offset: 10,
    next_offset: 20,
    reason: 'expired_in_kafka',
    found_at: AFTER,
  };

  it('explains the gap after the last number heard of before it', () => {
    const account = accountOf(received(1, { offset: 9 }));
    expect(gapsOf(advance(account, [received(5, { offset: 20 })], [hole]))).toEqual([[2, 4, 'expired_in_kafka']]);
  });

  it('explains no gap that lies before it or after it', () => {
    const early = [received(1, { offset: 1 }), received(5, { offset: 2 }), received(6, { offset: 9 })];
    const late = [received(7, { offset: 20 }), received(9, { offset: 21 })];
    expect(gapsOf(advance(undefined, [...early, ...late], [hole]))).toEqual([
      [2, 4, null],
      [8, 8, null],
    ]);
  });

  it('explains a gap that another partition opened, before or after the hole was found', () => {
    const opened = accountOf(received(1, { offset: 9 }), received(5, { partition: 1, offset: 0 }));
    expect(gapsOf(opened)).toEqual([[2, 4, null]]);
    expect(gapsOf(advance(opened, [], [hole]))).toEqual([[2, 4, 'expired_in_kafka']]);
    const unopened = advance(accountOf(received(1, { offset: 9 })), [], [hole]);
    expect(gapsOf(advance(unopened, [received(5, { partition: 1 })], [hole]))).toEqual([[2, 4, 'expired_in_kafka']]);
  });

  it('explains it too where the clock of the host is ahead, so that the run seems to have begun later', () => {
    const account = accountOf(received(1, { offset: 9 }));
    const early = { ...hole, found_at: BEFORE };
    expect(gapsOf(advance(account, [received(5, { offset: 20 })], [early]))).toEqual([[2, 4, 'expired_in_kafka']]);
    const opened = advance(account, [received(5, { partition: 1 })]);
    expect(gapsOf(advance(opened, [], [early]))).toEqual([[2, 4, 'expired_in_kafka']]);
  });

  it('explains what is missing before the first message of a run, unless the run began after it was found', () => {
    expect(gapsOf(advance(undefined, [received(3, { offset: 20 })], [hole]))).toEqual([[1, 2, 'expired_in_kafka']]);
    const earlier = { ...hole, found_at: BEFORE };
    expect(gapsOf(advance(undefined, [received(3, { offset: 20 })], [earlier]))).toEqual([[1, 2, null]]);
  });

  it('explains a run of which only a later note of its end arrived, unless the run began after it was found', () => {
    const noteAt = (event: AccountEvent, place: Place): AccountEvent => ({ ...event, origin: origin(place) });
    const end = noteAt(ended(3), { offset: 20 });
    expect(gapsOf(advance(undefined, [end], [hole]))).toEqual([[1, 3, 'expired_in_kafka']]);
    const crash = noteAt(lost(3, 3, 'crash'), { offset: 20 });
    expect(gapsOf(advance(undefined, [crash, end], [hole]))).toEqual([
      [1, 2, 'expired_in_kafka'],
      [3, 3, 'crash'],
    ]);
    expect(gapsOf(advance(undefined, [end], [{ ...hole, found_at: BEFORE }]))).toEqual([[1, 3, null]]);
    expect(gapsOf(advance(undefined, [noteAt(ended(3), { offset: 9 })], [hole]))).toEqual([[1, 3, null]]);
    expect(gapsOf(advance(undefined, [noteAt(ended(3), { partition: 1, offset: 20 })], [hole]))).toEqual([
      [1, 3, null],
    ]);
  });

  it('does not explain by a note what a run heard of after it has lost', () => {
    const events = [received(1, { offset: 20 }), received(2, { offset: 21 })];
    const end: AccountEvent = { ...ended(5), origin: origin({ offset: 22 }) };
    expect(gapsOf(advance(undefined, [...events, end], [hole]))).toEqual([[3, 5, null]]);
  });

  it('does not explain the gap of a run that was never heard of in its partition', () => {
    expect(gapsOf(advance(undefined, [received(3, { partition: 1, offset: 20 })], [hole]))).toEqual([[1, 2, null]]);
  });

  it('explains what lies in it behind the last message of the run, though it begins before that one', () => {
    // A person went back behind what was read, and the log let go of it, and of more, meanwhile.
    const wide: LogHole = { ...hole, first_offset: 3, next_offset: 20 };
    const account = accountOf(received(1, { offset: 9 }));
    expect(gapsOf(advance(account, [received(5, { offset: 20 })], [wide]))).toEqual([[2, 4, 'expired_in_kafka']]);
    const opened = advance(account, [received(5, { partition: 1 })]);
    expect(gapsOf(advance(opened, [], [wide]))).toEqual([[2, 4, 'expired_in_kafka']]);
    expect(gapsOf(advance(opened, [], [{ ...wide, next_offset: null }]))).toEqual([[2, 4, 'expired_in_kafka']]);
    const upToIt = { ...wide, next_offset: 10 };
    expect(gapsOf(advance(account, [received(5, { offset: 20 })], [upToIt]))).toEqual([[2, 4, null]]);
  });

  it('explains what no note does, on either side of what a late note explains', () => {
    // Of more than a hundred notes the last come later than the samples behind what they tell of.
    const account = accountOf(received(1, { offset: 9 }));
    const told = [lost(2, 3), lost(6, 6)].map((note): AccountEvent => ({ ...note, origin: origin({ offset: 20 }) }));
    const explained = [
      [2, 3, 'spool_full'],
      [4, 5, 'expired_in_kafka'],
      [6, 6, 'spool_full'],
      [7, 8, 'expired_in_kafka'],
    ];
    const all = advance(account, [...told, received(9, { offset: 20 })], [hole]);
    expect(gapsOf(all)).toEqual(explained);
    expect(advance(all, [...told, received(9, { offset: 20 })], [hole])).toBe(all);
    const unexplained = advance(account, [...told, received(9, { partition: 1 })]);
    expect(gapsOf(advance(unexplained, [], [hole]))).toEqual(explained);
    const elsewhere = advance(undefined, [lost(2, 3), received(5, { partition: 1 })]);
    expect(gapsOf(advance(elsewhere, [received(4, { offset: 20 })], [hole]))).toEqual([
      [1, 1, 'expired_in_kafka'],
      [2, 3, 'spool_full'],
    ]);
  });

  it('in a topic made anew lies after everything of the old one', () => {
    const recreated: LogHole = { ...hole, next_offset: null, reason: 'topic_recreated' };
    const account = accountOf(received(1, { offset: 9 }));
    const later = advance(
      account,
      [received(4, { offset: 0, epoch: 1 }), received(6, { offset: 1, epoch: 1 })],
      [recreated],
    );
    expect(gapsOf(later)).toEqual([
      [2, 3, 'topic_recreated'],
      [5, 5, null],
    ]);
  });

  it('yields to what the agent says and to the sample itself', () => {
    const account = advance(accountOf(received(1, { offset: 9 })), [received(5, { offset: 20 })], [hole]);
    expect(gapsOf(advance(account, [lost(2, 2), received(3)], [hole]))).toEqual([
      [2, 2, 'spool_full'],
      [4, 4, 'expired_in_kafka'],
    ]);
  });
});

describe('any history of a run', () => {
  const seq = fc.integer({ min: 1, max: 40 });
  const range = fc.tuple(seq, seq).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const reason = fc.constantFrom(...LOSS_REASONS);
  const event: fc.Arbitrary<AccountEvent> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(seq, fc.nat(3), fc.nat(99))
        .map(([n, partition, offset]) => received(n, { partition, offset })),
    },
    { weight: 2, arbitrary: seq.map(dead) },
    {
      weight: 3,
      arbitrary: fc.tuple(range, reason, fc.boolean()).map(([[a, b], why, exact]) => lost(a, b, why, exact)),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(seq, fc.boolean(), fc.boolean()).map(([n, clean, exact]) => ended(n, clean, exact)),
    },
  );
  const history = fc.array(event, { minLength: 1, maxLength: 40 });

  function assertLike(account: Account, events: readonly AccountEvent[]): void {
    const model = modelOf(events);
    const absent = account.gaps.flatMap(({ first_seq, last_seq, reason: why }) =>
      Array.from({ length: last_seq - first_seq + 1 }, (_, index) => ({ seq: first_seq + index, reason: why })),
    );
    expect(absent).toEqual(model.absent);
    expect(account).toMatchObject({ last_seq: model.last, ended: model.ended, uncertain: model.uncertain });
    for (const [index, gap] of account.gaps.entries()) {
      const before = account.gaps[index - 1];
      if (before?.last_seq === gap.first_seq - 1) expect(before.reason).not.toBe(gap.reason);
    }
  }

  it('is what a plain set model makes of it', () => {
    fc.assert(
      fc.property(history, (events) => assertLike(advance(undefined, events), events)),
      { numRuns: 2000 },
    );
  });

  it('comes out the same shuffled, repeated, and cut into loads', () => {
    const shuffledHistory = history.chain((events) =>
      fc.tuple(
        fc.constant(events),
        fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2, maxLength: events.length * 2 }),
        fc.array(fc.nat(80), { maxLength: 6 }),
      ),
    );
    fc.assert(
      fc.property(shuffledHistory, ([events, told, cuts]) => {
        let account: Account | undefined;
        const bounds = [0, ...cuts.filter((cut) => cut < told.length).sort((a, b) => a - b), told.length];
        for (let index = 1; index < bounds.length; index++) {
          const part = told.slice(bounds[index - 1], bounds[index]);
          if (part.length > 0) account = advance(account, part);
        }
        assertLike(account as Account, events);
      }),
      { numRuns: 2000 },
    );
  });

  it('changes nothing when it is told again', () => {
    fc.assert(
      fc.property(history, (events) => {
        const account = advance(undefined, events);
        expect(advance(account, events)).toBe(account);
      }),
    );
  });

  it('adds up: received, lost and missing are all that were taken', () => {
    fc.assert(
      fc.property(history, history, (first, second) => {
        const before = advance(undefined, first);
        const sums = [tally(before)];
        for (const change of advanceAll(new Map([[RUN, before]]), second)) sums.push(difference(change));
        const total = sums.reduce((sum, { received: a, lost: b, missing: c }) => sum + a + b + c, 0);
        expect(total).toBe(advance(before, second).last_seq);
      }),
    );
  });
});
