/**
 * Which of the spool's tables a row belongs to, told by its shape alone: the schema may be what was destroyed.
 *
 * A sample is believed by its checksum and so is exactly what was written, but for its id, which the checksum does not
 * cover: that only orders it. Rows of the other tables have no checksum; they are believed if every column is one that this product could have written. What a wrong one of them can do is say
 * that samples are lost which are not: the writer then receives them, and received outranks a note.
 */
import { LOSS_REASONS, type LossReason } from '../sample/note.ts';
import { isIntact } from './checksum.ts';
import type { Value } from './record.ts';
import type { RunRow, SampleRow } from './store.ts';

export interface StoredNote {
  readonly id: number;
  readonly kind: 'lost' | 'run_ended';
  readonly run_id: Buffer;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly reason: LossReason | null;
  readonly exact: 0 | 1;
  readonly clean: 0 | 1 | null;
  readonly created_at: number;
}

export interface LossTotal {
  readonly reason: LossReason;
  readonly samples: number;
  readonly first_at: number;
  readonly last_at: number;
}

export type SpoolRow =
  | { readonly table: 'samples'; readonly row: SampleRow }
  | { readonly table: 'runs'; readonly row: RunRow }
  | { readonly table: 'notes'; readonly row: StoredNote }
  | { readonly table: 'losses'; readonly row: LossTotal }
  | { readonly table: 'state'; readonly row: { readonly key: string; readonly value: string } }
  /** AUTOINCREMENT's memory: the greatest id ever given to a row of the table. */
  | { readonly table: 'sqlite_sequence'; readonly row: { readonly name: string; readonly seq: number } };

/** Greater numbers are damage: at one sample a microsecond it is nine years. */
const LARGEST_NUMBER = 2 ** 48;

/** The latest time that is believed, ms since the epoch: the year 3000. */
const LATEST = Date.UTC(3000);

const HOSTNAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.:-]{0,254}$/u;
const BOOT_ID = /^[\w.-]{0,100}$/;
const STATE_KEY = /^[a-z][a-z_]{0,63}$/;

/** The row, or undefined if it is of no table of ours, or is not as it was written. */
export function recognise(rowid: number, values: readonly Value[]): SpoolRow | undefined {
  if (isRowid(rowid) && values[0] === null && values.length === 8) return sample(rowid, values);
  if (isRowid(rowid) && values[0] === null && values.length === 9) return note(rowid, values);
  if (values.length === 8) return run(values);
  if (values.length === 4) return lossTotal(values);
  return values.length === 2 ? pair(values) : undefined;
}

function sample(id: number, values: readonly Value[]): SpoolRow | undefined {
  const [, run_id, seq, event_id, taken_at, monotonic_at, crc, payload] = values;
  if (!isIntact({ run_id, seq, event_id, taken_at, monotonic_at, crc, payload })) return undefined;
  const row = { id, run_id, seq, event_id, taken_at, monotonic_at, crc, payload } as SampleRow;
  return { table: 'samples', row };
}

function run(values: readonly Value[]): SpoolRow | undefined {
  const [run_id, hostname, boot_id, started_at, interval_ms, last_seq, acked_seq, ended] = values;
  if (!isRunId(run_id) || !isText(hostname, HOSTNAME) || !isText(boot_id, BOOT_ID)) return undefined;
  if (!isTime(started_at) || !isCount(interval_ms) || !isCount(last_seq) || !isCount(acked_seq)) return undefined;
  if (acked_seq > last_seq || (ended !== null && ended !== 'clean' && ended !== 'unclean')) return undefined;
  const row = { run_id, hostname, boot_id, started_at, interval_ms, last_seq, acked_seq, ended } as RunRow;
  return { table: 'runs', row };
}

/** Whether a row of the table of notes, whenever it was written, is one that could have been written. */
export function isNote({ id, kind, run_id, first_seq, last_seq, reason, exact, clean }: StoredNote): boolean {
  return note(id, [null, kind, run_id, first_seq, last_seq, reason, exact, clean, 0]) !== undefined;
}

function note(id: number, values: readonly Value[]): SpoolRow | undefined {
  const [, kind, run_id, first_seq, last_seq, reason, exact, clean, created_at] = values;
  if (!isRunId(run_id) || !isCount(first_seq) || !isCount(last_seq) || first_seq > last_seq) return undefined;
  if ((exact !== 0 && exact !== 1) || !isTime(created_at)) return undefined;
  const isLost = kind === 'lost' && isReason(reason) && clean === null && first_seq >= 1;
  const isEnd = kind === 'run_ended' && reason === null && (clean === 0 || clean === 1);
  if (!isLost && !isEnd) return undefined;
  const row = { id, kind, run_id, first_seq, last_seq, reason, exact, clean, created_at } as StoredNote;
  return { table: 'notes', row };
}

function lossTotal(values: readonly Value[]): SpoolRow | undefined {
  const [reason, samples, first_at, last_at] = values;
  if (!isReason(reason) || !isCount(samples) || !isTime(first_at) || !isTime(last_at)) return undefined;
  return { table: 'losses', row: { reason, samples, first_at, last_at } };
}

function pair(values: readonly Value[]): SpoolRow | undefined {
  const [key, value] = values;
  if ((key === 'samples' || key === 'notes') && isCount(value)) {
    return { table: 'sqlite_sequence', row: { name: key, seq: value } };
  }
  if (!isText(key, STATE_KEY) || typeof value !== 'string' || value.includes('\uFFFD')) return undefined;
  return { table: 'state', row: { key, value } };
}

function isRowid(value: number): boolean {
  return value >= 1 && value < LARGEST_NUMBER;
}

function isCount(value: Value | undefined): value is number {
  return typeof value === 'number' && value >= 0 && value < LARGEST_NUMBER;
}

function isTime(value: Value | undefined): value is number {
  return isCount(value) && value < LATEST;
}

function isText(value: Value | undefined, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isReason(value: Value | undefined): value is LossReason {
  return LOSS_REASONS.some((reason) => reason === value);
}

/** A UUIDv7: version 7 in the seventh byte, variant 10 in the ninth. */
function isRunId(value: Value | undefined): value is Buffer {
  return value instanceof Buffer && value.length === 16 && (value[6] ?? 0) >> 4 === 7 && (value[8] ?? 0) >> 6 === 2;
}
