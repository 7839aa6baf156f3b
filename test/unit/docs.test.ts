/** The documents that are made from the code, or must keep up with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderMetrics, renderSettings } from '../../scripts/docs.ts';
import { settingEntries } from '../../src/config/catalog.ts';
import { CHECKS } from '../../src/operate/check/catalog.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('docs/settings.md', () => {
  it('is what `npm run docs` makes of the schema now', () => {
    expect(read('docs/settings.md') === renderSettings(), 'stale: run npm run docs').toBe(true);
  });

  it('has every setting', () => {
    const text = read('docs/settings.md');
    for (const { name, variable } of settingEntries) {
      expect(text).toContain(`| \`${name}\` |`);
      expect(text).toContain(`\`${variable}\``);
    }
  });
});

describe('docs/metrics.md', () => {
  it('is what `npm run docs` makes of the catalog now', () => {
    expect(read('docs/metrics.md') === renderMetrics(), 'stale: run npm run docs').toBe(true);
  });
});

describe('docs/check-json.md', () => {
  it('has every check, as the catalogue describes it', () => {
    const rows = [...read('docs/check-json.md').matchAll(/^\| `([a-z_.]+)` \| [^|]+ \| (.+) \|$/gm)];
    expect(rows.map(([, name, says]) => [name, says])).toEqual(Object.entries(CHECKS));
  });
});

describe('docs/errors.md', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(join('src', file)))
    .join('\n');
  const documented = new Set([...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code));

  it('has every code that is thrown', () => {
    const literal = [...sources.matchAll(/new HostspoolError\(\s*'([A-Z_]+)'/g)].map(([, code]) => code);
    // Codes that are looked up in a table before they are thrown.
    const looked = [...sources.matchAll(/'((?:KAFKA|SPOOL|COLLECT|SAMPLE|SINK|HTTP)_[A-Z_]+)'/g)].map(
      ([, code]) => code,
    );
    const variables = new Set(['KAFKA_BOOTSTRAP_SERVERS', 'KAFKA_TOPIC', 'KAFKA_CONSUMER_GROUP']);
    const thrown = new Set([...literal, ...looked].filter((code) => code !== undefined && !variables.has(code)));
    expect(thrown.size).toBeGreaterThan(10);
    expect([...thrown].filter((code) => !documented.has(code))).toEqual([]);
  });

  it('has no code that nothing throws any more', () => {
    expect([...documented].filter((code) => !new RegExp(`\\b${code}\\b`).test(sources))).toEqual([]);
  });
});
