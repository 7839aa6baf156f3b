/** `hostspool check` in broken worlds: each must name the true cause, and nothing else. The brokers' side. */

import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CheckReport } from '../../src/operate/check/plan.ts';
import { Broker, type BrokerAddresses, createTopic, SASL_USER, withAdmin } from '../support/broker.ts';
import { CertificateAuthority, type CertificateOptions } from '../support/broker-certificates.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { failures, found, runCheck } from '../support/check-worlds.ts';
import { Scratch } from '../support/executable.ts';
import { freePort } from '../support/proxy.ts';

const { addresses, missing } = testBroker();
const { bootstrap, sasl, mutual } = addresses;
const scratch = new Scratch();
const servers: Server[] = [];
let topic: string;

const GOOD_TOPIC = { 'message.timestamp.type': 'LogAppendTime', 'retention.ms': '604800000' };

function agent(
  brokers: string,
  more: Readonly<Record<string, string>> = {},
  env: NodeJS.ProcessEnv = {},
  limit?: number,
) {
  const flags = { 'kafka.brokers': brokers, 'kafka.topic': topic, 'spool.path': scratch.file('spool.db'), ...more };
  return runCheck({ ...flags, 'spool.min_free': '0' }, env, limit);
}

/** The flags and the environment of a login over TLS. */
function login(password: string, mechanism = 'scram-sha-512'): [Record<string, string>, NodeJS.ProcessEnv] {
  const flags = {
    'kafka.tls.enabled': 'true',
    'kafka.tls.ca': scratch.file('ca.pem'),
    'kafka.sasl.mechanism': mechanism,
    'kafka.sasl.username': SASL_USER,
  };
  return [flags, { HOSTSPOOL_KAFKA_SASL_PASSWORD: password }];
}

async function listening(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What rests on a failure is left out, and says on what. */
function expectOnly(report: CheckReport, name: string, code: string): void {
  expect(failures(report)).toEqual([`${name} ${code}`]);
  expect(report.state).toBe('failed');
  expect(found(report, name).hint).toBeTruthy();
  for (const { state, rests_on } of report.checks) if (state === 'skipped') expect(rests_on).toContain(name);
}

beforeAll(async () => {
  topic = uniqueTopic();
  writeFileSync(scratch.file('ca.pem'), addresses.ca);
  if (missing === undefined) await createTopic(bootstrap, topic, { partitions: 3, config: GOOD_TOPIC });
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => scratch[Symbol.dispose]());

describe('a broker that is not there', () => {
  it('has a name that nobody knows', async () => {
    const report = await agent('broker.invalid:9092');
    expect(failures(report)).toEqual(['broker.name KAFKA_UNREACHABLE']);
    expect(found(report, 'broker.name').finding).toMatch(/no such host name|cannot be resolved/);
  });

  it('has a port on which nothing listens', async () => {
    const report = await agent(`127.0.0.1:${await freePort()}`);
    expectOnly(report, 'broker.tcp', 'KAFKA_UNREACHABLE');
    expect(found(report, 'broker.tcp').finding).toContain('connection refused');
  });

  it('takes connections and says nothing, and the check ends all the same', async () => {
    const address = await listening(createServer());
    const report = await agent(address, {}, {}, 2000);
    expectOnly(report, 'broker.login', 'KAFKA_TIMEOUT');
    const overTls = await agent(address, { 'kafka.tls.enabled': 'true' }, {}, 2000);
    expectOnly(overTls, 'broker.tls', 'CHECK_TIMEOUT');
  });

  it('is something else than Kafka', async () => {
    const address = await listening(
      createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad\r\n\r\n')),
    );
    const report = await agent(address);
    expect(report.state).toBe('failed');
    expect(found(report, 'broker.login').finding).toContain(address);
  });
});

describe('a certificate', () => {
  const authority = new CertificateAuthority('our own');
  const good: CertificateOptions = { commonName: 'broker', names: ['127.0.0.1'] };

  async function against(options: CertificateOptions, issuer = authority): Promise<CheckReport> {
    writeFileSync(scratch.file('own.pem'), authority.cert);
    const address = await listening(createTlsServer(issuer.issue(options)));
    return agent(address, { 'kafka.tls.enabled': 'true', 'kafka.tls.ca': scratch.file('own.pem') }, {}, 2000);
  }

  it.each([
    [
      'has expired',
      { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') },
      'has expired (on 2021-01-01)',
    ],
    [
      'is not valid yet',
      { notBefore: new Date('2090-01-01'), notAfter: new Date('2091-01-01') },
      '(from 2090-01-01 on)',
    ],
    ['is for another name', { names: ['kafka.example.com'] }, 'for another name (DNS:kafka.example.com)'],
  ])('%s', async (_what, change, says) => {
    const report = await against({ ...good, ...change });
    expectOnly(report, 'broker.tls', 'KAFKA_TLS');
    expect(found(report, 'broker.tls').finding).toContain(says);
  });

  it('comes from an authority that nobody trusts', async () => {
    const report = await against(good, new CertificateAuthority('a stranger'));
    expectOnly(report, 'broker.tls', 'KAFKA_TLS');
    expect(found(report, 'broker.tls').finding).toContain('“a stranger”');
    expect(found(report, 'broker.tls').hint).toContain('kafka.tls.ca');
  });

  it('is sound, and runs out in a week', async () => {
    const report = await against({
      ...good,
      notBefore: new Date(Date.now() - 60 * 86_400_000),
      notAfter: new Date(Date.now() + 7.5 * 86_400_000),
    });
    expect(found(report, 'broker.tls')).toMatchObject({
      state: 'warning',
      code: 'KAFKA_TLS_EXPIRES',
      detail: { tls_version: 'TLSv1.3', certificate_days_left: 7 },
    });
  });

  it.each([
    ['this client’s own', 'kafka.tls.cert', 9.5],
    ['the authority’s', 'kafka.tls.ca', 5.5],
  ])('runs out in days in a file: %s', async (_whose, setting, days) => {
    const authority = new CertificateAuthority();
    const good = {
      notBefore: new Date(Date.now() - 60 * 86_400_000),
      notAfter: new Date(Date.now() + 90 * 86_400_000),
    };
    const ending = { ...good, notAfter: new Date(Date.now() + days * 86_400_000) };
    const of = (name: string) => authority.issue({ commonName: name, ...(name === setting ? ending : good) });
    const client = of('kafka.tls.cert');
    writeFileSync(scratch.file('own.pem'), client.cert);
    writeFileSync(scratch.file('own.key'), client.key);
    writeFileSync(scratch.file('some-ca.pem'), of('kafka.tls.ca').cert);
    const report = await agent('127.0.0.1:1', {
      'kafka.tls.enabled': 'true',
      'kafka.tls.ca': scratch.file('some-ca.pem'),
      'kafka.tls.cert': scratch.file('own.pem'),
      'kafka.tls.key': scratch.file('own.key'),
    });
    expect(found(report, 'kafka.files')).toMatchObject({
      state: 'warning',
      code: 'KAFKA_TLS_EXPIRES',
      hint: expect.stringContaining(setting === 'kafka.tls.ca' ? 'kafka.tls.ca' : 'client'),
      detail: { certificate_days_left: Math.floor(days) },
    });
  });

  it('is asked for in a file that holds none', async () => {
    writeFileSync(scratch.file('letter.pem'), 'a letter');
    const report = await agent('127.0.0.1:1', {
      'kafka.tls.enabled': 'true',
      'kafka.tls.ca': scratch.file('letter.pem'),
    });
    expect(found(report, 'kafka.files')).toMatchObject({ state: 'failed', code: 'KAFKA_TLS_FILE' });
  });
});

describe.skipIf(missing !== undefined)(`the broker (${missing ?? bootstrap})`, () => {
  it('is in order for an agent: only what one broker can’t give is to look at', async () => {
    const report = await agent(bootstrap);
    expect(failures(report)).toEqual([]);
    const toLookAt = report.checks.filter(({ state }) => state !== 'ok').map(({ name }) => name);
    expect(toLookAt.filter((name) => !name.startsWith('spool'))).toEqual(['topic.replicas']);
    expect(found(report, 'topic').detail).toEqual({ topic, partitions: 3 });
    expect(found(report, 'topic.rights')).toMatchObject({ state: 'ok', detail: { write: true } });
  });

  it('has a name that does not resolve beside one that works', async () => {
    const report = await agent(`broker.invalid:9092,${bootstrap}`);
    expect(failures(report)).toEqual(['broker.name KAFKA_UNREACHABLE']);
    expect(found(report, 'topic').state).toBe('ok');
  });

  it('advertises a name that can’t be reached', async () => {
    const report = await agent(addresses.proxyTarget);
    expectOnly(report, 'cluster', 'KAFKA_UNREACHABLE');
    expect(found(report, 'cluster').finding).toContain(`advertised as ${addresses.proxied}`);
    expect(found(report, 'cluster').hint).toContain('advertised.listeners');
  });

  it('has no such topic, and gets none made', async () => {
    const absent = uniqueTopic();
    expectOnly(await agent(bootstrap, { 'kafka.topic': absent }), 'topic', 'KAFKA_UNKNOWN_TOPIC');
    expectOnly(await agent(bootstrap, { 'kafka.topic': absent }), 'topic', 'KAFKA_UNKNOWN_TOPIC');
  });

  it('has a topic that compacts, forgets within the hour, takes too little, and goes by the hosts’ clocks', async () => {
    const other = uniqueTopic();
    const config = { 'cleanup.policy': 'compact,delete', 'retention.ms': '3600000', 'max.message.bytes': '2000' };
    await createTopic(bootstrap, other, { config });
    const report = await agent(bootstrap, { 'kafka.topic': other });
    expect(failures(report)).toEqual(['topic.policy KAFKA_TOPIC_COMPACTED', 'topic.size KAFKA_MESSAGE_TOO_LARGE']);
    expect(found(report, 'topic.retention')).toMatchObject({ state: 'warning', code: 'KAFKA_TOPIC_RETENTION' });
    expect(found(report, 'topic.time')).toMatchObject({ state: 'warning', code: 'KAFKA_TOPIC_TIME' });
  });

  it('wants more replicas in sync than there are', async () => {
    const other = uniqueTopic();
    await createTopic(bootstrap, other, { config: { ...GOOD_TOPIC, 'min.insync.replicas': '2' } });
    const report = await agent(bootstrap, { 'kafka.topic': other });
    expect(failures(report)).toEqual(['topic.replicas KAFKA_NOT_ENOUGH_REPLICAS']);
  });

  it('is in order for a writer, and made no dead-letter topic', async () => {
    const flags = { mode: 'writer', 'writer.sink': 'sqlite', 'sqlite.path': scratch.file('metrics.db') };
    const report = await agent(bootstrap, flags);
    expect(failures(report)).toEqual([]);
    expect(found(report, 'group')).toMatchObject({ state: 'ok' });
    expect(found(report, 'dead_letters')).toMatchObject({ state: 'ok', detail: { exists: false } });
    expect(await withAdmin(bootstrap, (admin) => admin.listTopics())).not.toContain(`${topic}.dlq`);
  });
});

describe.skipIf(missing !== undefined)(`SASL_SSL with SCRAM-SHA-512 (${missing ?? sasl.bootstrap})`, () => {
  it('works with the authority’s file', async () => {
    const report = await agent(sasl.bootstrap, ...login(sasl.password));
    expect(failures(report)).toEqual([]);
    expect(found(report, 'broker.login')).toMatchObject({ state: 'ok', detail: { mechanism: 'scram-sha-512' } });
    expect(found(report, 'broker.tls').detail).toMatchObject({ tls_version: 'TLSv1.3' });
    expect(JSON.stringify(report)).not.toContain(sasl.password);
  });

  it('is refused without it', async () => {
    const [{ 'kafka.tls.ca': _, ...flags }, env] = login(sasl.password);
    expectOnly(await agent(sasl.bootstrap, flags, env), 'broker.tls', 'KAFKA_TLS');
  });

  it('says in a line that the password is wrong, and does not tell it', async () => {
    const report = await agent(sasl.bootstrap, ...login('Zauberwort-7'));
    expectOnly(report, 'broker.login', 'KAFKA_AUTHENTICATION');
    expect(found(report, 'broker.login').finding).not.toContain('\n');
    expect(JSON.stringify(report)).not.toContain('Zauberwort');
  });

  it('is refused where the certificate is for another name', async () => {
    const [flags, env] = login(sasl.password);
    // Another way to write its address, which its certificate does not have.
    const report = await agent(sasl.bootstrap.replace('127.0.0.1', '127.1'), flags, env);
    expectOnly(report, 'broker.tls', 'KAFKA_TLS');
    expect(found(report, 'broker.tls').finding).toContain('for another name');
  });

  it('is told as what is missing when the settings have neither TLS nor a login', async () => {
    const plain = await agent(sasl.bootstrap);
    expectOnly(plain, 'broker.login', 'KAFKA_TLS');
    expect(found(plain, 'broker.login').hint).toContain('kafka.tls.enabled');
    const tls = { 'kafka.tls.enabled': 'true', 'kafka.tls.ca': scratch.file('ca.pem') };
    const anonymous = await agent(sasl.bootstrap, tls);
    expectOnly(anonymous, 'broker.login', 'KAFKA_AUTHENTICATION');
    const overPlain = await agent(bootstrap, tls);
    expectOnly(overPlain, 'broker.tls', 'KAFKA_TLS');
    expect(found(overPlain, 'broker.tls').hint).toContain('kafka.tls.enabled to false');
    const { 'kafka.tls.enabled': _on, 'kafka.tls.ca': _ca, ...sasled } = login('x')[0];
    const loginUnwanted = await agent(bootstrap, sasled, login('x')[1]);
    expectOnly(loginUnwanted, 'broker.login', 'KAFKA_AUTHENTICATION');
    expect(found(loginUnwanted, 'broker.login').finding).toContain('takes no login on this port');
    const certificateWanted = await agent(mutual.bootstrap, tls);
    expectOnly(certificateWanted, 'broker.login', 'KAFKA_TLS');
    expect(found(certificateWanted, 'broker.login').hint).toContain('kafka.tls.cert');
  });
});

describe.skipIf(missing !== undefined)('a broker with rights', () => {
  let broker: Broker;
  let at: BrokerAddresses;

  beforeAll(async () => {
    const properties = {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'group.max.session.timeout.ms': '20000',
    };
    broker = await Broker.start({ properties });
    at = broker.addresses;
    writeFileSync(scratch.file('ca.pem'), at.ca);
    for (const name of ['seen', 'open', 'readable']) await broker.createTopic(name, { config: GOOD_TOPIC });
    const { ALLOW } = AclPermissionTypes;
    const { DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE } = AclOperationTypes;
    const grant = (resourceName: string, operation: AclOperationTypes, resourceType = AclResourceTypes.TOPIC) => ({
      resourceType,
      resourceName,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${SASL_USER}`,
      host: '*',
      operation,
      permissionType: ALLOW,
    });
    await withAdmin(at.bootstrap, (admin) =>
      admin.createAcls({
        acl: [
          grant('seen', DESCRIBE),
          grant('open', WRITE),
          grant('open', DESCRIBE_CONFIGS),
          grant('readable', READ),
          grant('readers', READ, AclResourceTypes.GROUP),
          grant('watchers', DESCRIBE, AclResourceTypes.GROUP),
        ],
      }),
    );
  });

  afterAll(() => broker?.stop());

  const asked = (name: string, more: Readonly<Record<string, string>> = {}) => {
    const [flags, env] = login(at.sasl.password);
    return agent(at.sasl.bootstrap, { ...flags, 'kafka.topic': name, ...more }, env);
  };
  const writing = { mode: 'writer', 'writer.sink': 'sqlite', 'sqlite.path': scratch.file('metrics.db') };

  it('tells whether an agent may write', async () => {
    const seen = await asked('seen');
    expect(failures(seen)).toEqual(['topic.rights KAFKA_AUTHORIZATION']);
    expect(found(seen, 'topic.rights').hint).toContain('Write');
    // What the right to look at is missing for is no failure.
    expect(found(seen, 'topic.config')).toMatchObject({ state: 'skipped', code: null });
    const open = await asked('open');
    expect(failures(open)).toEqual([]);
    expect(found(open, 'topic.policy').state).toBe('ok');
  });

  it('tells that it does not allow the session timeout', async () => {
    const report = await agent(at.bootstrap, { ...writing, 'kafka.topic': 'readable' });
    expect(failures(report)).toEqual(['group KAFKA_SESSION_TIMEOUT']);
    expect(found(report, 'group').finding).toContain('1s to 20s');
    const shorter = await agent(at.bootstrap, {
      ...writing,
      'kafka.topic': 'readable',
      'kafka.session_timeout': '20s',
    });
    expect(failures(shorter)).toEqual([]);
  });

  it('tells that a topic may not even be seen', async () => {
    expectOnly(await asked('hidden'), 'topic', 'KAFKA_AUTHORIZATION');
  });

  it('tells whether a writer may read, join its group and keep dead letters', async () => {
    const fine = await asked('readable', { ...writing, 'kafka.group': 'readers' });
    expect(found(fine, 'topic.rights').state).toBe('ok');
    expect(found(fine, 'group').state).toBe('ok');
    expect(found(fine, 'dead_letters').code).toMatch(/^KAFKA_(AUTHORIZATION|UNKNOWN_TOPIC)$/);
    const watching = await asked('open', { ...writing, 'kafka.group': 'watchers' });
    expect(failures(watching)).toContain('topic.rights KAFKA_AUTHORIZATION');
    expect(failures(watching)).toContain('group KAFKA_AUTHORIZATION');
  });
});
