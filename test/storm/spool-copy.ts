/** What lies in the spool of a dead agent, read from a copy past the product; and ways to damage the original. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { uuidOf } from './database.ts';
import type { Random } from './random.ts';

export interface SpoolContents {
  /** Samples that lie in it, and samples that a note in it tells of. */
  readonly numbers: readonly { readonly run_id: string; readonly seq: number }[];
  /** Every run that it knows anything of. */
  readonly runs: readonly string[];
}

/** What lies in the spool of a dead agent. */
export function contentsAtRest(spool: string, scratch: string): SpoolContents {
  const directory = mkdtempSync(join(scratch, 'spool-copy-'));
  try {
    const copy = join(directory, 'spool.db');
    for (const suffix of ['', '-wal']) {
      if (existsSync(`${spool}${suffix}`)) copyFileSync(`${spool}${suffix}`, `${copy}${suffix}`);
    }
    return read(copy, {});
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What lies in a spool now, its agent running or not; nothing where it cannot be read at this moment. */
export function contentsInUse(spool: string): SpoolContents {
  return read(spool, { readonly: true, fileMustExist: true });
}

function read(path: string, options: Database.Options): SpoolContents {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, options);
    const all = <Row>(sql: string) => (database as Database.Database).prepare<[], Row>(sql).all();
    const samples = all<{ run_id: string; seq: number }>('SELECT hex(run_id) AS run_id, seq FROM samples');
    const notes = all<{ run_id: string; first_seq: number; last_seq: number }>(
      'SELECT hex(run_id) AS run_id, first_seq, last_seq FROM notes',
    );
    const runs = all<{ run_id: string }>('SELECT hex(run_id) AS run_id FROM runs');
    const noted = notes.flatMap(({ run_id, first_seq, last_seq }) =>
      Array.from({ length: last_seq - first_seq + 1 }, (_, index) => ({ run_id, seq: first_seq + index })),
    );
    return {
      numbers: [...samples, ...noted].map(({ run_id, seq }) => ({ run_id: uuidOf(run_id), seq })),
      runs: runs.map(({ run_id }) => uuidOf(run_id)),
    };
  } catch {
    return { numbers: [], runs: [] };
  } finally {
    database?.close();
  }
}

/** Damages one of the spool's files; answers what it did. */
export function damage(spool: string, random: Random): string {
  const files = [spool, `${spool}-wal`].filter((file) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0);
  if (files.length === 0) return 'nothing: there is no spool';
  const file = random.pick(files);
  const name = file === spool ? 'the file' : 'its log';
  const { size } = statSync(file);
  const kind = random.pick(['bits', 'bits', 'sector', 'truncated'] as const);
  if (kind === 'truncated') {
    const left = random.chance(0.2) ? 0 : random.integer(0, size - 1);
    truncateSync(file, left);
    return `${name} truncated from ${size} to ${left} bytes`;
  }
  if (kind === 'sector') {
    const at = random.integer(0, Math.floor((size - 1) / 512)) * 512;
    change(file, at, Math.min(512, size - at), () => random.integer(0, 255));
    return `a sector of ${name} overwritten at ${at} of ${size}`;
  }
  const bits = random.integer(1, 20);
  for (let bit = 0; bit < bits; bit++) {
    change(file, random.integer(0, size - 1), 1, (byte) => byte ^ (1 << random.integer(0, 7)));
  }
  return `${bits} bits of ${name} flipped, of ${size} bytes`;
}

function change(file: string, at: number, length: number, alter: (byte: number) => number): void {
  const descriptor = openSync(file, 'r+');
  try {
    const bytes = Buffer.alloc(length);
    readSync(descriptor, bytes, 0, length, at);
    writeSync(descriptor, bytes.map(alter), 0, length, at);
  } finally {
    closeSync(descriptor);
  }
}
