import { describe, expect, it } from 'vitest';
import { deadLetterDetail, deadLetterJson, deadLetterTable } from '../../../src/cli/dead-letter-view.ts';
import { fleetTable } from '../../../src/cli/hosts.ts';
import { lagTable } from '../../../src/cli/lag.ts';
import { planTable } from '../../../src/cli/offsets.ts';
import { type Column, textTable } from '../../../src/cli/text-table.ts';
import type { DeadLetterDetail, DeadLetterLine } from '../../../src/operate/dead-letter-list.ts';
import { fleetOf } from '../../../src/operate/fleet.ts';
import { planReset } from '../../../src/operate/offset-plan.ts';

const NOW = Date.UTC(2026, 0, 1);

describe('a table', () => {
  interface Row {
    readonly name: string;
    readonly size: number;
  }
  const columns: readonly Column<Row>[] = [
    { title: 'name', cell: ({ name }) => name },
    { title: 'size', right: true, cell: ({ size }) => String(size) },
  ];

  it('is as wide as it must be, numbers at the right, and nothing in it moves a cursor', () => {
    const rows = [
      { name: 'a\u001b[2J', size: 1 },
      { name: 'bb', size: 1000 },
    ];
    expect(textTable(columns, rows)).toEqual(['name        size', 'a\\u001b[2J     1', 'bb          1000']);
    expect(textTable(columns, [])).toEqual(['name  size']);
  });
});

describe('the lag for people', () => {
  it('says how bad, whose offsets, and what is wrong with which partition', () => {
    const text = lagTable({
      severity: 'critical',
      reasons: ['partition 1 is gone\u0007'],
      reason_codes: ['x'],
      checked_at: '2026-01-01T00:00:00.000Z',
      topic: 'server-metrics',
      group: 'metrics-to-database',
      source: 'kafka',
      database_error: { code: 'SINK_LOGIN', message: 'no' },
      lag: 1234,
      expired: 5,
      oldest_unread: '2025-12-31T23:00:00.000Z',
      oldest_unread_age_seconds: 3600,
      partitions: [
        {
          partition: 0,
          state: 'expired',
          committed: 10,
          log_start: 15,
          log_end: 1249,
          lag: 1234,
          expired: 5,
          oldest_unread: '2025-12-31T23:00:00.000Z',
          oldest_unread_age_seconds: 3600,
        },
        {
          partition: 1,
          state: 'gone',
          committed: 7,
          log_start: null,
          log_end: null,
          lag: 0,
          expired: 0,
          oldest_unread: null,
          oldest_unread_age_seconds: 0,
        },
      ],
    });
    expect(text.split('\n')).toEqual([
      'CRITICAL  server-metrics, group metrics-to-database: 1,234 waiting, the oldest for 1 h',
      '  ! partition 1 is gone\\u0007',
      '  offsets are Kafka’s',
      '',
      'partition  committed  log start  log end    lag  oldest waits',
      '        0         10         15    1,249  1,234  1 h           expired before it was read',
      '        1          7          –        –      0  –             not in the topic',
    ]);
  });
});

describe('the plan of a reset for people', () => {
  it('says of each partition what is read again, skipped, or had expired', () => {
    const stored = { partition: 0, epoch: 0, next: 5, evidence: null, began_at: NOW };
    const positions = [
      { partition: 0, bounds: { start: 8, end: 20 }, stored, committed: null },
      { partition: 1, bounds: { start: 0, end: 0 }, stored: null, committed: null },
    ];
    expect(planTable(planReset(positions, { kind: 'latest' }, null, NOW)).split('\n')).toEqual([
      'partition  from  to  read again  skipped  expired',
      '        0     5  20           0       12        3',
      '        1     –   0           0        0        0  as it is',
    ]);
  });
});

describe('the fleet for people', () => {
  it('has a line a host, and says who is retired', () => {
    const host = {
      hostname: 'web-1',
      first_seen: NOW - 1000,
      last_seen: NOW - 65_000,
      agent_version: '1.2.3',
      spool_depth: 12_345,
      spool_bytes: 1,
      spool_oldest_age_seconds: 7200,
      samples: 5,
      received: 5,
      lost: 1,
      missing: 0,
      retired_at: null,
    };
    const noted = { ...host, hostname: 'old', last_seen: null, agent_version: null, spool_depth: null };
    const records = [host, { ...noted, spool_oldest_age_seconds: null, retired_at: NOW }];
    const options = { order: 'name', silentFor: null, activeOnly: false, maxSilent: 60_000 } as const;
    expect(fleetTable(fleetOf(records, options, NOW)).split('\n')).toEqual([
      'CRITICAL  2 hosts known, 1 retired, 2 shown',
      '  ! web-1: silent for 1 min 5 s (limit 1m)',
      '',
      'host   last seen             ago        agent  spooled  oldest  samples  lost  missing',
      'old    never                 –          –            –  –             5     1        0  retired',
      'web-1  2025-12-31T23:58:55Z  1 min 5 s  1.2.3   12,345  2 h           5     1        0',
    ]);
  });
});

describe('a dead letter for people', () => {
  const line: DeadLetterLine = {
    origin: '0:1',
    host: 'web-1',
    code: 'SAMPLE_INVALID',
    reason: 'value: not JSON',
    sent_at: '2026-01-01T00:00:00.000Z',
    dead_at: '2026-01-01T00:00:01.000Z',
    times: 1,
    replayed: false,
    truncated: false,
    bytes: 3,
  };
  const detail = (value: Buffer | string | null, change: Partial<DeadLetterDetail> = {}): DeadLetterDetail => ({
    line,
    message: {
      partition: 0,
      offset: 0,
      key: Buffer.from('web-1'),
      timestamp: NOW,
      value: value === null ? null : Buffer.from(value),
      headers: { trace: [Buffer.from('a'), Buffer.from([0xff])] },
    },
    truncated_from: null,
    ...change,
  });
  const shownValue = (value: Buffer | string) => deadLetterDetail(detail(value)).split('\n\n')[1];

  it('is a line in the list, with its reason cut short', () => {
    const entries = [{ ...line, reason: 'x'.repeat(200), replayed: true, times: 1000 }];
    const report = { topic: 't.dlq', count: 5, replayed: 1, foreign: 2, selected: 3, entries };
    expect(deadLetterTable(report).split('\n')).toEqual([
      't.dlq: 5 dead letters, 1 sent back; 3 selected, 1 shown; 2 records of somebody else',
      '',
      'origin  dead since             seen  host   state      reason',
      `0:1     2026-01-01T00:00:01Z  1,000  web-1  sent back  ${'x'.repeat(79)}…`,
    ]);
    expect(deadLetterTable({ ...report, count: 0, foreign: 0, entries: [] })).toBe(
      't.dlq: 0 dead letters, 1 sent back',
    );
  });

  it('is shown with all that it has, headers as text or in hexadecimal', () => {
    const text = deadLetterDetail(detail(null, { truncated_from: 99, line: { ...line, truncated: true, times: 3 } }));
    expect(text.split('\n')).toEqual([
      'origin        0:1',
      'host          web-1',
      'reason        value: not JSON [SAMPLE_INVALID]',
      'sent          2026-01-01T00:00:00.000Z',
      'dead since    2026-01-01T00:00:01.000Z, seen 3 times',
      'state         cut off',
      'key           web-1',
      'header trace  a',
      'header trace  0xff',
      'value         none',
    ]);
  });

  it('shows JSON indented where that changes nothing in it, other text as it is, bytes in hexadecimal', () => {
    expect(shownValue('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(shownValue('{"a":1e400}')).toBe('{"a":1e400}');
    expect(shownValue('{"a":12345678901234567890}')).toBe('{"a":12345678901234567890}');
    expect(shownValue('one\r\ntwo\u001b]0;x\u0007\u009b')).toBe('one\ntwo\\u001b]0;x\\u0007\\u009b');
    expect(shownValue(Buffer.from([0xff, 0x41, 0x1b]))).toBe(
      '00000000  ff 41 1b                                         .A.',
    );
  });

  it('shows no more of a huge value than a person reads', () => {
    const text = shownValue('x'.repeat(100_000)) ?? '';
    expect(text.length).toBeLessThan(70_000);
    expect(text).toMatch(/… 34,464 more bytes; --json has all$/);
  });

  it('is whole in JSON, whatever its bytes', () => {
    const value = Buffer.from([0xff, 0x00]);
    expect(deadLetterJson(detail(value))).toMatchObject({
      origin: '0:1',
      key: 'web-1',
      key_base64: null,
      value: null,
      value_base64: '/wA=',
      headers: [
        { name: 'trace', value: 'a', value_base64: null },
        { name: 'trace', value: null, value_base64: '/w==' },
      ],
    });
    expect(deadLetterJson(detail(null))).toMatchObject({ value: null, value_base64: null });
  });
});
