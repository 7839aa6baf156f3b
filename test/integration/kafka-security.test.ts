/** TLS and logins, against the broker where it takes a broker, against a bare TLS server where a certificate is wrong. */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KafkaAccess } from '../../src/kafka/access.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import type { HostspoolError } from '../../src/lib/errors.ts';
import type { Log } from '../../src/lib/log.ts';
import { createTopic } from '../support/broker.ts';
import { type Certificate, CertificateAuthority, type CertificateOptions } from '../support/broker-certificates.ts';
import { kafkaSettings, readTopic, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { Scratch } from '../support/executable.ts';
import { GroupMember } from '../support/group-member.ts';
import { listenOldTls } from '../support/old-tls.ts';

const { addresses, missing } = testBroker();
const scratch = new Scratch();
const logged: string[] = [];
const log: Log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [
    level,
    (fields: object, message?: string) => void logged.push(JSON.stringify({ level, ...fields, message })),
  ]),
) as unknown as Log;

function file(name: string, content: string): string {
  mkdirSync(scratch.path, { recursive: true });
  const path = join(scratch.path, name);
  writeFileSync(path, content);
  return path;
}

async function sendOne(brokers: string, topic: string, more: Record<string, unknown>): Promise<void> {
  const producer = KafkaProducer.create(
    kafkaSettings(brokers, { request_timeout: '5s', ...more }),
    log,
    new SystemClock(),
  );
  try {
    await producer.send(topic, [{ key: 'web-1', value: 'hello' }]);
  } finally {
    await producer.close();
  }
}

async function failure(sending: Promise<void>): Promise<HostspoolError> {
  return sending.then(
    () => expect.fail('the send resolved'),
    (error: HostspoolError) => error,
  );
}

afterAll(() => scratch[Symbol.dispose]());

describe.skipIf(missing !== undefined)(`logging in to Kafka (${missing ?? addresses.sasl.bootstrap})`, () => {
  const { sasl, mutual, bootstrap } = addresses;
  let topic: string;
  let tls: Record<string, unknown>;

  beforeAll(async () => {
    topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    tls = { enabled: true, ca: file('ca.pem', addresses.ca) };
  });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])('logs in with %s over TLS and sends', async (mechanism) => {
    const before = (await readTopic(bootstrap, topic)).length;
    await sendOne(sasl.bootstrap, topic, {
      tls,
      sasl: { mechanism, username: sasl.username, password: sasl.password },
    });
    expect(await readTopic(bootstrap, topic)).toHaveLength(before + 1);
  });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
    'says that %s refused a wrong password, and tells it nowhere',
    async (mechanism) => {
      const password = 'Zauberwort-7!';
      logged.length = 0;
      const error = await failure(
        sendOne(sasl.bootstrap, topic, { tls, sasl: { mechanism, username: sasl.username, password } }),
      );
      expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION', retryable: false });
      const told = `${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error.cause)} ${logged.join('\n')}`;
      expect(told).not.toContain(password);
      expect(told).not.toContain(Buffer.from(password).toString('base64'));
      expect(logged.filter((line) => !line.includes('"level":"debug"'))).toEqual([]);
    },
  );

  it('says that a broker without logins refuses one', async () => {
    const login = { mechanism: 'plain', username: sasl.username, password: sasl.password };
    expect(await failure(sendOne(bootstrap, topic, { sasl: login }))).toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
  });

  it('shows its own certificate where the broker wants one', async () => {
    const cert = file('client.pem', mutual.client.cert);
    const key = file('client-key.pem', mutual.client.key);
    await sendOne(mutual.bootstrap, topic, { tls: { ...tls, cert, key } });
  });

  it('says that the broker wants a certificate and got none, or one of a stranger', async () => {
    const none = await failure(sendOne(mutual.bootstrap, topic, { tls }));
    expect(none.code).toMatch(/^KAFKA_(TLS|UNREACHABLE)$/);
    expect(none.hint).toMatch(/kafka\.tls/);
    const stranger = new CertificateAuthority('a stranger').issue({ commonName: 'client' });
    const cert = file('stranger.pem', stranger.cert);
    const key = file('stranger-key.pem', stranger.key);
    const refused = await failure(sendOne(mutual.bootstrap, topic, { tls: { ...tls, cert, key } }));
    expect(refused.code).toMatch(/^KAFKA_(TLS|UNREACHABLE)$/);
  });

  it('says what to set when one side speaks TLS and the other does not', async () => {
    const plainToTls = await failure(sendOne(sasl.bootstrap, topic, {}));
    expect(plainToTls).toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
    expect(plainToTls.hint).toContain('kafka.tls.enabled');
    const tlsToPlain = await failure(sendOne(bootstrap, topic, { tls }));
    expect(tlsToPlain.hint).toContain('kafka.tls.enabled');
  });
});

describe.skipIf(missing !== undefined)('renewed access to Kafka', () => {
  const { bootstrap, mutual } = addresses;
  const stranger = new CertificateAuthority('a stranger').issue({ commonName: 'client' });

  function shown(client: Certificate) {
    return {
      ca: file('ca.pem', addresses.ca),
      cert: file('now.pem', client.cert),
      key: file('now-key.pem', client.key),
    };
  }

  it('is used from the next send on, and bad files change nothing', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    const settings = kafkaSettings(mutual.bootstrap, {
      request_timeout: '5s',
      tls: { enabled: true, ...shown(mutual.client) },
    });
    const access = new KafkaAccess(settings, log);
    const producer = KafkaProducer.create(settings, log, new SystemClock(), access);
    const send = (value: string) => producer.send(topic, [{ key: 'web-1', value }]);
    try {
      await send('1');
      file('now.pem', 'half a fi');
      access.renew(settings);
      await send('2');
      shown(stranger);
      // Nobody was told yet: the connection that is open stays.
      await send('3');
      access.renew(settings);
      expect((await failure(send('refused'))).code).toMatch(/^KAFKA_(TLS|UNREACHABLE)$/);
      shown(mutual.client);
      access.renew(settings);
      await send('4');
    } finally {
      await producer.close();
    }
    expect((await readTopic(bootstrap, topic)).map(({ value }) => value)).toEqual(['1', '2', '3', '4']);
  });

  it('replaces a group member’s connections within its session, and nothing is left out or read twice', async () => {
    const topic = uniqueTopic();
    await createTopic(bootstrap, topic);
    const settings = kafkaSettings(mutual.bootstrap, {
      topic,
      group: topic,
      tls: { enabled: true, ...shown(mutual.client) },
    });
    const access = new KafkaAccess(settings, log);
    await using member = GroupMember.start({ settings, access });
    const producer = KafkaProducer.create(kafkaSettings(bootstrap, {}), log, new SystemClock());
    const sent: string[] = [];
    const send = async () => {
      sent.push(String(sent.length));
      await producer.send(topic, [{ key: 'web-1', value: String(sent.length - 1) }]);
      await expect.poll(() => member.loaded.values).toEqual(sent);
    };
    try {
      for (let round = 0; round < 3; round++) {
        await send();
        shown(renewed(mutual.client));
        access.renew(settings);
      }
      await send();
    } finally {
      await producer.close();
    }
    expect(access.version).toBe(4);
    expect(member.sessions).toHaveLength(1);
    expect(member.failures).toEqual([]);
    expect(member.loaded.refused).toBe(0);
  });
});

/** The same certificate in a file with other bytes. */
let renewals = 0;
function renewed({ cert, key }: Certificate): Certificate {
  return { cert: `${'# renewed\n'.repeat(++renewals)}${cert}`, key };
}

describe('a broker’s certificate', () => {
  const authority = new CertificateAuthority();
  const good: CertificateOptions = { commonName: 'broker', names: ['127.0.0.1'] };
  const ca = () => file('own-ca.pem', authority.cert);

  /** What a send says to a TLS server with this certificate. */
  async function against(
    options: CertificateOptions,
    issuer = authority,
    trusted: string | null = ca(),
  ): Promise<HostspoolError> {
    const server = createServer(issuer.issue(options));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const tls = { enabled: true, ...(trusted === null ? {} : { ca: trusted }) };
      return await failure(sendOne(`127.0.0.1:${port}`, 'any', { tls, request_timeout: '1s' }));
    } finally {
      server.close();
    }
  }

  it('is accepted when it is sound: then only the answer is missing', async () => {
    expect(await against(good)).toMatchObject({ code: 'KAFKA_TIMEOUT' });
  });

  it('that has expired is told as expired', async () => {
    const error = await against({ ...good, notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') });
    expect(error).toMatchObject({ code: 'KAFKA_TLS', retryable: false });
    expect(error.message).toContain('has expired');
  });

  it('that is not valid yet is told so', async () => {
    const error = await against({ ...good, notBefore: new Date('2090-01-01'), notAfter: new Date('2091-01-01') });
    expect(error.message).toContain('not valid yet');
  });

  it('for another name is told so', async () => {
    const error = await against({ ...good, names: ['kafka.example.com'] });
    expect(error).toMatchObject({ code: 'KAFKA_TLS' });
    expect(error.message).toContain('for another name');
  });

  it('is looked at whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      expect(await against(good, new CertificateAuthority())).toMatchObject({ code: 'KAFKA_TLS' });
      expect(await against({ ...good, names: ['kafka.example.com'] })).toMatchObject({ code: 'KAFKA_TLS' });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('does not help a broker that speaks no TLS later than 1.1', async () => {
    await using old = await listenOldTls(authority.issue(good));
    const tls = { enabled: true, ca: ca() };
    const error = await failure(sendOne(`127.0.0.1:${old.port}`, 'any', { tls, request_timeout: '5s' }));
    expect(error).toMatchObject({ code: 'KAFKA_TLS', message: expect.stringContaining('1.2 at least') });
    expect(old.secured()).toBe(0);
  });

  it('of an authority that is not trusted is told so, with the setting to change', async () => {
    for (const error of [await against(good, new CertificateAuthority()), await against(good, authority, null)]) {
      expect(error).toMatchObject({ code: 'KAFKA_TLS' });
      expect(error.message).toContain('an authority that is not trusted');
      expect(error.hint).toContain('kafka.tls.ca');
    }
  });
});
