/**
 * What a sample may cost while all goes well, in things that a busy machine does not change: statements run on the
 * spool, promises and timers made, and CPU against that of a bare insert of the same bytes in the same turns. A budget
 * that is exceeded is either a mistake or a decision; then it is changed here, and docs/performance.md with it.
 */
import { createHook } from 'node:async_hooks';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pace } from '../../../src/agent/pace.ts';
import { Sampler } from '../../../src/agent/sampler.ts';
import { Shipper } from '../../../src/agent/shipper.ts';
import { Backoff } from '../../../src/lib/backoff.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { openSqlite, type SqliteDatabase } from '../../../src/lib/sqlite.ts';
import type { Spool } from '../../../src/spool/spool.ts';
import { LiveSpool } from '../../support/live-spool.ts';
import { Tree, USAGE } from '../collect/tree.ts';

/** An append, and with each fifth the deletion of what was sent before and what is left of it: 1.6 statements now. */
const STATEMENTS = 2.5;
/** Promises, timers and the like, of sampling and a fifth of a shipment: 9 now. */
const ASYNC_RESOURCES = 12;
/** CPU of an append, times that of the insert alone: 2 to 2.5 now. */
const APPEND_RATIO = 3.5;

const EXT4 = { ...USAGE, type: 0xef53 };
const ROUNDS = 10;
const SAMPLES = 20;

let fixture: LiveSpool;
beforeEach(() => {
  fixture = new LiveSpool();
});
afterEach(() => {
  fixture.remove();
});

/** Counts every use of a statement. */
function counted(database: SqliteDatabase, count: () => void): SqliteDatabase {
  const prepare = database.prepare.bind(database);
  const exec = database.exec.bind(database);
  const counting =
    (call: (...given: unknown[]) => unknown) =>
    (...given: unknown[]) => {
      count();
      return call(...given);
    };
  return Object.assign(database, {
    exec: counting(exec as never),
    prepare: (sql: string) => {
      const statement = prepare(sql);
      for (const name of ['run', 'get', 'all', 'iterate'] as const) {
        Object.defineProperty(statement, name, { value: counting(statement[name].bind(statement) as never) });
      }
      return statement;
    },
  });
}

describe('a sample, while all goes well,', () => {
  it('costs few statements and few turns', async () => {
    using tree = new Tree('linux-6.8-server');
    let statements = 0;
    fixture.ports.openDatabase = (path, options) => counted(openSqlite(path, options), () => statements++);
    const spool = fixture.open();
    const collector = tree.open({ statfs: async () => EXT4, statfsNow: () => EXT4 });
    const { clock } = fixture;
    let sent = 0;
    const shipper = new Shipper({
      spool,
      producer: { send: async () => void sent++ },
      topic: 'server-metrics',
      batchSamples: 500,
      batchBytes: 1e6,
      linger: 5000,
      pace: new Pace(0, clock),
      backoff: new Backoff({ base: 1000, cap: 1000 }),
      clock,
      log: silentLog,
    });
    const sampler = new Sampler({
      collector,
      spool,
      hostname: 'host-1',
      version: '0.0.0',
      log: silentLog,
      appended: () => shipper.wake(),
    });
    const stop = new AbortController();
    const running = shipper.run(stop.signal);
    let resources = 0;
    const hook = createHook({ init: () => void resources++ });
    const one = async () => {
      await clock.advance(1000);
      await sampler.sample({ at: clock.now(), steppedMs: 0 });
    };
    for (let n = 0; n < 6; n++) await one();
    // The clock makes promises of its own: twice the same at each advance, and once more for each timer.
    hook.enable();
    await clock.advance(0);
    hook.disable();
    const settling = resources / 2;
    const rounds: { statements: number; resources: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = { statements, resources, sent };
      hook.enable();
      for (let n = 0; n < SAMPLES; n++) await one();
      hook.disable();
      const ofClock = (2 * SAMPLES + sent - before.sent) * settling;
      rounds.push({
        statements: (statements - before.statements) / SAMPLES,
        resources: (resources - before.resources - ofClock) / SAMPLES,
      });
    }
    await clock.advance(5000);
    expect(shipper.shipped).toBe(6 + ROUNDS * SAMPLES);
    expect(sent).toBeLessThanOrEqual(3 + (ROUNDS * SAMPLES) / 5);
    expect(spool.depth).toBe(0);
    stop.abort();
    await running;
    collector.close();
    expect(Math.min(...rounds.map((round) => round.statements))).toBeLessThanOrEqual(STATEMENTS);
    expect(Math.min(...rounds.map((round) => round.resources))).toBeLessThanOrEqual(ASYNC_RESOURCES);
  });
});

describe('an append', () => {
  it('costs little more than the insert alone', () => {
    const spool = fixture.open();
    const database = openSqlite(join(fixture.directory, 'bare.db'));
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = normal');
    database.exec('CREATE TABLE samples (id INTEGER PRIMARY KEY AUTOINCREMENT, payload TEXT NOT NULL) STRICT');
    const insert = database.prepare('INSERT INTO samples (payload) VALUES (?)');
    const payload = 'x'.repeat(850);
    const append = () => appendTo(spool, payload, fixture.clock.now());
    const cpuOf = (work: () => void): number => {
      const before = process.cpuUsage();
      for (let n = 0; n < 200; n++) work();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const turns = Array.from({ length: 2 * ROUNDS }, () => [cpuOf(append), cpuOf(() => insert.run(payload))] as const);
    database.close();
    const [appends, inserts] = [0, 1].map((which) => Math.min(...turns.map((turn) => turn[which] as number)));
    expect((appends as number) / (inserts as number)).toBeLessThanOrEqual(APPEND_RATIO);
  });
});

function appendTo(spool: Spool, payload: string, at: number): void {
  if (!spool.append(spool.identify(), at, payload)) throw new Error('an append failed');
}
