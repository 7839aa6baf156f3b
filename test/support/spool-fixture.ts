/** Spool files made row by row, for what only reads them: any runs, holes, states, in files as an agent leaves them. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqlite, type SqliteDatabase } from '../../src/lib/sqlite.ts';
import { uuidToBytes } from '../../src/sample/identity.ts';
import { type SpoolFiles, spoolFiles } from '../../src/spool/files.ts';
import { migrate, prepareEmpty } from '../../src/spool/schema.ts';

/** A UUIDv7 that is easy to recognize: the n-th run of a test. */
export function runIdOf(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

export interface FixtureSamples {
  /** Number of the run. */
  readonly run: number;
  readonly first: number;
  readonly last: number;
  /** Wall clock of the first one, ms; the others follow by the interval. */
  readonly takenAt?: number;
  readonly monotonicAt?: number;
  readonly interval?: number;
  /** Bytes of a payload. */
  readonly payload?: number;
}

export interface FixtureRun {
  readonly run: number;
  readonly bootId?: string;
  readonly startedAt?: number;
  readonly interval?: number;
  readonly lastSeq?: number;
  readonly ended?: 'clean' | 'unclean' | null;
}

export const FIXTURE_AGENT = {
  hostname: 'web-01',
  pid: 4242,
  version: '1.2.3',
  max_bytes: 512 * 1024 * 1024,
  max_age_ms: 7 * 86_400_000,
  interval_ms: 5000,
};

export class SpoolFixture {
  readonly directory: string;
  readonly files: SpoolFiles;
  readonly database: SqliteDatabase;

  private constructor(directory: string) {
    this.directory = directory;
    this.files = spoolFiles(join(directory, 'spool.db'));
    this.database = openSqlite(this.files.database, { busyTimeout: 0 });
    prepareEmpty(this.database);
    migrate(this.database);
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = off');
  }

  static make(): SpoolFixture {
    const directory = mkdtempSync(join(tmpdir(), 'hostspool-fixture-'));
    // Tests as another user must get there.
    chmodSync(directory, 0o755);
    return new SpoolFixture(directory);
  }

  get path(): string {
    return this.files.database;
  }

  run({ run, bootId, startedAt, interval, lastSeq, ended }: FixtureRun): this {
    this.database
      .prepare('INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 0, ?)')
      .run(
        uuidToBytes(runIdOf(run)),
        'web-01',
        bootId ?? 'boot-1',
        startedAt ?? 0,
        interval ?? 5000,
        lastSeq ?? 0,
        ended ?? null,
      );
    return this;
  }

  samples({ run, first, last, takenAt = 0, monotonicAt = 0, interval = 5000, payload = 600 }: FixtureSamples): this {
    const insert = this.database.prepare(
      'INSERT INTO samples (run_id, seq, event_id, taken_at, monotonic_at, crc, payload) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    const runId = uuidToBytes(runIdOf(run));
    const text = 'x'.repeat(payload);
    this.database.transaction(() => {
      for (let seq = first; seq <= last; seq++) {
        const after = (seq - first) * interval;
        insert.run(runId, seq, runId, takenAt + after, monotonicAt + after, 4_000_000_000, text);
      }
    })();
    return this;
  }

  state(key: string, value: unknown): this {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?)').run(key, text);
    return this;
  }

  loss(reason: string, samples: number, firstAt: number, lastAt: number): this {
    this.database.prepare('INSERT INTO losses VALUES (?, ?, ?, ?)').run(reason, samples, firstAt, lastAt);
    return this;
  }

  /** Closes it as an agent that stops in order: no log is left. */
  stop(): this {
    this.database.close();
    return this;
  }

  remove(): void {
    this.database.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
