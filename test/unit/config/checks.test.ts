import { describe, expect, it } from 'vitest';
import { liveChanges, type Need, requireFor } from '../../../src/config/load.ts';
import type { HostspoolError } from '../../../src/lib/errors.ts';
import { load } from './scratch.ts';

const BROKERS = { 'kafka.brokers': 'k:9092' };
const SECRET = { HOSTSPOOL_KAFKA_SASL_PASSWORD: 'hunter2' };

function check(need: Need, flags: Record<string, unknown>, env: NodeJS.ProcessEnv = {}): HostspoolError | undefined {
  const { settings } = load({ flags, env });
  try {
    requireFor(need, settings);
    return undefined;
  } catch (error) {
    return error as HostspoolError;
  }
}

describe('what a mode cannot do without', () => {
  it('stops an agent without brokers, and names local mode as the way to try it', () => {
    const error = check('agent', {});
    expect(error?.code).toBe('KAFKA_BROKERS_MISSING');
    expect(error?.hint).toContain('HOSTSPOOL_KAFKA_BROKERS');
    expect(error?.hint).toContain('--mode=local');
    expect(check('kafka', {})?.hint).not.toContain('--mode=local');
  });

  it('lets local mode start with nothing set, and an agent with brokers', () => {
    expect(check('local', {})).toBeUndefined();
    expect(check('agent', BROKERS)).toBeUndefined();
    expect(check('kafka', BROKERS)).toBeUndefined();
  });

  it('wants a login for a writer into SQL Server, not for one into SQLite', () => {
    expect(check('writer', BROKERS)?.message).toContain('sqlserver.user');
    expect(check('writer', { ...BROKERS, 'writer.sink': 'sqlite' })).toBeUndefined();
    const login = { ...BROKERS, 'sqlserver.user': 'u' };
    expect(check('writer', login, { HOSTSPOOL_SQLSERVER_PASSWORD: 'p' })).toBeUndefined();
  });
});

describe('a name for the host', () => {
  const started = (need: Need, hostname: string) => {
    const { settings } = load({ flags: BROKERS });
    return () => requireFor(need, { ...settings, collect: { ...settings.collect, hostname } });
  };

  it.each(['', ' web', 'a b', 'a\nb', 'a\u001b[31m', '\ud800x', 'x'.repeat(256)])(
    'is wanted by agent and local mode where the system’s is none: %j',
    (hostname) => {
      expect(started('agent', hostname)).toThrow('set one');
      expect(started('local', hostname)).toThrow('collect.hostname');
      expect(started('kafka', hostname)).not.toThrow();
      expect(started('writer', hostname)).not.toThrow('collect.hostname');
    },
  );

  it.each(['web-1.example.com', '(none)', 'hôst-日本-😀', 'x'.repeat(255)])('may be %j', (hostname) => {
    expect(started('agent', hostname)).not.toThrow();
    expect(load({ flags: { 'collect.hostname': hostname } }).settings.collect.hostname).toBe(hostname);
  });

  it('is not taken from the settings with half of a character or a control character in it', () => {
    for (const escaped of ['\\ud800x', 'a\\u001b[31m', 'a\\x7f']) {
      expect(() => load({ yaml: `collect: { hostname: "${escaped}" }` })).toThrow('collect.hostname');
    }
  });
});

describe('settings that do not go together', () => {
  it.each([
    ['a certificate without its key', { 'kafka.tls.enabled': true, 'kafka.tls.cert': '/c' }, {}, 'kafka.tls.key'],
    ['a key without its certificate', { 'kafka.tls.enabled': true, 'kafka.tls.key': '/k' }, {}, 'kafka.tls.cert'],
    ['TLS files without TLS', { 'kafka.tls.ca': '/ca' }, {}, 'kafka.tls.enabled is false'],
    [
      'a mechanism without a password',
      { 'kafka.sasl.mechanism': 'plain', 'kafka.sasl.username': 'u' },
      {},
      'kafka.sasl.password',
    ],
    ['a mechanism without a user', { 'kafka.sasl.mechanism': 'plain' }, SECRET, 'kafka.sasl.username'],
    ['a password without a mechanism', {}, SECRET, 'kafka.sasl.mechanism'],
    ['a first wait above the last', { 'backoff.base': '2m' }, {}, 'backoff.base: 2m is more than backoff.cap, 1m'],
    ['an age below the interval', { 'collect.interval': '1h', 'spool.max_age': '1m' }, {}, 'spool.max_age'],
    ['a linger that outlasts the samples', { 'ship.linger': '2m', 'spool.max_age': '2m' }, {}, 'ship.linger: 2m'],
    ['the database in the spool', { 'spool.path': '/s', 'sqlite.path': '/x/../s' }, {}, 'sqlite.path'],
  ])('%s', (_, flags, env, named) => {
    const error = check('agent', { ...BROKERS, ...flags }, env);
    expect(error?.code).toBe('SETTINGS_INVALID');
    expect(error?.message).toContain(named);
    expect(error?.message).not.toContain('hunter2');
  });

  it('tells a batch that is larger than its bound', () => {
    const flags = { ...BROKERS, 'writer.sink': 'sqlite', 'writer.batch_size': 200, 'writer.batch_max': 100 };
    expect(check('writer', flags)?.message).toBe('writer.batch_size: 200 is more than writer.batch_max, 100');
  });

  it('tells them together with brokers that are missing', () => {
    const error = check('agent', { 'backoff.base': '2m' });
    expect(error?.code).toBe('SETTINGS_INVALID');
    expect(error?.message).toContain('kafka.brokers');
    expect(error?.message).toContain('backoff.base');
  });

  it('only warns of what works and is seldom meant', () => {
    const plain = { 'kafka.sasl.mechanism': 'plain', 'kafka.sasl.username': 'u' };
    expect(load({ flags: plain, env: SECRET }).warnings).toHaveLength(1);
    expect(load({ flags: { ...plain, 'kafka.tls.enabled': true }, env: SECRET }).warnings).toEqual([]);
    const scram = { ...plain, 'kafka.sasl.mechanism': 'scram-sha-512' };
    expect(load({ flags: scram, env: SECRET }).warnings).toEqual([expect.stringContaining('can be guessed')]);
    expect(load({ flags: { ...scram, 'kafka.tls.enabled': true }, env: SECRET }).warnings).toEqual([]);
    const open = { mode: 'writer', 'sqlserver.encrypt': 'false' };
    expect(load({ flags: open }).warnings).toEqual([expect.stringContaining('go over the network readable')]);
    expect(load({ flags: { ...open, 'writer.sink': 'sqlite' } }).warnings).toEqual([]);
    expect(load({ flags: { 'ship.batch_bytes': '2MiB' } }).warnings[0]).toContain('max.message.bytes');
    expect(load({ flags: { 'sqlserver.trust_server_certificate': true } }).warnings).toEqual([]);
    const writer = { mode: 'writer', 'sqlserver.trust_server_certificate': true };
    expect(load({ flags: writer }).warnings[0]).toContain('any certificate');
  });
});

describe('an endpoint that others can reach', () => {
  const warnings = (flags: Record<string, unknown>, env = {}) => load({ flags, env }).warnings.join('\n');
  const TOKEN = { HOSTSPOOL_HTTP_TOKEN: 'hunter2' };

  it.each(['0.0.0.0:9464', '[::]:9464', '10.0.0.1:9464', 'web-1:9464', '128.0.0.1:9464', '127.0.0.1.example.com:80'])(
    'is a warning without a token, and without TLS for it: %s',
    (address) => {
      expect(warnings({ 'http.address': address })).toContain('http.token');
      expect(warnings({ 'http.address': address }, TOKEN)).toContain('http.tls');
      const tls = { 'http.tls.cert': '/c', 'http.tls.key': '/k' };
      expect(warnings({ 'http.address': address, ...tls }, TOKEN)).toBe('');
    },
  );

  it.each(['', '127.0.0.1:9464', '127.1.2.3:0', 'localhost:9464', '[::1]:9464'])('is none at %s', (address) => {
    expect(warnings({ 'http.address': address })).toBe('');
  });

  it('needs certificate and key together', () => {
    expect(check('local', { 'http.tls.cert': '/c' })?.message).toContain('http.tls.key');
    expect(check('agent', { ...BROKERS, 'http.tls.key': '/k' })?.message).toContain('http.tls.cert');
  });

  it('takes a token that nobody sees on a command line', () => {
    expect(() => load({ flags: { 'http.token': 'hunter2' } })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });
});

describe('what a reload changes', () => {
  const before = load({ flags: BROKERS }).settings;
  const changes = (flags: Record<string, unknown>, env = {}) =>
    liveChanges(before, before, load({ flags: { ...BROKERS, ...flags }, env }).settings);

  it('is nothing when nothing changed, however it is written', () => {
    expect(changes({ 'collect.interval': '5000ms', 'spool.max_bytes': '0.5GiB' })).toEqual({ live: {}, restart: [] });
  });

  it('tells live settings with their new value from those that need a restart', () => {
    expect(
      changes({ 'collect.interval': '10s', 'log.level': 'debug', 'ship.max_rate': 5, 'kafka.topic': 'x' }),
    ).toEqual({
      live: { 'collect.interval': 10_000, 'ship.max_rate': 5, 'log.level': 'debug' },
      restart: ['kafka.topic'],
    });
  });

  it('names what waits for a restart at every reload until then, and a live change once', () => {
    const flags = { ...BROKERS, 'kafka.topic': 'x', 'collect.interval': '10s' };
    const first = load({ flags }).settings;
    expect(liveChanges(before, first, load({ flags }).settings)).toEqual({ live: {}, restart: ['kafka.topic'] });
    expect(liveChanges(before, first, before)).toEqual({ live: { 'collect.interval': 5000 }, restart: [] });
  });

  it('names a secret that changed, without its value', () => {
    expect(changes({}, SECRET)).toEqual({ live: { 'kafka.sasl.password': '[secret]' }, restart: [] });
    const live = changes({}, { HOSTSPOOL_HTTP_TOKEN: 'hunter2' });
    expect(live).toEqual({ live: { 'http.token': '[secret]' }, restart: [] });
  });
});
