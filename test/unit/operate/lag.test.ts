import { describe, expect, it } from 'vitest';
import { lastTaken } from '../../../src/kafka/evidence.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { type LagReport, readLag } from '../../../src/operate/lag.ts';
import type { LagThresholds } from '../../../src/operate/lag-findings.ts';
import type { OpenOffsets } from '../../../src/operate/positions.ts';
import type { StoredOffset } from '../../../src/sink/sink.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLogAdmin, logMessage } from '../../support/fake-log-admin.ts';

const READER = { group: 'metrics-to-database', topic: 'server-metrics' };
const NOW = Date.UTC(2026, 0, 1);
const NONE: LagThresholds = { warnLag: null, critLag: null, warnAge: null, critAge: null };

function stored(partition: number, next: number, change: Partial<StoredOffset> = {}): StoredOffset {
  return { partition, epoch: 0, next, evidence: null, began_at: NOW, ...change };
}

function database(...offsets: StoredOffset[]): OpenOffsets {
  return async () => ({ readOffsets: async () => new Map(offsets.map((offset) => [offset.partition, offset])) });
}

function lag(log: FakeLogAdmin, open: OpenOffsets, thresholds: Partial<LagThresholds> = {}): Promise<LagReport> {
  return readLag(log, open, READER, { ...NONE, ...thresholds }, new FakeClock(NOW));
}

describe('the lag', () => {
  it('is counted from the database’s offsets, not from Kafka’s, and says so', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW - 60_000).partition(1, 100, 120, NOW - 60_000);
    log.commits.set(0, 2).set(1, 100);
    const report = await lag(log, database(stored(0, 10), stored(1, 115)));
    expect(report).toMatchObject({ severity: 'ok', source: 'database', lag: 5, expired: 0, reasons: [] });
    expect(report.partitions).toEqual([
      {
        partition: 0,
        state: 'ok',
        committed: 10,
        log_start: 0,
        log_end: 10,
        lag: 0,
        expired: 0,
        oldest_unread: null,
        oldest_unread_age_seconds: 0,
      },
      {
        partition: 1,
        state: 'ok',
        committed: 115,
        log_start: 100,
        log_end: 120,
        lag: 5,
        expired: 0,
        oldest_unread: '2025-12-31T23:59:15.000Z',
        oldest_unread_age_seconds: 45,
      },
    ]);
    expect(report).toMatchObject({ oldest_unread: '2025-12-31T23:59:15.000Z', oldest_unread_age_seconds: 45 });
  });

  it('is counted from Kafka’s where no database is configured', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW);
    log.commits.set(0, 4);
    expect(await lag(log, null)).toMatchObject({ source: 'kafka', lag: 6, severity: 'ok', database_error: null });
  });

  it('falls back on Kafka’s when the database can’t be asked, with a warning that names the reason', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW);
    log.commits.set(0, 4);
    const report = await lag(log, async () => {
      throw new HostspoolError('SINK_LOGIN', 'the login failed');
    });
    expect(report).toMatchObject({
      severity: 'warning',
      source: 'kafka',
      lag: 6,
      database_error: { code: 'SINK_LOGIN', message: 'the login failed' },
      reason_codes: ['database_unavailable'],
    });
  });

  it('does without Kafka’s offsets when the database has them', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW);
    log.failing.add('committed');
    expect(await lag(log, database(stored(0, 9)))).toMatchObject({ source: 'database', lag: 1 });
  });

  it('can’t be told when neither answers, or the log doesn’t', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW);
    log.failing.add('committed');
    await expect(lag(log, null)).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
    log.failing.clear();
    log.failing.add('bounds');
    await expect(lag(log, database(stored(0, 9)))).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
  });

  it('of a partition that was never read is the whole log; an empty one is no cause for a warning', async () => {
    const log = new FakeLogAdmin().partition(0, 5, 10, NOW).partition(1, 0, 0, NOW);
    const report = await lag(log, database());
    expect(report).toMatchObject({ severity: 'warning', lag: 5, reason_codes: ['never_read'] });
    expect(report.partitions.map(({ state }) => state)).toEqual(['never_read', 'never_read']);
  });

  it('is critical where the log no longer has what is next, and counts what nobody read', async () => {
    const log = new FakeLogAdmin().partition(0, 30, 40, NOW);
    const report = await lag(log, database(stored(0, 10)));
    expect(report).toMatchObject({ severity: 'critical', lag: 10, expired: 20, reason_codes: ['expired_in_kafka'] });
  });

  it('is critical where the log ends before what was read', async () => {
    const report = await lag(new FakeLogAdmin().partition(0, 0, 10, NOW), database(stored(0, 11)));
    expect(report).toMatchObject({ severity: 'critical', lag: 10, reason_codes: ['topic_recreated'] });
  });

  it('is critical where another message lies at the place of the last one taken', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW);
    const evidenceOf = (text: string) => lastTaken(logMessage(4, NOW + 4000, text));
    const same = await lag(log, database(stored(0, 5, { evidence: evidenceOf('message 4') })));
    expect(same).toMatchObject({ severity: 'ok', lag: 5 });
    const other = await lag(log, database(stored(0, 5, { evidence: evidenceOf('something else') })));
    expect(other).toMatchObject({ severity: 'critical', lag: 10, reason_codes: ['topic_recreated'] });
  });

  it('tells of a partition that the topic has no more', async () => {
    const report = await lag(new FakeLogAdmin().partition(0, 0, 1, NOW), database(stored(0, 1), stored(7, 3)));
    expect(report).toMatchObject({ severity: 'critical', reason_codes: ['partition_gone'] });
  });

  it('tells of such a partition no more once a writer has put it on record', async () => {
    const recorded = stored(7, 0, { epoch: 1 });
    const report = await lag(new FakeLogAdmin().partition(0, 0, 1, NOW), database(stored(0, 1), recorded));
    expect(report).toMatchObject({ severity: 'ok', reason_codes: [] });
  });

  it('has none where only offsets without a message are left', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW);
    log.limits.set(0, { start: 0, end: 12 });
    expect(await lag(log, database(stored(0, 10)))).toMatchObject({ lag: 0, oldest_unread: null });
  });

  it('is a warning and then critical above its bounds, by number and by age', async () => {
    const log = new FakeLogAdmin().partition(0, 0, 10, NOW - 100_000);
    const verdict = async (thresholds: Partial<LagThresholds>) => {
      const { severity, reason_codes } = await lag(log, database(stored(0, 0)), thresholds);
      return [severity, ...reason_codes];
    };
    expect(await verdict({ warnLag: 10, critLag: 10, warnAge: 100_000, critAge: 100_000 })).toEqual(['ok']);
    expect(await verdict({ warnLag: 9, critLag: 10 })).toEqual(['warning', 'lag']);
    expect(await verdict({ warnLag: 9, critLag: 9 })).toEqual(['critical', 'lag']);
    expect(await verdict({ warnAge: 99_999 })).toEqual(['warning', 'oldest_age']);
    expect(await verdict({ warnLag: 0, critAge: 0 })).toEqual(['critical', 'oldest_age', 'lag']);
  });
});
