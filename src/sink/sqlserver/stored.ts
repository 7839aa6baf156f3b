/**
 * Rows of the database as the values of the port. BIGINT comes from the driver as text, DATETIME2 as a Date, BINARY as
 * a Buffer.
 */
import type { Account, Gap } from '../../accounts/account.ts';
import type { LogHole } from '../../accounts/advance.ts';
import { uuidFromBytes } from '../../sample/identity.ts';
import { readContacts } from '../contacts.ts';
import type { StoredOffset } from '../sink.ts';
import type { HostRecord } from '../sink-admin.ts';
import type { SqlRow } from './session.ts';

const time = (value: unknown) => (value as Date).getTime();
const timeOrNull = (value: unknown) => (value === null ? null : time(value));
const numberOrNull = (value: unknown) => (value === null ? null : Number(value));
const uuid = (value: unknown) => uuidFromBytes(value as Buffer);

export function storedOffset(row: SqlRow): StoredOffset {
  const { evidence_timestamp: timestamp, evidence_sha256: sha256 } = row;
  const hasEvidence = timestamp !== null && sha256 !== null;
  return {
    partition: Number(row.partition_id),
    epoch: Number(row.epoch),
    next: Number(row.next_offset),
    evidence: hasEvidence ? { timestamp: time(timestamp), sha256: sha256 as Buffer } : null,
    began_at: timeOrNull(row.began_at),
  };
}

export function storedHole(row: SqlRow): LogHole {
  return {
    partition: Number(row.partition_id),
    epoch: Number(row.epoch),
    first_offset: Number(row.first_offset),
    next_offset: numberOrNull(row.next_offset),
    reason: row.reason as LogHole['reason'],
    found_at: time(row.found_at),
  };
}

/** `gapRows`: of all the runs, by run and first_seq. */
export function storedAccounts(runRows: readonly SqlRow[], gapRows: readonly SqlRow[]): Map<string, Account> {
  const gaps = new Map<string, Gap[]>();
  for (const row of gapRows) {
    const run = uuid(row.run_id);
    const gap = {
      first_seq: Number(row.first_seq),
      last_seq: Number(row.last_seq),
      reason: row.reason as Gap['reason'],
    };
    const list = gaps.get(run);
    if (list === undefined) gaps.set(run, [gap]);
    else list.push(gap);
  }
  const accounts = new Map<string, Account>();
  for (const row of runRows) {
    const run_id = uuid(row.run_id);
    accounts.set(run_id, {
      run_id,
      hostname: row.hostname as string,
      first_seen: time(row.first_seen),
      last_seen: time(row.last_seen),
      last_seq: Number(row.last_seq),
      last_seq_by_partition: readContacts(row.last_seq_by_partition as string),
      ended: row.ended === null ? null : { clean: row.ended === 'clean' },
      uncertain: row.uncertain === true,
      gaps: gaps.get(run_id) ?? [],
      version: Number(row.version),
    });
  }
  return accounts;
}

export function storedVersions(rows: readonly SqlRow[]): Map<string, number> {
  return new Map(rows.map((row) => [uuid(row.run_id), Number(row.version)]));
}

export function storedHost(row: SqlRow): HostRecord {
  return {
    hostname: row.hostname as string,
    first_seen: timeOrNull(row.first_seen),
    last_seen: timeOrNull(row.last_seen),
    agent_version: row.agent_version as string | null,
    spool_depth: numberOrNull(row.spool_depth),
    spool_bytes: numberOrNull(row.spool_bytes),
    spool_oldest_age_seconds: numberOrNull(row.spool_oldest_age_seconds),
    samples: Number(row.samples),
    received: Number(row.received),
    lost: Number(row.lost),
    missing: Number(row.missing),
    retired_at: timeOrNull(row.retired_at),
  };
}
