/**
 * Where the spool meets the machine: the database library, free space, the recovery of a damaged file, and the steps
 * between which a process may die. A test brings its own to be full, damaged, slow or dead at any of them.
 */
import { statfsSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { openSqlite, type SqliteDatabase, type SqliteOptions } from '../lib/sqlite.ts';
import { recoverSpool } from './recovery.ts';
import type { RunTail } from './tail.ts';

/** Moments at which the file, the tail or the memory has changed and the others have not yet. */
export type SpoolStep =
  | 'open:locked'
  | 'open:begun'
  | 'open:settled'
  | 'append:tail'
  | 'append:stored'
  | 'write:before-commit'
  | 'write:committed'
  | 'close:ended';

export interface FilesystemSpace {
  /** Bytes that this process may still take. */
  readonly free: number;
  readonly total: number;
}

/** What is known of a run beside the spool's file; see RunTail. */
export type KnownTail = Pick<RunTail, 'runId' | 'seq'> & Partial<Pick<RunTail, 'acked' | 'told'>>;

export interface RecoveryRequest {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly tail: KnownTail | undefined;
  /** The same of earlier runs. */
  readonly kept?: readonly KnownTail[];
}

export interface SpoolPorts {
  openDatabase(path: string, options?: SqliteOptions): SqliteDatabase;
  space(directory: string): FilesystemSpace;
  recover(request: RecoveryRequest): unknown;
  reached(step: SpoolStep): void;
}

export const systemPorts: SpoolPorts = {
  openDatabase: openSqlite,
  space(directory) {
    const { bavail, blocks, bsize } = statfsSync(directory);
    return { free: bavail * bsize, total: blocks * bsize };
  },
  recover: (request) => recoverSpool(request),
  reached() {},
};
