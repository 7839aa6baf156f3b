/** Whatever the settings file holds: settings in their ranges, or one error that says where; never anything else. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settingEntries } from '../../../src/config/catalog.ts';
import { exampleFile } from '../../../src/config/example.ts';
import { settingValue } from '../../../src/config/live.ts';
import { loadSettings } from '../../../src/config/load.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { damage, FUZZ_LIMIT, runs } from '../../support/fuzz.ts';
import { scratchFile } from './scratch.ts';

const LIMIT_MS = 30_000;

/** A file with a few settings of each kind, all of them sound. */
const SOUND = `mode: writer
collect: { interval: 250ms, details: true }
spool:
  path: /var/lib/x/spool.db
  max_bytes: 1GiB
  min_free: 5%
kafka:
  brokers:
    - a:9092
    - "b:9092"
  sasl: { mechanism: scram-sha-512, username: 'u', password: hunter2 }
ship: { batch_samples: 100 }
sqlserver: { user: u, password: "hunter2", encrypt: strict }
`;

function check(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content);
  const began = performance.now();
  const input = { flags: { config: path }, env: { HOME: '/home/someone' }, defaultFile: '' };
  try {
    const { settings, file } = loadSettings(input);
    expect(file).toBe(path);
    for (const { name, range, choices } of settingEntries) {
      const value = settingValue(settings, name);
      if (choices !== undefined && value !== undefined) expect(choices, name).toContain(value);
      if (range !== undefined && typeof value === 'number') expect(value, name).toBeLessThanOrEqual(range.max);
    }
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    expect(error.code).toBe('SETTINGS_INVALID');
    expect(error.message.length).toBeLessThan(20_000);
  }
  expect(performance.now() - began).toBeLessThan(LIMIT_MS);
  for (const name of ['polluted', 'mode', 'spool']) expect(name in {}, name).toBe(false);
}

const piece = fc.oneof(
  fc.constantFrom(
    '\n',
    ' ',
    '  ',
    ': ',
    '- ',
    '? ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '!!x ',
    '"',
    "'",
    '|',
    '>',
    '#',
    '\t',
  ),
  fc.constantFrom(
    '---\n',
    '...\n',
    '%YAML 1.2\n',
    '<<: ',
    '__proto__',
    'constructor',
    'prototype',
    'polluted',
    '~',
    'null',
  ),
  fc.constantFrom(...settingEntries.map(({ name }) => name), ...settingEntries.map(({ group }) => group)),
  fc.constantFrom(
    'spool:\n  path: ',
    'kafka:\n  brokers: ',
    'password: { file: ',
    'mode: agent\n',
    '5s',
    '1GiB',
    '-1',
    '1e999',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

describe('the settings file, fuzzed', () => {
  it(
    'of any bytes, and of pieces of YAML in any order',
    () => {
      const path = scratchFile('');
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(path, bytes)),
        runs(100),
      );
      const pieces = fc.array(piece, { maxLength: 60 }).map((all) => all.join(''));
      fc.assert(
        fc.property(pieces, (text) => check(path, text)),
        runs(400),
      );
    },
    FUZZ_LIMIT,
  );

  it(
    'that was sound, and was damaged',
    () => {
      const path = scratchFile('');
      check(path, SOUND);
      const originals = [SOUND, exampleFile(), exampleFile().replaceAll(/^#(?=\s)/gm, '')].map((text) =>
        Buffer.from(text),
      );
      fc.assert(
        fc.property(fc.constantFrom(...originals), damage(3), (original, change) => check(path, change(original))),
        runs(100),
      );
    },
    FUZZ_LIMIT,
  );

  it('of very many settings that are none is told by the first of them, without comparing them all', () => {
    const path = scratchFile(Array.from({ length: 20_000 }, (_, n) => `k${n}: 1`).join('\n'));
    const flags = { config: path };
    const load = () => loadSettings({ flags, env: {}, defaultFile: '' });
    expect(load).toThrow(/^21 settings are wrong\n(.*\n){20}.*: more is wrong behind these$/);
  });

  it.each(['[', '{', '- ', '? ', '{a: ', '&a ', '*a ', '!a ', '"', ': ', 'a: 1\n', 'a: |\n', '\\\n'])(
    'that repeats %j for 20 KB is read or refused in time',
    (repeated) => {
      const path = scratchFile('');
      check(path, `a: "${repeated.repeat(Math.floor(20_000 / repeated.length))}`);
      check(path, repeated.repeat(Math.floor(20_000 / repeated.length)));
    },
  );
});
