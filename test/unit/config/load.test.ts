import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingEntries } from '../../../src/config/catalog.ts';
import { loadSettings } from '../../../src/config/load.ts';
import { load, loadError, scratchDirectory, scratchFile } from './scratch.ts';

describe('which source wins', () => {
  const flags = { 'kafka.topic': 'by-flag' };
  const env = { HOSTSPOOL_KAFKA_TOPIC: 'by-variable', KAFKA_TOPIC: 'by-guide-name' };
  const yaml = 'kafka:\n  topic: by-file\n';

  it('takes a flag before a variable before the file before the default', () => {
    expect(load({ flags, env, yaml }).settings.kafka.topic).toBe('by-flag');
    expect(load({ env, yaml }).settings.kafka.topic).toBe('by-variable');
    expect(load({ env: { KAFKA_TOPIC: 'by-guide-name' }, yaml }).settings.kafka.topic).toBe('by-guide-name');
    expect(load({ yaml }).settings.kafka.topic).toBe('by-file');
    expect(load({}).settings.kafka.topic).toBe('server-metrics');
  });

  it('says of every setting where it came from', () => {
    const { sources, file } = load({
      flags,
      env: { HOSTSPOOL_LOG_LEVEL: 'debug' },
      yaml: 'mode: local\nspool:\n  max_age: 1d\n',
    });
    expect(sources.get('kafka.topic')).toEqual({ kind: 'flag', name: '--kafka.topic' });
    expect(sources.get('log.level')).toEqual({ kind: 'environment', name: 'HOSTSPOOL_LOG_LEVEL' });
    expect(sources.get('spool.max_age')).toEqual({ kind: 'file', name: `${file}:3` });
    expect(sources.get('kafka.group')).toEqual({ kind: 'default', name: '' });
    expect(sources.get('sqlite.path')).toEqual({ kind: 'default', name: 'spool.path' });
    expect([...sources.keys()]).toEqual(settingEntries.map(({ name }) => name));
  });

  it('reads the default file when it is there, the one that is named instead, and none for /dev/null', () => {
    const defaultFile = scratchFile('kafka: { topic: by-default-file }');
    const other = scratchFile('kafka: { topic: by-named-file }');
    const topic = (flags: Record<string, unknown>, env = {}) =>
      loadSettings({ flags, env, defaultFile }).settings.kafka.topic;
    expect(topic({})).toBe('by-default-file');
    expect(topic({ config: other })).toBe('by-named-file');
    expect(topic({}, { HOSTSPOOL_CONFIG: other })).toBe('by-named-file');
    expect(topic({ config: '/dev/null' }, { HOSTSPOOL_CONFIG: other })).toBe('server-metrics');
    expect(
      loadSettings({ flags: {}, env: {}, defaultFile: join(scratchDirectory(), 'none.yaml') }).file,
    ).toBeUndefined();
  });

  it('takes the white space off the ends of a value, which a database would not tell apart', () => {
    for (const name of [' group', 'group ', 'group\u00a0']) {
      expect(load({ flags: { 'kafka.group': name } }).settings.kafka.group).toBe('group');
    }
    expect(load({ flags: {}, yaml: 'kafka: { group: "my group  " }\n' }).settings.kafka.group).toBe('my group');
  });

  it('stops when the file that is named is not there', () => {
    expect(loadError({ flags: { config: '/nonexistent/hostspool.yaml' } }).message).toContain(
      'cannot read /nonexistent/hostspool.yaml: there is no such file',
    );
  });
});

describe('what is wrong', () => {
  it('names key, value, what is allowed and the place', () => {
    const error = loadError({ yaml: 'mode: agent\nspool:\n  max_bytes: 5 apples\n' });
    expect(error.code).toBe('SETTINGS_INVALID');
    expect(error.message).toMatch(
      /^spool\.max_bytes: "5 apples" is not a size from 16MiB to 16TiB, .* \(from .*hostspool\.yaml:3:14\)$/,
    );
  });

  it('tells all problems at once, a line each', () => {
    const error = loadError({
      flags: { 'collect.interval': '1ms' },
      env: { HOSTSPOOL_LOG_LEVEL: 'inof', HOSTSPOOL_KAFKA_BROKER: 'a:1' },
      yaml: 'spool: { max_byte: 1GiB }\nkafka: { topic: "a b" }\n',
    });
    const lines = error.message.split('\n');
    expect(lines[0]).toBe('5 settings are wrong');
    expect(lines).toHaveLength(6);
    expect(error.message).toContain('did you mean info?');
    expect(error.message).toContain('did you mean HOSTSPOOL_KAFKA_BROKERS?');
    expect(error.message).toContain('did you mean spool.max_bytes?');
  });

  it('finds a bad value in the file although a flag overrules it', () => {
    expect(loadError({ flags: { mode: 'local' }, yaml: 'mode: agnet' }).message).toContain('did you mean agent?');
  });

  it.each([
    ['spool.maxBytes', 'spool.max_bytes'],
    ['spool.max-bytes', 'spool.max_bytes'],
    ['kafka.bootstrap', undefined],
    ['kafka.sessions_timeout', 'kafka.session_timeout'],
    ['topic', 'kafka.topic'],
    ['path', 'spool.path or --sqlite.path'],
    ['zzz', undefined],
  ])('for the name %s suggests %s', (name, right) => {
    const { message } = loadError({ flags: { [name]: 'x' } });
    if (right === undefined) expect(message).not.toContain('did you mean');
    else expect(message).toContain(`did you mean --${right}?`);
  });

  it('refuses a setting that is given twice as a flag, unless it is a list', () => {
    expect(loadError({ flags: { 'kafka.topic': ['a', 'b'] } }).message).toBe('--kafka.topic is there 2 times');
    expect(load({ flags: { 'kafka.brokers': ['a:1,b:2', 'c:3'] } }).settings.kafka.brokers).toEqual([
      'a:1',
      'b:2',
      'c:3',
    ]);
  });

  it('cuts a value that would fill the screen', () => {
    expect(loadError({ flags: { mode: 'x'.repeat(10_000) } }).message.length).toBeLessThan(300);
  });
});

describe('defaults that depend on the machine', () => {
  const paths = (env: NodeJS.ProcessEnv, flags = {}) => {
    const { spool, sqlite } = load({ env, flags }).settings;
    return [spool.path, sqlite.path];
  };

  it('puts the spool into the state directory of the service, else of the user', () => {
    const env = { STATE_DIRECTORY: '/var/lib/hostspool:/var/lib/other', XDG_STATE_HOME: '/xdg', HOME: '/home/a' };
    expect(paths(env)).toEqual(['/var/lib/hostspool/spool.db', '/var/lib/hostspool/metrics.db']);
    expect(paths({ ...env, STATE_DIRECTORY: '' })).toEqual(['/xdg/hostspool/spool.db', '/xdg/hostspool/metrics.db']);
    expect(paths({ HOME: '/home/a', XDG_STATE_HOME: 'relative' })[0]).toBe('/home/a/.local/state/hostspool/spool.db');
  });

  it('puts the database of local mode beside the spool, wherever that is', () => {
    expect(paths({}, { 'spool.path': '/data/s.db' })[1]).toBe('/data/metrics.db');
    expect(paths({}, { 'spool.path': '/data/s.db', 'sqlite.path': '/x/m.db' })[1]).toBe('/x/m.db');
  });

  it('makes paths absolute, ~ being the home directory', () => {
    expect(paths({ HOME: '/home/a' }, { 'spool.path': '~/s.db' })[0]).toBe('/home/a/s.db');
    expect(paths({}, { 'spool.path': 'here/s.db' })[0]).toBe(join(process.cwd(), 'here/s.db'));
    expect(load({ flags: { 'kafka.tls.ca': 'ca.pem' } }).settings.kafka.tls.ca).toBe(join(process.cwd(), 'ca.pem'));
  });

  it('listens where the mode says, or nowhere when the address is empty', () => {
    expect(load({}).settings.http.address).toBe('127.0.0.1:9464');
    expect(load({ flags: { mode: 'writer' } }).settings.http.address).toBe('127.0.0.1:9465');
    expect(load({ env: { HOSTSPOOL_HTTP_ADDRESS: '' } }).settings.http.address).toBe('');
    expect(load({ yaml: 'http: { address: "" }' }).settings.http.address).toBe('');
    expect(load({ yaml: 'http:\n  address:\n' }).settings.http.address).toBe('127.0.0.1:9464');
  });

  it('reports under the system’s host name', () => {
    expect(load({}).settings.collect.hostname).toBe(hostname());
  });

  it('gives a collector at most half the interval, and says so when more was asked for', () => {
    expect(load({ flags: { 'collect.interval': '100ms' } }).settings.collect.timeout).toBe(50);
    expect(load({ flags: { 'collect.interval': '100ms' } }).warnings).toEqual([]);
    const asked = load({ flags: { 'collect.interval': '100ms', 'collect.timeout': '80ms' } });
    expect(asked.warnings).toEqual(['collect.timeout is at most half of collect.interval: 50ms']);
  });
});

it('leaves the prototype of objects alone, whatever the names are', () => {
  const yaml = '__proto__: { polluted: yes }\nconstructor: { prototype: { polluted: yes } }\nspool: { __proto__: 1 }\n';
  const flags = { '__proto__.polluted': 'yes', 'constructor.prototype.polluted': 'yes' };
  expect(loadError({ yaml, flags }).code).toBe('SETTINGS_INVALID');
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

it('reads the file again each time, as a SIGHUP needs it', () => {
  const config = scratchFile('log: { level: info }');
  expect(load({ flags: { config } }).settings.log.level).toBe('info');
  writeFileSync(config, 'log: { level: debug }');
  expect(load({ flags: { config } }).settings.log.level).toBe('debug');
});
