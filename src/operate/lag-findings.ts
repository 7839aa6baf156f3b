/** What is wrong with how far the writers are, and how much. */
import { formatDuration } from '../lib/units.ts';
import type { LagReport, PartitionLag } from './lag.ts';
import { critical, type Finding, warning } from './monitoring.ts';
import { ageInWords } from './status-findings.ts';

/** A bound of null is none. */
export interface LagThresholds {
  /** Messages that wait, over all partitions. */
  readonly warnLag: number | null;
  readonly critLag: number | null;
  /** Age of the oldest of them, ms. */
  readonly warnAge: number | null;
  readonly critAge: number | null;
}

type Facts = Omit<LagReport, 'severity' | 'reasons' | 'reason_codes'>;

export function lagFindings(facts: Facts, thresholds: LagThresholds): Finding[] {
  return [
    ...databaseOf(facts),
    ...facts.partitions.flatMap((partition) => stateOf(partition)),
    ...bound('lag', facts.lag, thresholds.warnLag, thresholds.critLag, (limit) => {
      return `${messages(facts.lag)} wait to be loaded (limit ${limit.toLocaleString('en-US')})`;
    }),
    ...bound('oldest_age', facts.oldest_unread_age_seconds * 1000, thresholds.warnAge, thresholds.critAge, (limit) => {
      const age = ageInWords(facts.oldest_unread_age_seconds * 1000);
      return `the oldest message has waited ${age} (limit ${formatDuration(limit)})`;
    }),
  ];
}

function databaseOf({ database_error }: Facts): Finding[] {
  if (database_error === null) return [];
  const sentence = `the database can't be asked, so these are Kafka's offsets, which may be behind: ${database_error.message}`;
  return [warning('database_unavailable', sentence)];
}

function stateOf({ partition, state, committed, log_start, log_end, lag, expired }: PartitionLag): Finding[] {
  switch (state) {
    case 'ok':
      return [];
    case 'never_read':
      return lag === 0 ? [] : [warning('never_read', `partition ${partition} was never read`)];
    case 'expired': {
      const what = `partition ${partition} is read up to ${committed} and its log begins at ${log_start}`;
      return [critical('expired_in_kafka', `${what}: ${messages(expired)} expired before they were loaded`)];
    }
    case 'recreated': {
      const what = `partition ${partition} is read up to ${committed} of another log than the one there now`;
      return [critical('topic_recreated', `${what}, which has ${log_start} to ${log_end}: the topic was made anew`)];
    }
    case 'gone':
      // A writer has put it on record.
      if (committed === 0) return [];
      return [critical('partition_gone', `partition ${partition}, read up to ${committed}, is not in the topic`)];
  }
}

function bound(
  code: string,
  value: number,
  warn: number | null,
  crit: number | null,
  sentence: (limit: number) => string,
): Finding[] {
  if (crit !== null && value > crit) return [critical(code, sentence(crit))];
  return warn !== null && value > warn ? [warning(code, sentence(warn))] : [];
}

function messages(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'message' : 'messages'}`;
}
