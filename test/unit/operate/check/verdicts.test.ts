/** What values come to, without a server. */
import { describe, expect, it } from 'vitest';
import { timeLeft } from '../../../../src/operate/check/certificate-time.ts';
import type { Outcome } from '../../../../src/operate/check/check.ts';
import { judgeClock } from '../../../../src/operate/check/clock.ts';
import { filesystemKind } from '../../../../src/operate/check/filesystem-kinds.ts';
import { judgeSpace } from '../../../../src/operate/check/spool.ts';
import {
  judgePolicy,
  judgeReplicas,
  judgeRetention,
  judgeSize,
  judgeTime,
} from '../../../../src/operate/check/topic-settings.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);

const verdict = ({ state, code }: Outcome) => [state, code];
const FINE = ['ok', null];

describe('the clock', () => {
  it('that was never set has failed', () => {
    expect(verdict(judgeClock(0, null))).toEqual(['failed', 'CLOCK_WRONG']);
    expect(verdict(judgeClock(Date.UTC(2150, 0, 1), null))).toEqual(['failed', 'CLOCK_WRONG']);
    expect(verdict(judgeClock(NOW, null))).toEqual(FINE);
  });

  it('behind the newest sample was set back', () => {
    const back = judgeClock(NOW, NOW + 3 * 3_600_000);
    expect(verdict(back)).toEqual(['warning', 'CLOCK_WENT_BACK']);
    expect(back.finding).toContain('3 h from now');
    expect(verdict(judgeClock(NOW, NOW + 4000))).toEqual(FINE);
    expect(verdict(judgeClock(NOW, NOW - DAY))).toEqual(FINE);
  });
});

describe('the space of the spool', () => {
  const space = { free: 100 * GiB, size: 200 * GiB, least: GiB, taken: 0, most: 512 * MiB };

  it('is enough, is below min_free, is soon, or is gone', () => {
    expect(verdict(judgeSpace(space))).toEqual(FINE);
    expect(verdict(judgeSpace({ ...space, free: 4 * MiB }))).toEqual(['failed', 'SPOOL_DISK_FULL']);
    const low = judgeSpace({ ...space, free: 900 * MiB });
    expect(verdict(low)).toEqual(['warning', 'SPOOL_LOW_SPACE']);
    expect(low.finding).toContain('less than spool.min_free, 1GiB');
    const soon = judgeSpace({ ...space, free: 1.2 * GiB });
    expect(verdict(soon)).toEqual(['warning', 'SPOOL_LOW_SPACE']);
    expect(soon.finding).toContain('before spool.max_bytes, 512MiB');
  });

  it('counts what the spool has taken already', () => {
    expect(verdict(judgeSpace({ ...space, free: 1.2 * GiB, taken: 400 * MiB }))).toEqual(FINE);
  });

  it('is on a filesystem by its number, however the system signs it', () => {
    expect(filesystemKind(0x01021994)).toEqual({ name: 'tmpfs', trouble: 'memory' });
    expect(filesystemKind(0x6969)).toEqual({ name: 'nfs', trouble: 'network' });
    expect(filesystemKind(0xff534d42 | 0)).toEqual({ name: 'cifs', trouble: 'network' });
    expect(filesystemKind(0xef53).trouble).toBe(null);
    expect(filesystemKind(0x1234)).toEqual({ name: 'a filesystem of the type 0x1234', trouble: null });
  });
});

describe('a certificate', () => {
  const left = (from: number, to: number) => timeLeft({ validFrom: NOW + from * DAY, validTo: NOW + to * DAY }, NOW);

  it('is to be renewed in its last two weeks, or in the last third of a shorter life', () => {
    expect(left(-300, 65)).toMatchObject({ isSoon: false, words: 'until 2026-08-05 (65 days)' });
    expect(left(-352, 13).isSoon).toBe(true);
    expect(left(-0.5, 0.5).isSoon).toBe(false);
    expect(left(-0.8, 0.2).isSoon).toBe(true);
  });
});

describe('the topic', () => {
  const settings = (given: Record<string, string> = {}) => new Map(Object.entries(given));
  const partition = (replicas: number, inSync = replicas) => ({
    partition: 0,
    leader: 1,
    replicas: Array.from({ length: replicas }, (_, id) => id),
    inSync: Array.from({ length: inSync }, (_, id) => id),
  });

  it('must not compact', () => {
    expect(verdict(judgePolicy(settings({ 'cleanup.policy': 'delete' })))).toEqual(FINE);
    for (const policy of ['compact', 'delete,compact']) {
      expect(verdict(judgePolicy(settings({ 'cleanup.policy': policy })))).toEqual(['failed', 'KAFKA_TOPIC_COMPACTED']);
    }
  });

  it('keeps samples for long enough', () => {
    expect(verdict(judgeRetention(settings({ 'retention.ms': '-1' })))).toEqual(FINE);
    expect(verdict(judgeRetention(settings({ 'retention.ms': String(7 * DAY) })))).toEqual(FINE);
    const soon = ['warning', 'KAFKA_TOPIC_RETENTION'];
    expect(verdict(judgeRetention(settings({ 'retention.ms': '3600000' })))).toEqual(soon);
    expect(verdict(judgeRetention(settings({ 'retention.bytes': String(GiB) })))).toEqual(soon);
  });

  it('takes a sample, and a batch', () => {
    const size = (bytes: number, details = false) =>
      verdict(judgeSize(settings({ 'max.message.bytes': String(bytes) }), 900 * 1024, details));
    expect(size(MiB)).toEqual(FINE);
    expect(size(100_000)).toEqual(['warning', 'KAFKA_MESSAGE_TOO_LARGE']);
    expect(size(2000)).toEqual(['failed', 'KAFKA_MESSAGE_TOO_LARGE']);
    expect(size(20_000, true)).toEqual(['failed', 'KAFKA_MESSAGE_TOO_LARGE']);
  });

  it('goes by the brokers’ clocks', () => {
    expect(verdict(judgeTime(settings({ 'message.timestamp.type': 'LogAppendTime' })))).toEqual(FINE);
    expect(verdict(judgeTime(settings()))).toEqual(['warning', 'KAFKA_TOPIC_TIME']);
  });

  it('is on more than one disk, and takes something at all', () => {
    const least = (count: number, more = {}) => settings({ 'min.insync.replicas': String(count), ...more });
    const doubtful = ['warning', 'KAFKA_TOPIC_REPLICAS'];
    expect(verdict(judgeReplicas([partition(3)], least(2)))).toEqual(FINE);
    expect(verdict(judgeReplicas([partition(3), partition(3, 1)], least(2)))).toEqual([
      'failed',
      'KAFKA_NOT_ENOUGH_REPLICAS',
    ]);
    expect(verdict(judgeReplicas([partition(1)], least(1)))).toEqual(doubtful);
    expect(verdict(judgeReplicas([partition(3)], least(1)))).toEqual(doubtful);
    expect(verdict(judgeReplicas([partition(2)], least(2)))).toEqual(doubtful);
    const unclean = { 'unclean.leader.election.enable': 'true' };
    expect(verdict(judgeReplicas([partition(3)], least(2, unclean)))).toEqual(doubtful);
  });
});
