import { describe, expect, it } from 'vitest';
import { settingEntries } from '../../../src/config/catalog.ts';
import { load, loadError } from './scratch.ts';

const settingsOf = (env: NodeJS.ProcessEnv) => load({ env }).settings;

describe('HOSTSPOOL_ variables', () => {
  it('has one for each setting, no two the same', () => {
    const variables = settingEntries.map(({ variable }) => variable);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables).toContain('HOSTSPOOL_SQLSERVER_TRUST_SERVER_CERTIFICATE');
    expect(variables).not.toContain('HOSTSPOOL_CONFIG');
  });

  it('counts an empty one as unset', () => {
    expect(settingsOf({ HOSTSPOOL_KAFKA_TOPIC: '', HOSTSPOOL_NO_SUCH_THING: '' }).kafka.topic).toBe('server-metrics');
  });

  it('stops at one that is no setting, without showing its value', () => {
    const { message } = loadError({ env: { HOSTSPOOL_KAFKA_SASL_PASWORD: 'hunter2' } });
    expect(message).toContain('did you mean HOSTSPOOL_KAFKA_SASL_PASSWORD?');
    expect(message).not.toContain('hunter2');
  });

  it('leaves those of the tests alone', () => {
    expect(load({ env: { HOSTSPOOL_TEST_BROKER: 'a:1' } }).warnings).toEqual([]);
  });
});

describe('the names that such pipelines already use', () => {
  it('understands each of them', () => {
    const settings = settingsOf({
      KAFKA_BOOTSTRAP_SERVERS: 'k1:9093, k2',
      KAFKA_TOPIC: 'metrics',
      KAFKA_CONSUMER_GROUP: 'loaders',
      COLLECTION_INTERVAL_SECONDS: '0.25',
      DB_HOST: 'db.example.com',
      DB_PORT: '1444',
      DB_NAME: 'hosts',
      DB_USER: 'loader',
      DB_PASSWORD: ' with spaces ',
      BATCH_SIZE: '1000',
      BATCH_TIMEOUT_SECONDS: '1.1',
      LOG_LEVEL: 'WARNING',
    });
    expect(settings.kafka).toMatchObject({ brokers: ['k1:9093', 'k2:9092'], topic: 'metrics', group: 'loaders' });
    expect(settings.collect.interval).toBe(250);
    expect(settings.sqlserver).toMatchObject({ host: 'db.example.com', port: 1444, database: 'hosts', user: 'loader' });
    expect(settings.sqlserver.password).toBe(' with spaces ');
    expect(settings.writer).toMatchObject({ batch_size: 1000, batch_timeout: 1100 });
    expect(settings.log.level).toBe('warn');
  });

  it.each([
    ['INFO', 'info'],
    ['DEBUG', 'debug'],
    ['CRITICAL', 'fatal'],
    ['notset', 'trace'],
    ['warn', 'warn'],
  ])('takes LOG_LEVEL=%s for %s', (given, level) => {
    expect(settingsOf({ LOG_LEVEL: given }).log.level).toBe(level);
  });

  it.each([
    ['db', 'db', 1433],
    ['db,1455', 'db', 1455],
    ['tcp:db,1455', 'db', 1455],
    ['db:1455', 'db', 1455],
    ['10.0.0.1', '10.0.0.1', 1433],
    ['fe80::1', 'fe80::1', 1433],
    ['::1,1455', '::1', 1455],
  ])('takes SQL_SERVER=%s for host %s and port %i', (server, host, port) => {
    expect(settingsOf({ SQL_SERVER: server, SQL_DATABASE: 'd' }).sqlserver).toMatchObject({
      host,
      port,
      database: 'd',
    });
  });

  it.each(['db\\SQLEXPRESS', 'db,x', 'a b', 'db,99999'])('refuses SQL_SERVER=%s', (server) => {
    expect(loadError({ env: { SQL_SERVER: server } }).message).toMatch(
      /^sqlserver\.(host|port): .* \(from SQL_SERVER\)$/,
    );
  });

  it.each(['5s', '-1', '0', '1e3', 'NaN', '0x10'])(
    'refuses COLLECTION_INTERVAL_SECONDS=%s, showing it as it is',
    (given) => {
      expect(loadError({ env: { COLLECTION_INTERVAL_SECONDS: given } }).message).toBe(
        `collect.interval: "${given}" is not a number of seconds from 0.1 to 3600, decimals allowed (from COLLECTION_INTERVAL_SECONDS)`,
      );
    },
  );

  it('stops when two names of one setting differ, and takes them when they agree', () => {
    expect(loadError({ env: { DB_HOST: 'a', SQL_SERVER: 'b' } }).message).toBe(
      'sqlserver.host: DB_HOST and SQL_SERVER are set to different values; keep one',
    );
    expect(loadError({ env: { SQL_SERVER: 'a,1444', DB_PORT: '1445' } }).message).toContain('sqlserver.port');
    expect(settingsOf({ DB_HOST: 'a', SQL_SERVER: 'a,1444', DB_PORT: '1444' }).sqlserver).toMatchObject({
      host: 'a',
      port: 1444,
    });
  });

  it('does not look at one that a HOSTSPOOL_ variable or a flag overrules', () => {
    const env = { LOG_LEVEL: 'whatever another program means', DB_HOST: 'a', SQL_SERVER: 'b' };
    const flags = { 'log.level': 'debug' };
    const { settings } = load({ env: { ...env, HOSTSPOOL_SQLSERVER_HOST: 'c' }, flags });
    expect([settings.log.level, settings.sqlserver.host]).toEqual(['debug', 'c']);
  });
});
