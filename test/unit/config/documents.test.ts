/** The example file and the JSON Schema, held against the loader and against each other. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingEntries } from '../../../src/config/catalog.ts';
import { exampleFile } from '../../../src/config/example.ts';
import { settingsJsonSchema } from '../../../src/config/json-schema.ts';
import { load, scratchDirectory } from './scratch.ts';

const example = exampleFile();
const isSetting = (line: string) => /^#[^#]/.test(line);
const uncommentAll = (text: string) => text.replace(/^#(?!#)/gm, '');

describe('the example file', () => {
  it('changes nothing as it is', () => {
    expect(load({ yaml: example }).settings).toEqual(load({}).settings);
  });

  it('has every setting once, and each line that is uncommented sets its own setting and no other', () => {
    const lines = example.split('\n');
    const secrets = secretFiles();
    const set = lines.flatMap((line, index) => {
      if (!isSetting(line)) return [];
      const yaml = secrets(lines.with(index, line.slice(1)).join('\n'));
      const { sources } = load({ yaml });
      return [...sources].filter(([, source]) => source.kind === 'file').map(([name]) => name);
    });
    expect(set).toEqual(inFileOrder());
  });

  it('is valid with every line uncommented', () => {
    const { sources } = load({ yaml: secretFiles()(uncommentAll(example)) });
    expect([...sources.values()].every(({ kind }) => kind === 'file')).toBe(true);
  });

  it('shows defaults as they are', () => {
    const { settings, sources } = load({ yaml: secretFiles()(uncommentAll(example)) });
    const defaults = load({}).settings;
    expect(sources.size).toBe(settingEntries.length);
    expect(settings.backoff).toEqual(defaults.backoff);
    expect(settings.writer).toEqual(defaults.writer);
    expect(settings.log).toEqual(defaults.log);
  });
});

describe('the JSON Schema', () => {
  const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(settingsJsonSchema());

  it('accepts the example as it is and with every line uncommented', () => {
    expect(validate(parse(example)), JSON.stringify(validate.errors)).toBe(true);
    expect(validate(parse(uncommentAll(example))), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    ['an unknown key', 'spool: { max_byte: 1GiB }'],
    ['an unknown group', 'spol: {}'],
    ['a size without a unit', 'spool: { max_bytes: 1000 }'],
    ['a unit nobody knows', 'collect: { interval: 5 parsecs }'],
    ['a broker without a port', 'kafka: { brokers: [k1] }'],
    ['a port out of range', 'kafka: { brokers: ["k1:65536"] }'],
    ['a number out of range', 'ship: { batch_samples: 0 }'],
    ['a choice that is none', 'mode: agnet'],
    ['a secret in another form', 'kafka: { sasl: { password: { path: /x } } }'],
    ['text for a switch', 'kafka: { tls: { enabled: maybe } }'],
  ])('refuses %s, as the loader does', (_, yaml) => {
    expect(validate(parse(yaml))).toBe(false);
    expect(() => load({ yaml })).toThrow(/is not/);
  });

  it.each([
    ['units', 'spool: { max_bytes: 1.5 GiB, max_age: 90min, min_free: 12.5% }'],
    ['nothing at all', ''],
    ['an empty address', 'http: { address: "" }'],
    ['zero without a unit', 'log: { stats_interval: 0 }\nspool: { min_free: 0 }'],
    ['brokers as text', 'kafka: { brokers: "a:1,b:2" }'],
    ['an address of version 6', 'kafka: { brokers: ["[2001:db8::1]:9092"] }'],
    ['a user of digits', 'kafka: { sasl: { username: 123 } }'],
  ])('accepts %s, as the loader does', (_, yaml) => {
    expect(validate(parse(yaml)), JSON.stringify(validate.errors)).toBe(true);
    expect(() => load({ yaml })).not.toThrow();
  });

  it('describes every setting', () => {
    for (const { name } of settingEntries) {
      let node = settingsJsonSchema() as { properties?: Record<string, never>; description?: string };
      for (const key of name.split('.')) node = (node.properties?.[key] ?? {}) as typeof node;
      expect(node.description, name).toMatch(/\S/);
    }
  });
});

/** The names in the order of the file: a group's own settings stand before those of the groups in it. */
function inFileOrder(): string[] {
  const groups = [...new Set(settingEntries.map(({ group }) => group))];
  return groups.flatMap((group) => settingEntries.filter((any) => any.group === group).map(({ name }) => name));
}

/** Puts files that exist in the place of the example's secrets. */
function secretFiles(): (yaml: string) => string {
  const path = join(scratchDirectory(), 'password');
  writeFileSync(path, 'hunter2', { mode: 0o600 });
  return (yaml) => yaml.replace(/\{ file: \S+ \}/g, `{ file: ${path} }`);
}
