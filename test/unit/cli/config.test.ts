/** `hostspool config` and the settings as options, through yargs as the command line sets it up. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import yargs, { type Argv } from 'yargs';
import { configCommand } from '../../../src/cli/config.ts';
import { settingsFrom, settingsOptions } from '../../../src/cli/settings-options.ts';
import { settingEntries } from '../../../src/config/catalog.ts';
import { MASK } from '../../../src/config/written.ts';
import { captureOutput, type Written } from '../../support/captured-output.ts';

const SECRET = 'hunter2-hunter2';

let directory: string;
let environment: NodeJS.ProcessEnv;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hostspool-config-'));
  environment = process.env;
  process.env = { HOME: '/home/someone' };
});

afterEach(() => {
  process.env = environment;
  rmSync(directory, { recursive: true, force: true });
});

/** Runs `hostspool config …` without the machine's own settings file; answers what it wrote. */
async function config(...args: string[]): Promise<Written> {
  const named = args.some((arg) => arg.startsWith('--config'));
  const given = ['config', ...(named ? [] : ['--config=/dev/null']), ...args];
  return captureOutput(() => parser(given, (any) => any.command(configCommand)));
}

async function parser(args: readonly string[], set: (yargs: Argv) => Argv): Promise<Record<string, unknown>> {
  return set(yargs([...args]))
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    })
    .parseAsync();
}

function settingsFile(yaml: string): string {
  const path = join(directory, 'hostspool.yaml');
  writeFileSync(path, yaml, { mode: 0o600 });
  return path;
}

describe('hostspool config', () => {
  it('prints every setting with its value and where it came from, aligned', async () => {
    const path = settingsFile('spool:\n  max_age: 36h\nhttp:\n  address: ""\n');
    process.env.KAFKA_TOPIC = 'metrics';
    const { out } = await config(`--config=${path}`, '--kafka.brokers=k1:9092,k2:9092');
    const [heading, blank, ...lines] = out.trimEnd().split('\n');
    expect([heading, blank]).toEqual([`settings file: ${path}`, '']);
    expect(lines.map((line) => line.split(' ')[0])).toEqual(settingEntries.map(({ name }) => name));
    const line = (name: string) => lines.find((any) => any.startsWith(`${name} `))?.split(/ {2,}/);
    expect(line('kafka.brokers')).toEqual(['kafka.brokers', 'k1:9092,k2:9092', '--kafka.brokers']);
    expect(line('kafka.topic')).toEqual(['kafka.topic', 'metrics', 'KAFKA_TOPIC']);
    expect(line('spool.max_age')).toEqual(['spool.max_age', '36h', `${path}:2`]);
    expect(line('http.address')).toEqual(['http.address', '(empty)', `${path}:4`]);
    expect(line('kafka.tls.ca')).toEqual(['kafka.tls.ca', '(not set)', 'default']);
    expect(line('sqlite.path')?.[2]).toBe('default, from spool.path');
    expect(new Set(lines.map((any) => any.search(/(?<= {2})(default|--|KAFKA|\/.*yaml:)/))).size).toBe(1);
  });

  it('masks secrets, the same whatever their length, and has them nowhere', async () => {
    process.env.HOSTSPOOL_KAFKA_SASL_PASSWORD = SECRET;
    process.env.DB_PASSWORD = 'x';
    for (const args of [[], ['--json']]) {
      const { out, err } = await config(...args);
      expect(out + err).not.toContain(SECRET);
      expect(out.split(MASK)).toHaveLength(3);
    }
  });

  it('prints JSON that says the same', async () => {
    const path = settingsFile('spool: { min_free: 10% }\n');
    const { out } = await config('--json', `--config=${path}`, '--kafka.brokers=k1:9092', '--kafka.tls.enabled');
    const { file, settings, warnings } = JSON.parse(out);
    expect(file).toBe(path);
    expect(warnings).toEqual([]);
    expect(Object.keys(settings)).toEqual(settingEntries.map(({ name }) => name));
    expect(settings['kafka.brokers']).toEqual({
      value: ['k1:9092'],
      source: { kind: 'flag', name: '--kafka.brokers' },
    });
    expect(settings['kafka.tls.enabled'].value).toBe(true);
    expect(settings['spool.min_free']).toEqual({ value: '10%', source: { kind: 'file', name: `${path}:1` } });
    expect(settings['sqlserver.port'].value).toBe(1433);
    expect(settings['kafka.sasl.password'].value).toBeNull();
  });

  it('says on standard error what would keep the mode from starting, and shows the settings all the same', async () => {
    const { out, err } = await config();
    expect(err).toContain('mode agent does not start: an agent needs kafka.brokers');
    expect(out).toContain('kafka.brokers');
    expect((await config('--mode=local')).err).toBe('');
  });

  it('prints the example file and the JSON Schema without looking at the settings', async () => {
    process.env.HOSTSPOOL_NO_SUCH_THING = '1';
    expect(parse((await config('--example')).out)).toHaveProperty('kafka');
    expect(JSON.parse((await config('--schema')).out)).toHaveProperty('properties.kafka');
    await expect(config('--example', '--schema')).rejects.toThrow();
    await expect(config()).rejects.toThrow('HOSTSPOOL_NO_SUCH_THING');
  });
});

describe('settings as flags', () => {
  const load = async (...args: string[]) =>
    settingsFrom(
      await parser(['--config=/dev/null', ...args], (any) => settingsOptions(any).option('spool', { type: 'string' })),
    );

  it('takes values with = or apart, a switch alone, and an empty address', async () => {
    const { settings } = await load(
      '--spool.max_bytes',
      '1GiB',
      '--kafka.tls.enabled',
      '--http.address=',
      '--ship.max_rate=5',
    );
    expect(settings.spool.max_bytes).toBe(1024 ** 3);
    expect(settings.kafka.tls.enabled).toBe(true);
    expect(settings.http.address).toBe('');
    expect(settings.ship.max_rate).toBe(5);
  });

  it('takes a list as one flag or several', async () => {
    const { settings } = await load('--kafka.brokers=a:1,b:2', '--kafka.brokers=c:3');
    expect(settings.kafka.brokers).toEqual(['a:1', 'b:2', 'c:3']);
  });

  it('takes text as it is typed, also where it looks like a number', async () => {
    expect((await load('--kafka.sasl.username=0123')).settings.kafka.sasl.username).toBe('0123');
  });

  it('leaves a command its own options', async () => {
    const { settings } = await load('--spool=/other/spool.db');
    expect(settings.spool.path).toBe('/home/someone/.local/state/hostspool/spool.db');
  });

  it.each([
    ['a misspelt setting', '--spool.max_byte=1GiB', '; did you mean --spool.max_bytes?'],
    ['a negated switch', '--no-kafka.tls.enabled', '; did you mean --kafka.tls.enabled?'],
    ['a prototype', '--__proto__.polluted=1', 'is not a setting'],
    ['a flag without its value', '--kafka.topic', 'kafka.topic'],
    ['a flag that is there twice', '--kafka.topic=a --kafka.topic=b', '--kafka.topic is there 2 times'],
    ['a settings file that is named twice', '--config=/dev/null', '--config is there more than once'],
    ['a value out of range', '--collect.interval=-5s', 'collect.interval: "-5s" is not a duration'],
  ])('refuses %s', async (_, args, message) => {
    await expect(load(...args.split(' '))).rejects.toThrow(message);
  });

  it.each(['--kafka.sasl.password=', '--sqlserver.password '])(
    'refuses a secret, without its value: %s',
    async (flag) => {
      const error = await load(...`${flag}${SECRET}`.split(' ')).then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      expect(error).toMatchObject({ code: 'SETTINGS_INVALID' });
      expect(error?.message).toContain('_FILE');
      expect(error?.message).not.toContain(SECRET);
    },
  );

  it('shows a few of them in the help, and every one on request', async () => {
    const help = (...args: string[]) => settingsOptions(yargs(args)).getHelp();
    expect(await help()).toContain('--kafka.brokers');
    expect(await help()).not.toContain('--backoff.cap');
    const all = await help('--show-settings');
    for (const { name, secret } of settingEntries) expect(all.includes(`--${name} `), name).toBe(!secret);
  });
});
