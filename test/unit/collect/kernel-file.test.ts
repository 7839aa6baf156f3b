/** What may lie under another root where the kernel's files should be. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KernelFile, ReadBuffer } from '../../../src/collect/kernel-file.ts';
import { mkfifoSync } from '../config/mkfifo.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kernel-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

it('a pipe that nobody writes to is an error, and no sample waits for it', () => {
  const path = join(directory, 'stat');
  mkfifoSync(path);
  const file = new KernelFile(path, new ReadBuffer());
  expect(() => file.read()).toThrow(expect.objectContaining({ code: 'COLLECT_UNREADABLE' }));
  file.close();
});

it('what never ends is an error, not all of the memory', () => {
  const file = new KernelFile('/dev/zero', new ReadBuffer());
  expect(() => file.read()).toThrow(expect.objectContaining({ code: 'COLLECT_UNREADABLE' }));
});
