/** The database of a storm: where the writers load, what can go wrong with it, and what it holds in the end. */
import type { DatabaseCopy, GapRow } from './evidence.ts';
import type { Fault } from './fault.ts';

/** Those that there are, by the names given at the command line. `mssql`: the server of HOSTSPOOL_TEST_MSSQL. */
export const DATABASES = ['tds', 'sqlite', 'mssql'] as const;
export type DatabaseName = (typeof DATABASES)[number];

export interface LogPlace {
  readonly group: string;
  readonly topic: string;
}

export interface StormDatabase extends AsyncDisposable {
  /** For the report. */
  readonly name: string;
  readonly faults: readonly Fault[];
  /** Arguments and environment of the writer, from 0. */
  settings(writer: number): { readonly args: readonly string[]; readonly env?: NodeJS.ProcessEnv };
  /** Everything works again. */
  heal(): Promise<void>;
  /** Partition to the offset up to which it is loaded. */
  offsets(place: LogPlace): Promise<ReadonlyMap<number, number>>;
  /** A copy of its tables, read past the product. */
  copy(place: LogPlace): Promise<DatabaseCopy>;
  /** What the harness' own server says went wrong with it. */
  findings(): Promise<readonly string[]>;
}

/** The canonical writing of a UUID given as 32 hexadecimal digits; null stays null. */
export function uuidOf(hex: string): string;
export function uuidOf(hex: string | null): string | null;
export function uuidOf(hex: string | null): string | null {
  if (hex === null) return null;
  const digits = hex.toLowerCase().replaceAll('-', '');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Columns of vw_sample_accounting that count losses: `lost_crash` is the reason `crash`. */
export function reasonsOf(row: Readonly<Record<string, unknown>>): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const [column, value] of Object.entries(row)) {
    if (column.startsWith('lost_') && Number(value) !== 0) reasons[column.slice('lost_'.length)] = Number(value);
  }
  return reasons;
}

/** A row of seq_gaps whose run_id is hexadecimal. */
export function gapOf(row: Readonly<Record<string, unknown>>): GapRow {
  return {
    run_id: uuidOf(String(row.run_id)),
    first_seq: Number(row.first_seq),
    last_seq: Number(row.last_seq),
    reason: row.reason === null ? null : String(row.reason),
  };
}
