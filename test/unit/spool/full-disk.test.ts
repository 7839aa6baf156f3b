/**
 * A spool on a filesystem that really is full: a small tmpfs, a neighbour that fills it to the last byte and frees it
 * again. Needs root to mount one.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemPorts } from '../../../src/spool/ports.ts';
import { RESERVE_BYTES } from '../../../src/spool/reserve.ts';
import type { Spool } from '../../../src/spool/spool.ts';
import { ALL, appendSamples, LiveSpool, notesOf } from '../../support/live-spool.ts';

const MiB = 1024 * 1024;

function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'spool-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' });
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Takes every byte that is left. */
function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let size = MiB; size >= 1; ) {
      try {
        if (writeSync(file, Buffer.alloc(size)) < size) size = Math.floor(size / 2);
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}

describe.skipIf(!canMount())('a spool on a full disk (skipped where a tmpfs can’t be mounted)', () => {
  let fixture: LiveSpool;
  let directory: string;
  let neighbour: string;
  let reserve: string;

  beforeEach(() => {
    fixture = new LiveSpool();
    fixture.ports.space = systemPorts.space;
    directory = join(fixture.directory, 'disk');
    mkdirSync(directory);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
    neighbour = join(directory, 'neighbour');
    reserve = join(directory, 'spool.reserve');
  });

  afterEach(() => {
    fixture.closeAll();
    execFileSync('umount', ['-l', directory]);
    fixture.remove();
  });

  const open = (): Spool => fixture.open({ path: join(directory, 'spool.db') });

  it('goes on with its reserve, then counts what it can’t store, and has lost nothing that it acknowledged', () => {
    const spool = open();
    const stored = new Set<number>();
    const append = (count: number): number => {
      let kept = 0;
      for (let index = 0; index < count; index++) {
        fixture.clock.pass(100);
        const identity = spool.identify();
        if (!spool.append(identity, 0, 'x'.repeat(4000))) continue;
        stored.add(identity.seq);
        kept++;
      }
      return kept;
    };
    expect(append(50)).toBe(50);
    fill(neighbour);
    expect(append(3)).toBe(3);
    expect(existsSync(reserve)).toBe(false);
    fill(neighbour);
    append(300);
    fill(neighbour);
    append(2000);
    const lost = 50 + 3 + 300 + 2000 - stored.size;

    rmSync(neighbour);
    fixture.clock.pass(10_000);
    spool.maintain();
    expect(append(10)).toBe(10);
    expect(statSync(reserve).size).toBe(RESERVE_BYTES);

    const inFile = new Set(spool.read(ALL).map(({ identity }) => identity.seq));
    const noted = new Set<number>();
    for (const note of notesOf(spool)) {
      if (note.kind !== 'lost') continue;
      for (let seq = note.first_seq; seq <= note.last_seq; seq++) noted.add(seq);
    }
    for (let seq = 1; seq <= 2363; seq++) expect(inFile.has(seq) !== noted.has(seq), `sample ${seq}`).toBe(true);
    expect(Object.keys(fixture.losses())).toEqual(['disk_full']);
    expect(lost + [...stored].filter((seq) => !inFile.has(seq)).length).toBe(noted.size);
  });

  it('can still be emptied when not a byte is left', () => {
    const spool = open();
    appendSamples(spool, 500, 'x'.repeat(4000));
    fill(neighbour);
    let shipped = 0;
    for (let batch = spool.read({ samples: 50, bytes: 1e9 }); batch.length > 0; ) {
      shipped += batch.length;
      spool.acknowledge(batch.at(-1)?.id ?? 0, []);
      batch = spool.read({ samples: 50, bytes: 1e9 });
    }
    expect(shipped).toBe(500);
    rmSync(neighbour);
    spool.maintain();
    expect([spool.depth, fixture.losses()]).toEqual([0, {}]);
  });

  it('is opened on a full disk, with what it had and with the tail of the run that died there', () => {
    const first = open();
    appendSamples(first, 20, 'x'.repeat(4000));
    first.close(false);
    fill(neighbour);
    rmSync(reserve);
    fill(neighbour);
    const second = open();
    appendSamples(second, 30, 'x'.repeat(4000));
    second.close(false);
    rmSync(neighbour);
    const third = open();
    appendSamples(third, 1);
    const samples = third.read(ALL);
    expect(samples.filter(({ identity }) => identity.run_id === first.runId)).toHaveLength(20);
    const kept = samples.filter(({ identity }) => identity.run_id === second.runId).length;
    const lost = notesOf(third)
      .filter((note) => note.kind === 'lost' && note.run_id === second.runId)
      .reduce((sum, note) => sum + (note.kind === 'lost' ? note.last_seq - note.first_seq + 1 : 0), 0);
    expect(kept + lost).toBe(30);
  });

  it('is made on a full disk, and begins to store once there is room', () => {
    fill(neighbour);
    const spool = open();
    expect(spool.append(spool.identify(), 0, '{}')).toBe(false);
    rmSync(neighbour);
    spool.maintain();
    expect(spool.append(spool.identify(), 0, '{}')).toBe(true);
    expect(spool.read(ALL).map(({ identity }) => identity.seq)).toEqual([2]);
    expect(notesOf(spool)).toEqual([
      { kind: 'lost', run_id: spool.runId, first_seq: 1, last_seq: 1, reason: 'disk_full' },
    ]);
  });
});
