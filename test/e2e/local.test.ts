import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { spoolFiles } from '../../src/spool/files.ts';
import { SpoolLock } from '../../src/spool/lock.ts';
import { systemPorts } from '../../src/spool/ports.ts';
import { RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';

function start(scratch: Scratch): RunningExecutable {
  return new RunningExecutable([
    '--mode=local',
    '--config=/dev/null',
    '--collect.interval=100ms',
    '--http.address=',
    '--log.level=debug',
    `--spool.path=${scratch.file('spool.db')}`,
  ]);
}

function query<Row>(scratch: Scratch, sql: string): Row[] {
  const database = openSqlite(scratch.file('metrics.db'), { readonly: true });
  try {
    return database.prepare<[], Row>(sql).all();
  } finally {
    database.close();
  }
}

/** The lock, from a file that was deleted just now; undefined if the holder was quicker. */
function stolen(scratch: Scratch): SpoolLock | undefined {
  rmSync(scratch.file('spool.lock'), { force: true });
  try {
    return SpoolLock.take(spoolFiles(scratch.file('spool.db')), systemPorts, silentLog);
  } catch {
    return undefined;
  }
}

describe('local mode', () => {
  it('loads every sample once, through kills, and its accounts show it', async () => {
    using scratch = new Scratch();
    const taken: string[] = [];
    for (const ending of ['SIGKILL', 'SIGKILL', 'SIGTERM'] as const) {
      await using local = start(scratch);
      await until(() => local.taken().length >= 15, 'fifteen samples were taken');
      const code = await local.end(ending);
      if (ending === 'SIGTERM') expect(code).toBe(0);
      taken.push(...local.taken().map((line) => String(line.event_id)));
    }
    const rows = query<{ event_id: Buffer }>(scratch, 'SELECT event_id FROM server_metrics').map(({ event_id }) =>
      Buffer.from(event_id).toString('hex'),
    );
    expect(new Set(rows).size).toBe(rows.length);
    // A kill may fall between a sample's log line and its append: that one is on record instead.
    const absent = taken.filter((id) => !rows.includes(id.replaceAll('-', '')));
    expect(absent.length).toBeLessThanOrEqual(2);
    const accounts = query<{ received: number; lost: number; missing: number }>(
      scratch,
      'SELECT received, lost, missing FROM vw_sample_accounting',
    );
    expect(accounts).toHaveLength(3);
    for (const account of accounts) expect(account.missing).toBe(0);
    expect(accounts.reduce((sum, { received }) => sum + received, 0)).toBe(rows.length);
    const latest = query<{ hostname: string }>(scratch, 'SELECT * FROM vw_latest_metrics WHERE rn = 1');
    expect(latest).toHaveLength(1);
    expect(query(scratch, 'SELECT * FROM vw_latest_by_host')).toHaveLength(1);
  });

  it('is refused a spool that another process holds, which is named', async () => {
    using scratch = new Scratch();
    await using local = start(scratch);
    await local.event('local_started');
    const second = runExecutable(['--mode=local', '--http.address=', `--spool.path=${scratch.file('spool.db')}`]);
    expect(second.code).toBe(3);
    expect(second.stderr).toContain('SPOOL_LOCKED');
    expect(second.stderr).toContain(String(local.pid));
  });

  it('ends in order when its lock file is deleted and another process gets the spool', async () => {
    using scratch = new Scratch();
    await using first = start(scratch);
    await first.event('local_started');
    // The other one sees no process id either, as from another pid namespace.
    const tail = openSync(scratch.file('spool.seq'), 'r+');
    writeSync(tail, Buffer.alloc(64), 0, 64, 4032);
    closeSync(tail);
    let thief: SpoolLock | undefined;
    await until(() => {
      thief = stolen(scratch);
      return thief !== undefined;
    }, 'the lock was free for another process');
    try {
      await first.event('local_stopped');
      expect(await first.exited).toBe(3);
      expect(first.stderr).toContain('SPOOL_LOCKED');
    } finally {
      thief?.release();
    }
  });
});
