import { describe, expect, it } from 'vitest';
import type { Account } from '../../../../src/accounts/account.ts';
import { decodeMessage } from '../../../../src/sample/decode.ts';
import { uuidToBytes } from '../../../../src/sample/identity.ts';
import {
  accountsInOrder,
  fenceLines,
  gapLines,
  holeLines,
  hostLines,
  runLines,
  stageLines,
  wantedLines,
} from '../../../../src/sink/sqlserver/staged-lines.ts';
import {
  FENCE,
  GAPS,
  HOLES,
  HOSTS,
  RUNS,
  STAGE,
  type StagingTable,
  WANTED,
} from '../../../../src/sink/sqlserver/staging-tables.ts';
import { message, uuid } from '../a-load.ts';

const plain = { event_id: undefined, run_id: undefined, seq: undefined };
const sample = (run: number, seq: number, change = {}) => decodeMessage(message(run, seq, change));

function account(run: number, change: Partial<Account> = {}): Account {
  return {
    run_id: uuid(run),
    hostname: `host-${run}`,
    first_seen: 1000,
    last_seen: 2000,
    last_seq: 10,
    last_seq_by_partition: new Map([[3, { seq: 10, epoch: 1, offset: 99 }]]),
    ended: null,
    uncertain: false,
    gaps: [],
    version: 4,
    ...change,
  };
}

/** The lines as objects; fails where a line and its table differ in their columns. */
function named(table: StagingTable, lines: Iterable<readonly unknown[]>): Record<string, unknown>[] {
  return [...lines].map((line) => {
    expect(line).toHaveLength(table.columns.length);
    return Object.fromEntries(table.columns.map(({ name }, index) => [name, line[index]]));
  });
}

describe('the lines of a load', () => {
  it('number rows by run and sequence number, so that every writer takes them in one order', () => {
    const rows = [sample(2, 1), sample(1, 10), sample(1, 9), sample(1, 2, plain), sample(2, 0x7fffffff)];
    const lines = named(STAGE, stageLines(rows));
    expect(lines.map(({ n, run_id, seq }) => [n, run_id, seq])).toEqual([
      [1, null, null],
      [2, uuid(1), 9],
      [3, uuid(1), 10],
      [4, uuid(2), 1],
      [5, uuid(2), 0x7fffffff],
    ]);
    expect(lines[1]).toMatchObject({ hostname: 'host-1', cpu_percent: 12.5, agent_version: '1.0.0', load_1: null });
    expect(rows[0]?.run_id).toBe(uuid(2));
  });

  it('give a row without a run that of no other', () => {
    const lines = named(STAGE, stageLines([sample(1, 1), sample(1, 2, plain), sample(2, 1)]));
    expect(lines.map(({ run_id }) => run_id)).toEqual([null, uuid(1), uuid(2)]);
  });

  it('say what a fence expects, and nothing where there is to be no row', () => {
    const evidence = { timestamp: 5, sha256: Buffer.alloc(32, 1) };
    const move = { partition: 1, expected: { epoch: 2, offset: 3 }, epoch: 2, next: 9, evidence, began_at: 7 };
    const lines = named(FENCE, fenceLines([move, { ...move, expected: null, evidence: null, began_at: null }]));
    expect(lines).toEqual([
      {
        partition_id: 1,
        expected_epoch: 2,
        expected_offset: 3,
        epoch: 2,
        next_offset: 9,
        evidence_timestamp: new Date(5),
        evidence_sha256: evidence.sha256,
        began_at: new Date(7),
      },
      {
        partition_id: 1,
        expected_epoch: null,
        expected_offset: null,
        epoch: 2,
        next_offset: 9,
        evidence_timestamp: null,
        evidence_sha256: null,
        began_at: null,
      },
    ]);
  });

  it('carry each account with its sums, in the order of the runs', () => {
    const gaps = [
      { first_seq: 1, last_seq: 2, reason: 'crash' },
      { first_seq: 5, last_seq: 5, reason: null },
    ];
    const changes = accountsInOrder([
      { before: undefined, after: account(2, { ended: { clean: false }, uncertain: true }) },
      { before: undefined, after: account(1, { gaps, ended: { clean: true } }) },
    ]);
    expect(named(RUNS, runLines(changes))).toMatchObject([
      { n: 1, run_id: uuidToBytes(uuid(1)), received: 7, lost: 2, missing: 1, ended: 'clean', version: 4 },
      { n: 2, run_id: uuidToBytes(uuid(2)), received: 10, ended: 'unclean', uncertain: true },
    ]);
    expect(named(RUNS, runLines(changes))[0]?.last_seq_by_partition).toBe('{"3":[10,1,99]}');
  });

  it('carry of the gaps only what changed', () => {
    const kept = { first_seq: 1, last_seq: 2, reason: 'crash' };
    const before = account(1, { gaps: [kept, { first_seq: 4, last_seq: 6, reason: null }] });
    const after = account(1, { gaps: [kept, { first_seq: 4, last_seq: 5, reason: null }] });
    expect(named(GAPS, gapLines([{ before, after }]))).toEqual([
      { n: 1, come: false, run_id: uuidToBytes(uuid(1)), first_seq: 4, last_seq: 6, reason: null },
      { n: 2, come: true, run_id: uuidToBytes(uuid(1)), first_seq: 4, last_seq: 5, reason: null },
    ]);
  });

  it('have one line for each host, told about or not', () => {
    const told = {
      hostname: 'host-9',
      first_seen: 1,
      last_seen: 2,
      agent_version: '1',
      spool_depth: 3n,
      spool_bytes: null,
      spool_oldest_age_seconds: 0.5,
      received: 1,
      lost: -2,
      missing: 3,
    };
    const lines = named(HOSTS, hostLines({ hosts: [told], rows: [sample(2, 1), sample(1, 1), sample(1, 2)] }));
    expect(lines.map(({ n, hostname, received }) => [n, hostname, received])).toEqual([
      [1, 'host-1', 0],
      [2, 'host-2', 0],
      [3, 'host-9', 1],
    ]);
    expect(lines[0]).toMatchObject({ first_seen: null, last_seen: null, agent_version: null });
    expect(lines[2]).toMatchObject({ first_seen: new Date(1), last_seen: new Date(2), spool_depth: 3n, lost: -2 });
  });

  it('name each wanted run once, and every hole', () => {
    expect(named(WANTED, wantedLines([uuid(1), uuid(1), uuid(2)]))).toHaveLength(2);
    const hole = { partition: 1, epoch: 0, first_offset: 2, next_offset: null, reason: 'topic_recreated', found_at: 3 };
    expect(named(HOLES, holeLines([hole as never]))).toEqual([
      {
        partition_id: 1,
        epoch: 0,
        first_offset: 2,
        next_offset: null,
        reason: 'topic_recreated',
        found_at: new Date(3),
      },
    ]);
  });
});
