/**
 * A spool in a directory of its own, over a clock and ports that the test owns: it can be full, read-only or damaged,
 * and the process can die at any of its steps. What is in the file is read by a second connection, as a stranger would.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogFields, silentLog } from '../../src/lib/log.ts';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { uuidFromBytes } from '../../src/sample/identity.ts';
import type { Note } from '../../src/sample/note.ts';
import type { SampleIdentity } from '../../src/sample/sample.ts';
import { spoolFiles } from '../../src/spool/files.ts';
import { type FilesystemSpace, type SpoolPorts, type SpoolStep, systemPorts } from '../../src/spool/ports.ts';
import { Spool, type SpoolOptions } from '../../src/spool/spool.ts';
import { FakeClock } from './fake-clock.ts';

const MiB = 1024 * 1024;

/** More than any spool of a test holds. */
export const ALL = { samples: 100_000, bytes: 1e9 };

/** What a process that was killed throws: nothing catches it but the test. */
export class Died extends Error {}

/** An error as SQLite or the system gives it. */
export function faultWith(code: string): Error {
  return Object.assign(new Error(`injected ${code}`), { code });
}

export class TestPorts implements SpoolPorts {
  space_: FilesystemSpace = { free: 100_000 * MiB, total: 200_000 * MiB };
  /** Called at every step; throws to die or to fail there. */
  at: (step: SpoolStep) => void = () => {};

  openDatabase: SpoolPorts['openDatabase'] = (path, options) => systemPorts.openDatabase(path, options);
  recover: SpoolPorts['recover'] = (request) => systemPorts.recover(request);

  space: SpoolPorts['space'] = () => this.space_;

  reached(step: SpoolStep): void {
    this.at(step);
  }
}

export interface StoredSample extends SampleIdentity {
  readonly id: number;
  readonly payload: string;
}

export interface LoggedLine extends LogFields {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
}

export class LiveSpool {
  readonly directory = mkdtempSync(join(tmpdir(), 'spool-test-'));
  readonly clock = new FakeClock();
  readonly ports = new TestPorts();
  readonly logged: LoggedLine[] = [];
  readonly #opened: Spool[] = [];
  #path = join(this.directory, 'spool.db');

  /** Of the spool that was opened last. */
  get path(): string {
    return this.#path;
  }

  options(changes: Partial<SpoolOptions> = {}): SpoolOptions {
    const line = (level: LoggedLine['level']) => (fields: LogFields) => void this.logged.push({ ...fields, level });
    return {
      path: this.path,
      maxBytes: 64 * MiB,
      maxAge: 86_400_000,
      minFree: { bytes: 0 },
      synchronous: 'normal',
      hostname: 'host-1',
      interval: 1000,
      version: '0.0.0',
      purpose: 'agent',
      clock: this.clock,
      log: { ...silentLog, debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
      ports: this.ports,
      ...changes,
    };
  }

  open(changes: Partial<SpoolOptions> = {}): Spool {
    const options = this.options(changes);
    this.#path = options.path;
    const spool = Spool.open(options);
    this.#opened.push(spool);
    return spool;
  }

  /** What an outsider finds in the samples table, in order. */
  stored(): StoredSample[] {
    return this.query<{ id: number; run_id: Buffer; seq: number; event_id: Buffer; payload: string }>(
      'SELECT id, run_id, seq, event_id, payload FROM samples ORDER BY id',
    ).map((row) => ({ ...row, run_id: uuidFromBytes(row.run_id), event_id: uuidFromBytes(row.event_id) }));
  }

  seqs(): number[] {
    return this.stored().map(({ seq }) => seq);
  }

  losses(): Record<string, number> {
    const rows = this.query<{ reason: string; samples: number }>('SELECT reason, samples FROM losses');
    return Object.fromEntries(rows.map(({ reason, samples }) => [reason, samples]));
  }

  query<Row>(sql: string): Row[] {
    const database = openSqlite(this.path, { readonly: true });
    try {
      return database.prepare<[], Row>(sql).all();
    } finally {
      database.close();
    }
  }

  /** Changes the file behind the spool's back. */
  tamper(sql: string, ...values: unknown[]): void {
    const database = openSqlite(this.path);
    try {
      database.prepare(sql).run(...values);
    } finally {
      database.close();
    }
  }

  /** From now on a sample's column takes values of any type, as one of a damaged file may have them. */
  loosen(): void {
    const database = openSqlite(this.path);
    try {
      database.exec(`
        ALTER TABLE samples RENAME TO strict;
        CREATE TABLE samples (
          id INTEGER PRIMARY KEY AUTOINCREMENT, run_id, seq, event_id, taken_at, monotonic_at, crc, payload
        );
        INSERT INTO samples SELECT * FROM strict;
        DROP TABLE strict;
      `);
    } finally {
      database.close();
    }
  }

  events(level?: LoggedLine['level']): string[] {
    return this.logged.filter((line) => level === undefined || line.level === level).map((line) => line.event);
  }

  /** What a death would leave of the spool, in a directory of its own; answers its path there. */
  leftByDeath(): string {
    const left = spoolFiles(join(mkdtempSync(join(this.directory, 'left-')), 'spool.db'));
    const { database, wal, tail } = spoolFiles(this.path);
    for (const [from, to] of [
      [database, left.database],
      [wal, left.wal],
      [tail, left.tail],
    ] as const) {
      if (existsSync(from)) copyFileSync(from, to);
    }
    return left.database;
  }

  /** As if all its processes had died. */
  closeAll(): void {
    for (const spool of this.#opened) spool.close(false);
  }

  remove(): void {
    this.closeAll();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Appends that many samples; answers their identities. */
export function appendSamples(spool: Spool, count: number, payload = '{"hostname":"host-1"}'): SampleIdentity[] {
  return Array.from({ length: count }, () => {
    const identity = spool.identify();
    spool.append(identity, 1_767_225_600_000 + identity.seq, payload);
    return identity;
  });
}

export function notesOf(spool: Spool): Note[] {
  return spool.notes(1000).map(({ note }) => note);
}
