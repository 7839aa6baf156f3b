import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { type Log, type LogFields, silentLog } from '../../../src/lib/log.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { LocalLoader } from '../../../src/local/local-loader.ts';
import { readLatest } from '../../../src/local/summary.ts';
import type { Load, LoadOutcome, Sink } from '../../../src/sink/sink.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import { systemPorts } from '../../../src/spool/ports.ts';
import { Spool, type SpoolOptions } from '../../../src/spool/spool.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MiB = 1024 * 1024;
const clock = new SystemClock();

let directory: string;
let database: string;
let spool: Spool;
let sink: SqliteSink;
let logged: LogFields[];
const log: Log = {
  ...silentLog,
  warn: (fields) => logged.push(fields),
  error: (fields) => logged.push(fields),
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'local-'));
  database = join(directory, 'metrics.db');
  logged = [];
  spool = openSpool();
  sink = SqliteSink.open({ path: database, busyTimeout: 5 });
});

afterEach(async () => {
  spool.close(false);
  await sink.close();
  rmSync(directory, { recursive: true });
});

function openSpool(changes: Partial<SpoolOptions> = {}): Spool {
  return Spool.open({
    path: join(directory, 'spool.db'),
    maxBytes: 64 * MiB,
    maxAge: 7 * 86_400_000,
    minFree: { bytes: 0 },
    synchronous: 'normal',
    hostname: 'web-1',
    interval: 1000,
    version: '1.0.0',
    purpose: 'agent',
    clock,
    log: silentLog,
    ...changes,
  });
}

function take(samples = 1, payload?: string): void {
  for (let taken = 0; taken < samples; taken++) {
    const identity = spool.identify();
    const at = clock.now();
    const sample = {
      hostname: 'web-1',
      timestamp: new Date(at).toISOString(),
      cpu_percent: 1,
      memory_percent: 2,
      memory_used_mb: 3,
      memory_total_mb: 4,
      disk_percent: 5,
      disk_used_gb: 6,
      disk_total_gb: 7,
      network_bytes_sent: 8,
      network_bytes_recv: 9,
      ...identity,
    };
    expect(spool.append(identity, at, payload ?? JSON.stringify(sample))).toBe(true);
  }
}

/** Loses a sample between its identity and the disk, as a death of the process would. */
function skip(): void {
  spool.identify();
}

function loaderOf(port: Sink = sink, batchSamples = 500): LocalLoader {
  return new LocalLoader({ spool, sink: port, backoff: { base: 1, cap: 5 }, batchSamples, clock, log });
}

/** Waits for what has to come, however slow the machine. */
function eventually(assertion: () => void): Promise<void> {
  return vi.waitFor(assertion, { timeout: 30_000, interval: 5 });
}

/** Runs the loader until it has emptied the spool, or an attempt failed. */
async function drainOnce(loader: LocalLoader): Promise<void> {
  const stop = new AbortController();
  const running = loader.run(stop.signal);
  await loader.drain(30_000);
  stop.abort();
  await running;
}

function sinkThat(load: (given: Load) => Promise<LoadOutcome>): Sink {
  return {
    load,
    readOffsets: (reader, partitions) => sink.readOffsets(reader, partitions),
    readAccounts: (runs) => sink.readAccounts(runs),
    readUnexplained: () => sink.readUnexplained(),
    readHoles: (reader) => sink.readHoles(reader),
    close: () => sink.close(),
  };
}

const sums = () => {
  const { accounting, rows } = readLatest(database);
  const sum = (key: 'taken' | 'received' | 'lost' | 'missing') =>
    accounting.reduce((total, run) => total + run[key], 0);
  return { rows, taken: sum('taken'), received: sum('received'), lost: sum('lost'), missing: sum('missing') };
};

describe('local mode’s loader', () => {
  it('loads what is in the spool, then what is appended, and leaves nothing behind', async () => {
    const loader = loaderOf();
    const stop = new AbortController();
    take(3);
    const running = loader.run(stop.signal);
    await eventually(() => expect(loader.loaded).toBe(3));
    take(1);
    loader.wake();
    await eventually(() => expect(loader.loaded).toBe(4));
    expect(spool.depth).toBe(0);
    stop.abort();
    await running;
    expect(loader).toMatchObject({ duplicates: 0, failures: 0 });
    expect(sums()).toEqual({ rows: 4, taken: 4, received: 4, lost: 0, missing: 0 });
    expect(readLatest(database).latest).toMatchObject([{ hostname: 'web-1', seq: 4, cpu_percent: 1 }]);
    expect(spool.shipping()).toMatchObject({ state: 'stopped', shipped_total: 4, failures: 0, last_error: null });
  });

  it('loses nothing that waits for more to be loaded with it, on a disk that is low', async () => {
    spool.close(true);
    const ports = { ...systemPorts, space: () => ({ free: 500 * MiB, total: 10_000 * MiB }) };
    spool = openSpool({ minFree: { bytes: 1000 * MiB }, ports });
    const owned = new FakeClock();
    const options = { spool, sink, backoff: { base: 1, cap: 5 }, batchSamples: 500, clock: owned, log };
    const loader = new LocalLoader(options);
    const stop = new AbortController();
    const running = loader.run(stop.signal);
    take();
    loader.wake();
    await eventually(() => expect(loader.loads).toBe(1));
    take(5);
    await owned.advance(1000);
    await eventually(() => expect(loader.loads).toBe(2));
    expect(Object.fromEntries(spool.losses())).toEqual({});
    stop.abort();
    await running;
  });

  it('loads a backlog in few loads', async () => {
    take(300);
    const loader = loaderOf(sink, 20);
    await drainOnce(loader);
    expect(loader.loaded).toBe(300);
    expect(loader.loads).toBeLessThan(10);
  });

  it('has no row twice when it died after the load and before the acknowledgement', async () => {
    take(5);
    const dying = sinkThat(async (load) => {
      await sink.load(load);
      throw new HostspoolError('SINK_UNAVAILABLE', 'the answer was lost', { retryable: true });
    });
    await drainOnce(loaderOf(dying));
    expect(spool.depth).toBe(5);
    spool.close(false);
    spool = openSpool();
    take(2);
    const loader = loaderOf();
    await drainOnce(loader);
    expect(loader).toMatchObject({ loaded: 2, duplicates: 5 });
    expect(spool.depth).toBe(0);
    expect(sums()).toEqual({ rows: 7, taken: 7, received: 7, lost: 0, missing: 0 });
  });

  it('resolves a lost answer by itself, from the offset that the database has', async () => {
    take(5);
    let lose = true;
    const forgetful = sinkThat(async (load) => {
      const outcome = await sink.load(load);
      if (!lose) return outcome;
      lose = false;
      throw new HostspoolError('SINK_UNAVAILABLE', 'the answer was lost', { retryable: true });
    });
    const loader = loaderOf(forgetful);
    const stop = new AbortController();
    const running = loader.run(stop.signal);
    await eventually(() => expect(spool.depth).toBe(0));
    stop.abort();
    await running;
    expect(loader).toMatchObject({ loaded: 0, duplicates: 5, failures: 1 });
    expect(sums()).toMatchObject({ rows: 5, received: 5, missing: 0 });
  });

  it('loads new samples that a restored spool brings under row ids that were loaded before', async () => {
    take(5);
    await drainOnce(loaderOf());
    const writable = openSqlite(database);
    writable.exec('UPDATE consumer_offsets SET next_offset = next_offset + 1000');
    writable.close();
    take(3);
    const loader = loaderOf();
    await drainOnce(loader);
    expect(loader.loaded).toBe(3);
    expect(sums()).toMatchObject({ rows: 8, taken: 8, missing: 0 });
  });

  it('brings the spool’s notes along, so that a loss is on record and the end of a run is known', async () => {
    take(2);
    skip();
    take(1);
    spool.close(true);
    spool = openSpool();
    take(1);
    await drainOnce(loaderOf());
    expect(sums()).toEqual({ rows: 4, taken: 5, received: 4, lost: 1, missing: 0 });
    expect(readLatest(database).accounting).toMatchObject([
      { taken: 4, received: 3, lost: 1, ended: 'clean', lost_spool_unwritable: 1 },
      { taken: 1, received: 1, lost: 0, ended: null },
    ]);
    expect(spool.notes(10)).toEqual([]);
  });

  it('keeps samples and notes while the database is away, says so, and goes on by itself', async () => {
    const holder = openSqlite(database);
    holder.exec('BEGIN IMMEDIATE');
    take(2);
    const loader = loaderOf();
    const stop = new AbortController();
    const running = loader.run(stop.signal);
    await eventually(() => expect(loader.failures).toBeGreaterThan(1));
    expect(spool.shipping()).toMatchObject({ state: 'backing_off' });
    expect(spool.shipping().last_error).toMatch(/^SINK_LOCKED: /);
    expect(spool.depth).toBe(2);
    holder.exec('ROLLBACK');
    holder.close();
    await eventually(() => expect(spool.depth).toBe(0));
    stop.abort();
    await running;
    expect(sums()).toMatchObject({ rows: 2, missing: 0 });
    expect(logged.map(({ event }) => event)).toContain('load_failed');
  });

  it('reads offsets and accounts again when another process wrote them', async () => {
    take(1);
    const loader = loaderOf();
    const stop = new AbortController();
    const running = loader.run(stop.signal);
    await eventually(() => expect(loader.loaded).toBe(1));
    const writable = openSqlite(database);
    writable.exec(
      'UPDATE consumer_offsets SET epoch = epoch + 0, next_offset = next_offset + 1; UPDATE runs SET version = 9',
    );
    writable.close();
    take(1);
    loader.wake();
    await eventually(() => expect(loader.loaded).toBe(2));
    stop.abort();
    await running;
    expect(logged.map(({ event, outcome }) => [event, outcome])).toEqual([['load_contended', 'fenced']]);
    expect(sums()).toMatchObject({ rows: 2, received: 2, missing: 0 });
  });

  it('counts as failed when somebody else writes again and again', async () => {
    take(1);
    const stop = new AbortController();
    const loader = loaderOf(sinkThat(async () => ({ kind: 'stale', runs: [] })));
    const running = loader.run(stop.signal);
    await eventually(() => expect(loader.failures).toBeGreaterThan(0));
    stop.abort();
    await running;
    expect(spool.shipping().last_error).toMatch(/^LOCAL_CONTENDED/);
    expect(spool.depth).toBe(1);
  });

  it('accounts for a sample that cannot be read as a dead letter and logs it whole', async () => {
    take(1);
    take(1, '{"hostname":"web-1"}');
    take(1);
    const loader = loaderOf();
    await drainOnce(loader);
    expect(loader).toMatchObject({ loaded: 2, failures: 1 });
    expect(sums()).toEqual({ rows: 2, taken: 3, received: 2, lost: 1, missing: 0 });
    expect(readLatest(database).accounting).toMatchObject([{ lost_dead_letter: 1 }]);
    expect(logged).toMatchObject([{ event: 'sample_undecodable', seq: 2, payload: '{"hostname":"web-1"}' }]);
  });

  it('gives up a drain that the database does not let through, and keeps the samples', async () => {
    const holder = openSqlite(database);
    holder.exec('BEGIN IMMEDIATE');
    take(3);
    await drainOnce(loaderOf());
    expect(spool.depth).toBe(3);
    holder.close();
  });

  it('ends a drain at its deadline when a load never answers', async () => {
    take(1);
    const loader = loaderOf(sinkThat(() => new Promise(() => undefined)));
    void loader.run(new AbortController().signal);
    await loader.drain(1);
    expect(spool.depth).toBe(1);
  });
});

describe('a database that is displaced under the loader', () => {
  const away = () => join(directory, 'elsewhere.db');
  const rowsIn = (path: string): number[] => {
    const opened = openSqlite(path, { readonly: true });
    try {
      return opened.prepare<[], number>('SELECT seq FROM server_metrics ORDER BY seq').pluck().all();
    } finally {
      opened.close();
    }
  };

  /** Loads two samples, does it, takes two more, and waits until the spool is empty again. */
  async function across(displace: () => void): Promise<LocalLoader> {
    await sink.close();
    sink = SqliteSink.open({ path: database, busyTimeout: 5, log });
    const loader = loaderOf();
    const stop = new AbortController();
    take(2);
    const running = loader.run(stop.signal);
    await eventually(() => expect(loader.loaded).toBe(2));
    displace();
    take(2);
    loader.wake();
    await eventually(() => expect(spool.depth).toBe(0));
    stop.abort();
    await running;
    return loader;
  }

  it('by a rename is found in order under its new name, and loading goes on into a new one', async () => {
    await across(() => renameSync(database, away()));
    expect(rowsIn(away())).toEqual([1, 2]);
    expect(rowsIn(database)).toEqual([3, 4]);
    expect(logged).toMatchObject([{ event: 'database_displaced' }, { event: 'load_failed' }]);
    expect(logged[1]?.err).toMatchObject({ code: 'SINK_DISPLACED' });
  });

  it('by deletion, with all that is beside it, is made anew before the next load', async () => {
    await across(() => {
      for (const file of [database, `${database}-wal`, `${database}-shm`]) rmSync(file);
    });
    expect(rowsIn(database)).toEqual([3, 4]);
    expect(sums()).toMatchObject({ rows: 2, missing: 0 });
  });

  it('by deletion of its log alone keeps what lay in the log', async () => {
    await across(() => rmSync(`${database}-wal`));
    expect(rowsIn(database)).toEqual([1, 2, 3, 4]);
  });

  it('by another file is left, and what that one lacks shows as missing', async () => {
    await across(() => {
      const older = join(directory, 'older.db');
      const opened = openSqlite(database);
      opened.prepare('VACUUM INTO ?').run(older);
      opened.close();
      const restored = openSqlite(older);
      restored.exec('DELETE FROM server_metrics WHERE seq = 2; UPDATE runs SET last_seq = 1, received = 1');
      restored.exec('UPDATE consumer_offsets SET next_offset = next_offset - 1');
      restored.close();
      renameSync(older, database);
    });
    expect(rowsIn(database)).toEqual([1, 3, 4]);
    expect(sums()).toMatchObject({ missing: 1 });
  });

  it('between a load and its acknowledgement gets the samples again', async () => {
    take(2);
    let moved = false;
    const moving = sinkThat((load) =>
      sink.load({
        ...load,
        // What a load reads last, while it writes.
        get holes() {
          if (!moved) renameSync(database, away());
          moved = true;
          return load.holes;
        },
      }),
    );
    const stop = new AbortController();
    const running = loaderOf(moving).run(stop.signal);
    await eventually(() => expect(spool.depth).toBe(0));
    stop.abort();
    await running;
    expect(rowsIn(away())).toEqual([1, 2]);
    expect(rowsIn(database)).toEqual([1, 2]);
  });
});

describe('the summary', () => {
  it('says that there is no database, and what makes one', () => {
    expect(() => readLatest(join(directory, 'nowhere.db'))).toThrow(
      expect.objectContaining({ code: 'DATABASE_MISSING', hint: expect.stringContaining('--mode=local') }),
    );
  });
});
