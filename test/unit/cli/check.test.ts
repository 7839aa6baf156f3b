import { describe, expect, it } from 'vitest';
import { checkTable } from '../../../src/cli/check.ts';
import type { CheckReport } from '../../../src/operate/check/plan.ts';
import type { CheckResult } from '../../../src/operate/check/run-checks.ts';

function result(change: Partial<CheckResult>): CheckResult {
  return {
    name: 'clock',
    subject: null,
    state: 'ok',
    code: null,
    finding: 'fine',
    hint: null,
    detail: {},
    rests_on: null,
    seconds: 0,
    ...change,
  };
}

const REPORT: CheckReport = {
  state: 'failed',
  checked_at: '2026-01-01T00:00:00.000Z',
  version: '1.0.0',
  mode: 'agent',
  uid: 0,
  counts: { ok: 1, warning: 1, failed: 1, skipped: 3 },
  checks: [
    result({}),
    result({
      name: 'spool.filesystem',
      state: 'warning',
      code: 'SPOOL_FILESYSTEM',
      finding: '/run/spool.db is on tmpfs, in memory: a restart of the machine empties the spool',
      hint: 'set spool.path to a place on a disk',
    }),
    result({
      name: 'broker.tcp',
      subject: 'kafka-1:9092',
      state: 'failed',
      code: 'KAFKA_UNREACHABLE',
      finding: 'broker kafka-1:9092 cannot be reached: \u001b[2Jnothing listens there (connection refused)',
      hint: 'check kafka.brokers, whether the broker runs, and the network between',
    }),
    ...(['broker.login', 'cluster'] as const).map((name) =>
      result({ name, state: 'skipped', finding: 'not checked', rests_on: 'broker.tcp kafka-1:9092' }),
    ),
    result({ name: 'topic.config', state: 'skipped', finding: 'this user may not read the settings' }),
  ],
};

describe('the check for people', () => {
  it('has a mark, a name, a finding with its code and what to do, within the width of the terminal', () => {
    expect(checkTable(REPORT, 80).split('\n')).toEqual([
      '✓ clock             fine',
      '! spool filesystem  /run/spool.db is on tmpfs, in memory: a restart of the',
      '                    machine empties the spool [SPOOL_FILESYSTEM]',
      '                    → set spool.path to a place on a disk',
      '✗ broker tcp        broker kafka-1:9092 cannot be reached: \\u001b[2Jnothing',
      '                    listens there (connection refused) [KAFKA_UNREACHABLE]',
      '                    → check kafka.brokers, whether the broker runs, and the',
      '                      network between',
      '– topic config      this user may not read the settings',
      '– not checked before broker.tcp kafka-1:9092 is in order: broker login, cluster',
      '',
      'FAILED for mode agent: 1 failed, 1 to look at, 3 not checked, 1 ok',
    ]);
  });

  it('has a line for each wrong setting', () => {
    const finding = '2 settings are wrong\n  collect.interval: "x" is not a duration\n  spool.max_age: "y" is not one';
    const settings = result({ name: 'settings', state: 'failed', code: 'SETTINGS_INVALID', finding });
    const counts = { ok: 0, warning: 0, failed: 1, skipped: 0 };
    expect(checkTable({ ...REPORT, mode: null, counts, checks: [settings] }, 80).split('\n')).toEqual([
      '✗ settings  2 settings are wrong',
      '            collect.interval: "x" is not a duration',
      '            spool.max_age: "y" is not one [SETTINGS_INVALID]',
      '',
      'FAILED: 1 failed',
    ]);
  });
});
