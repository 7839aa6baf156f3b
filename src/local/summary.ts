/**
 * What a local run has brought into its database, read back by query through the views that a person would use. Opened
 * read-only, so it may run beside the agent.
 */
import { existsSync } from 'node:fs';
import { HostspoolError } from '../lib/errors.ts';
import { openSqlite, type SqliteDatabase } from '../lib/sqlite.ts';
import type { OptionalMetrics, RequiredMetrics } from '../sample/sample.ts';
import { sinkError } from '../sink/sqlite/errors.ts';

/** A row of vw_latest_by_host; optional fields are null where the sample had none. */
export type LatestRow = RequiredMetrics & { readonly [Name in keyof OptionalMetrics]: number | null } & {
  readonly hostname: string;
  /** UTC, `2026-05-01 12:00:00.123`. */
  readonly timestamp: string;
  readonly seq: number | null;
};

/** A row of vw_sample_accounting. `taken` is `received + lost + missing`. */
export interface AccountingRow {
  readonly hostname: string;
  /** 32 hexadecimal digits. */
  readonly run_id: string;
  readonly ended: 'clean' | 'unclean' | null;
  readonly taken: number;
  readonly received: number;
  readonly lost: number;
  readonly missing: number;
  readonly uncertain_tail: 0 | 1;
  readonly log_holes: number;
}

export interface LocalSummary {
  /** Newest sample of each host, by hostname. */
  readonly latest: readonly LatestRow[];
  /** Each run, the oldest first. */
  readonly accounting: readonly AccountingRow[];
  /** Rows in server_metrics. */
  readonly rows: number;
}

/** Throws DATABASE_MISSING, or what the sink would. */
export function readLatest(path: string): LocalSummary {
  if (!existsSync(path)) {
    throw new HostspoolError('DATABASE_MISSING', `there is no database at ${path}`, {
      hint: 'run hostspool --mode=local first, or name its database with --sqlite.path',
    });
  }
  let database: SqliteDatabase | undefined;
  try {
    database = openSqlite(path, { readonly: true });
    return database.transaction(query)(database);
  } catch (error) {
    throw sinkError(error, path);
  } finally {
    database?.close();
  }
}

function query(database: SqliteDatabase): LocalSummary {
  const latest = database.prepare<[], LatestRow>('SELECT * FROM vw_latest_by_host ORDER BY hostname');
  const accounting = database.prepare<[], AccountingRow>(
    'SELECT * FROM vw_sample_accounting ORDER BY first_seen, run_id',
  );
  const rows = database.prepare<[], number>('SELECT count(*) FROM server_metrics').pluck();
  return { latest: latest.all(), accounting: accounting.all(), rows: rows.get() ?? 0 };
}
