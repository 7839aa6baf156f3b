import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectories } from '../../../src/lib/directories.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'directories-'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('making directories', () => {
  it('makes each that is missing with the mode, and tells the topmost', () => {
    mkdirSync(join(root, 'a'));
    expect(makeDirectories(join(root, 'a/b/c'), 0o700)).toBe(join(root, 'a/b'));
    for (const each of ['a/b', 'a/b/c']) expect(statSync(join(root, each)).mode & 0o777).toBe(0o700);
    expect(makeDirectories(join(root, 'a/b/c'))).toBeUndefined();
  });

  it('says what stands in the way', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => makeDirectories(join(root, 'file/below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
    symlinkSync(join(root, 'nowhere'), join(root, 'dangling'));
    expect(() => makeDirectories(join(root, 'dangling'))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  });

  it('ends with an error where the system has no directories to make', () => {
    expect(() => makeDirectories('/proc/hostspool/a/b')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
