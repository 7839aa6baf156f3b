import { describe, expect, it } from 'vitest';
import { audit, type Evidence } from '../../storm/audit.ts';
import type { AccountingRow } from '../../storm/evidence.ts';
import type { LedgerRun } from '../../storm/ledger.ts';
import { SABOTAGES, type Sabotage } from '../../storm/sabotage.ts';
import { aStorm, FIRST_RUN, HOST, LAST_RUN } from './a-storm.ts';

const checksOf = (evidence: Evidence) => new Set(audit(evidence).map(({ check }) => check));

function withRun(runId: string, change: Partial<LedgerRun>): Evidence {
  const storm = aStorm();
  const runs = storm.ledger.runs.map((run) => (run.runId === runId ? { ...run, ...change } : run));
  return { ...storm, ledger: { ...storm.ledger, runs } };
}

function withAccount(runId: string, change: Partial<AccountingRow>): Evidence {
  const storm = aStorm();
  const accounting = storm.database.accounting.map((row) => (row.run_id === runId ? { ...row, ...change } : row));
  return { ...storm, database: { ...storm.database, accounting } };
}

describe('the auditor of a storm', () => {
  it('finds nothing where ledger = rows + losses on record', () => {
    expect(audit(aStorm())).toEqual([]);
  });

  const expected: Readonly<Record<Sabotage, readonly string[]>> = {
    'drop-row': ['absent', 'account', 'host'],
    'double-row': ['twice', 'host'],
    'foreign-row': ['unknown row', 'host'],
    'change-row': ['changed row', 'absent'],
    'forget-sample': ['absent', 'account'],
    'drop-account': ['no account', 'host'],
    'declare-missing': ['missing', 'account'],
    'excuse-loss': ['absent', 'reason'],
    'fall-behind': ['offset'],
    'swap-messages': ['order'],
    'drop-dead-letter': ['dead letter'],
  };
  it.each(Object.keys(SABOTAGES) as Sabotage[])('is not taken in by %s', (name) => {
    const checks = checksOf(SABOTAGES[name](aStorm()));
    for (const check of expected[name]) expect(checks).toContain(check);
  });

  it('does not excuse a second lost sample of a killed run, whatever its reason', () => {
    const storm = aStorm();
    const rows = storm.database.rows.filter(({ run_id, seq }) => run_id !== FIRST_RUN || seq !== 5);
    const accounting = storm.database.accounting.map((row) =>
      row.run_id === FIRST_RUN ? { ...row, received: 4, lost: 2, reasons: { crash: 2 } } : row,
    );
    const hosts = storm.database.hosts.map((row) =>
      row.hostname === HOST ? { ...row, samples: 8, received: 8, lost: 2 } : row,
    );
    const checks = checksOf({ ...storm, database: { ...storm.database, rows, accounting, hosts } });
    expect(checks).toEqual(new Set(['absent', 'reason']));
  });

  it('excuses no loss of a run that was stopped in order', () => {
    expect(checksOf(withRun(FIRST_RUN, { ending: 'stopped', lastUnbegun: true }))).toEqual(
      new Set(['absent', 'reason', 'ending']),
    );
  });

  it('wants the last line of a killed run accounted for unless the tail file shows that its append had not begun', () => {
    expect(checksOf(withRun(FIRST_RUN, { lastUnbegun: false }))).toEqual(new Set(['account', 'absent', 'reason']));
  });

  it('finds a sample that arrived although its append had not begun', () => {
    expect(checksOf(withRun(LAST_RUN, { ending: 'killed', lastUnbegun: true }))).toContain('unbegun');
  });

  it('wants to know how a run ended once the agent has had another', () => {
    expect(checksOf(withAccount(FIRST_RUN, { ended: null }))).toEqual(new Set(['ending']));
    expect(checksOf(withAccount(LAST_RUN, { ended: 'clean' }))).toEqual(new Set(['ending']));
  });

  it('finds a tail that is called uncertain', () => {
    expect(checksOf(withAccount(FIRST_RUN, { uncertain: true }))).toEqual(new Set(['uncertain']));
  });

  it('finds a hole on record in a log that has none, and an epoch that rose', () => {
    const storm = aStorm();
    const offsets = new Map(
      [...storm.database.offsets].map(([partition, { next }]) => [partition, { next, epoch: 1 }]),
    );
    expect(checksOf({ ...storm, database: { ...storm.database, holes: 1, offsets } })).toEqual(
      new Set(['hole', 'offset']),
    );
  });

  it('finds a sample among the dead letters', () => {
    const storm = aStorm();
    const deadLetters = [...storm.deadLetters, { poison: null, reason: 'refused', value: '{}' }];
    expect(checksOf({ ...storm, deadLetters })).toEqual(new Set(['dead letter']));
  });

  it('takes no repeat in another partition for the first of its kind', () => {
    const storm = aStorm();
    const { messages, ends } = storm.topic;
    const repeat = messages.find(({ seq }) => seq === 1) as (typeof messages)[number];
    const later = messages.find(({ seq }) => seq === 4) as (typeof messages)[number];
    const moved = [later, repeat].map((message, offset) => ({ ...message, partition: 1, offset }));
    const topic = { ...storm.topic, messages: [...moved, ...messages], ends: new Map([...ends, [1, 2]]) };
    const offsets = new Map([...storm.database.offsets, [1, { next: 2, epoch: 0 }] as const]);
    expect(audit({ ...storm, topic, database: { ...storm.database, offsets } })).toEqual([]);
  });

  it('finds a message in the topic that nobody took', () => {
    const storm = aStorm();
    const [first, ...rest] = storm.topic.messages;
    if (first === undefined) throw new Error('the storm has no message');
    const messages = [{ ...first, event_id: '01900000-0000-7000-8000-00000000beef' }, ...rest];
    expect(checksOf({ ...storm, topic: { ...storm.topic, messages } })).toContain('unknown message');
  });

  describe('of faults that may lose samples', () => {
    const withoutFive = (reason: string | null): Evidence => {
      const { ledger, database, topic, deadLetters } = aStorm();
      const isGone = ({ run_id, seq }: { run_id: string | null; seq: number | null }) =>
        run_id === FIRST_RUN && seq === 5;
      const five = { run_id: FIRST_RUN, first_seq: 5, last_seq: 5, reason };
      return {
        ledger,
        deadLetters,
        topic: { ...topic, messages: topic.messages.filter((message) => !isGone(message)) },
        database: {
          ...database,
          rows: database.rows.filter((row) => !isGone(row)),
          gaps: [...database.gaps, five],
          accounting: database.accounting.map((row) =>
            row.run_id === FIRST_RUN
              ? { ...row, received: 4, lost: 2, reasons: { crash: 1, [String(reason)]: 1 } }
              : row,
          ),
          hosts: database.hosts.map((row) =>
            row.hostname === HOST ? { ...row, samples: 8, received: 8, lost: 2 } : row,
          ),
        },
      };
    };
    const excused = (evidence: Evidence, change: Partial<LedgerRun>): Evidence => ({
      ...evidence,
      ledger: {
        ...evidence.ledger,
        runs: evidence.ledger.runs.map((run) => (run.runId === FIRST_RUN ? { ...run, ...change } : run)),
      },
    });
    const excuses = [{ fault: 'f', first: 4, last: 5, reasons: ['disk_full'] }];

    it('excuses a loss at the place and for the reason of the fault', () => {
      expect(audit(excused(withoutFive('disk_full'), { excuses }))).toEqual([]);
    });

    it('excuses none for another reason, and none at another place', () => {
      expect(checksOf(excused(withoutFive('spool_corrupt'), { excuses }))).toEqual(new Set(['absent', 'reason']));
      const elsewhere = [{ fault: 'f', first: 1, last: 4, reasons: ['disk_full'] }];
      expect(checksOf(excused(withoutFive('disk_full'), { excuses: elsewhere }))).toEqual(
        new Set(['absent', 'reason']),
      );
    });

    it('excuses none that reached the topic', () => {
      const evidence = excused(withoutFive('disk_full'), { excuses });
      expect(checksOf({ ...evidence, topic: aStorm().topic })).toEqual(new Set(['absent', 'reason']));
    });

    it('lets a damaged spool say too much, never too little', () => {
      const evidence = excused(aStorm(), { uncertain: true });
      const withTaken = (taken: number, lost: number): Evidence => ({
        ...evidence,
        database: {
          ...evidence.database,
          accounting: evidence.database.accounting.map((row) =>
            row.run_id === FIRST_RUN
              ? { ...row, taken, lost, uncertain: true, reasons: { crash: 1, spool_corrupt: lost - 1 } }
              : row,
          ),
          hosts: evidence.database.hosts.map((row) => (row.hostname === HOST ? { ...row, lost } : row)),
        },
      });
      expect(audit(withTaken(8, 3))).toEqual([]);
      expect(checksOf(withTaken(5, 0))).toContain('account');
    });
  });
});
