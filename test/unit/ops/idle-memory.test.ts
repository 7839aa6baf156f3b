import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compileNotify } from '../../../scripts/native.ts';

const directory = mkdtempSync(join(tmpdir(), 'hostspool-native-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs in a process of its own: what it gives up are this one's pages. */
const CHILD = `
  const { readFileSync } = require('node:fs');
  const { createHash } = require('node:crypto');
  const { deflateSync, inflateSync } = require('node:zlib');
  const addon = { exports: {} };
  process.dlopen(addon, process.argv[1]);
  const status = (name) => Number(new RegExp(name + ':\\\\s+(\\\\d+)').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  const kept = Buffer.alloc(1 << 20, 7);
  const work = () => createHash('sha256').update(inflateSync(deflateSync(kept))).digest('hex') +
    new Intl.DateTimeFormat('de', { dateStyle: 'full', timeZone: 'UTC' }).format(0);
  const said = [work()];
  const before = { file: status('RssFile'), private: status('RssAnon') };
  addon.exports.trim();
  const after = { file: status('RssFile'), private: status('RssAnon') };
  for (let round = 0; round < 3; round++) {
    said.push(work());
    addon.exports.trim();
  }
  process.stdout.write(JSON.stringify({ before, after, said }));
`;

/** The bytes are as the program's are: they stay, and nobody writes them. */
const TEXT_CHILD = `
  const { readFileSync } = require('node:fs');
  const addon = { exports: {} };
  process.dlopen(addon, process.argv[1]);
  const own = () => Number(/RssAnon:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  const bytes = new Uint8Array(64 << 20).fill(32);
  bytes.set(Buffer.from('return 41 + "\\u00b0".length', 'latin1'));
  const before = own();
  const text = addon.exports.text(bytes.buffer);
  const program = require('node:vm').compileFunction(text, []);
  const grown = own() - before;
  process.stdout.write(JSON.stringify({ length: text.length, answer: program(), grown, none: addon.exports.text('x') ?? null }));
`;

const addon = join(directory, 'notify.node');
const missing = compileNotify(addon);

describe('giving back what starting took', () => {
  it.skipIf(missing !== undefined)('leaves out most pages of files, nothing private, and everything works on', () => {
    const output = execFileSync(process.execPath, ['-e', CHILD, addon], { encoding: 'utf8' });
    const { before, after, said } = JSON.parse(output) as {
      before: { file: number; private: number };
      after: { file: number; private: number };
      said: string[];
    };
    expect(after.file).toBeLessThan(before.file / 2);
    expect(after.private).toBeGreaterThan(before.private / 2);
    expect(new Set(said).size).toBe(1);
    expect(said).toHaveLength(4);
  });
});

describe('the text of the program', () => {
  it.skipIf(missing !== undefined)('is compiled where it lies, and not copied', () => {
    const output = execFileSync(process.execPath, ['-e', TEXT_CHILD, addon], { encoding: 'utf8' });
    const { length, answer, grown, none } = JSON.parse(output) as Record<string, number>;
    expect({ length, answer, none }).toEqual({ length: 64 * 2 ** 20, answer: 42, none: null });
    expect(grown).toBeLessThan(16 * 1024);
  });
});
