/** SECURITY.md promises a test for each of its lines: they are there, by these names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const lines = readFileSync(join(root, 'SECURITY.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|what they)/.test(line));

it('has enough lines to be a threat model', () => {
  expect(lines.length).toBeGreaterThan(40);
});

it.each(lines)('has a test that is there: %s', (line) => {
  const [, file = '', title = ''] = /\| `(test\/[^`]+\.test\.ts)`: “(.+)” \|$/.exec(line) ?? [];
  expect(file, 'no test is named').not.toBe('');
  const source = readFileSync(join(root, file), 'utf8');
  const titles = [...source.matchAll(/(['"`])((?:(?!\1).)+)\1,/g)].map(([, , text]) => text);
  expect(titles).toContain(title);
});
