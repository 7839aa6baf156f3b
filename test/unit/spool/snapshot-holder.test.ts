import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { type SpoolFiles, spoolFiles } from '../../../src/spool/files.ts';
import { findHolder, isAlive } from '../../../src/spool/holder.ts';
import { SpoolLock } from '../../../src/spool/lock.ts';
import { systemPorts } from '../../../src/spool/ports.ts';
import { Tail } from '../../../src/spool/tail.ts';

const NO_LIST = '/nonexistent/locks';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function files(): SpoolFiles {
  const directory = mkdtempSync(join(tmpdir(), 'hostspool-holder-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return spoolFiles(join(directory, 'spool.db'));
}

function hold(of: SpoolFiles, ownPid: number): SpoolLock {
  const lock = SpoolLock.take(of, systemPorts, silentLog);
  cleanups.push(() => lock.release());
  const tail = Tail.open(of.tail, 'boot-1', 0o600);
  tail.hold(ownPid);
  tail.close();
  return lock;
}

describe('who holds a spool', () => {
  it('is nobody where there is no lock file', () => {
    expect(findHolder(files(), undefined)).toEqual({ held: false, knownBy: 'lock', pid: null, ownPid: null });
  });

  it('is the process that the kernel lists, whatever id it gave itself', () => {
    const of = files();
    hold(of, 7);
    expect(findHolder(of, undefined)).toEqual({ held: true, knownBy: 'lock', pid: process.pid, ownPid: 7 });
  });

  it('is found by the lock where the kernel lists nothing', () => {
    const of = files();
    const lock = hold(of, 7);
    expect(findHolder(of, undefined, NO_LIST)).toEqual({ held: true, knownBy: 'lock', pid: 7, ownPid: 7 });
    lock.release();
    expect(findHolder(of, undefined, NO_LIST)).toEqual({ held: false, knownBy: 'lock', pid: null, ownPid: null });
  });

  it('is not the process whose id is left in the files, alive or not', () => {
    const of = files();
    hold(of, process.pid).release();
    const named = { pid: process.pid, startedAt: Date.now() };
    expect(findHolder(of, named)).toMatchObject({ held: false, pid: null, ownPid: null });
  });

  it('leaves the lock free for whoever comes next', () => {
    const of = files();
    hold(of, 7).release();
    for (let look = 0; look < 20; look++) findHolder(of, undefined, NO_LIST);
    SpoolLock.take(of, systemPorts, silentLog).release();
  });

  it('ignores locks on other files and shared ones in the list', () => {
    const of = files();
    hold(of, 7);
    const own = readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .find((line) => line.includes(`WRITE ${process.pid} `)) as string;
    const list = `${of.tail}.list`;
    writeFileSync(list, `${own.replace('WRITE', 'READ')}\n${own.replace(/:(\d+) /, ':1$1 ')}\nnonsense\n`);
    expect(findHolder(of, undefined, list).pid).toBe(7);
    writeFileSync(list, `${own}\n`);
    expect(findHolder(of, undefined, list).pid).toBe(process.pid);
  });

  it('is told by the process alone where the lock can’t be asked', () => {
    const of = files();
    mkdirSync(of.lock);
    const started = { pid: process.pid, startedAt: Date.now() };
    expect(findHolder(of, started)).toMatchObject({ held: true, knownBy: 'process' });
    expect(findHolder(of, undefined)).toMatchObject({ held: false, knownBy: 'process' });
  });
});

describe('a process that is named by its id', () => {
  it('is alive while it runs and not afterwards', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const named = { pid: child.pid as number, startedAt: Date.now() };
    expect(isAlive(named)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(named)).toBe(false);
  });

  it('is another one if it is younger than the run', () => {
    expect(isAlive({ pid: process.pid, startedAt: Date.now() - 86_400_000 })).toBe(false);
  });
});
