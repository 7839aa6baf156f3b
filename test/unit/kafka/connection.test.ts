import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logLevel } from 'kafkajs';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { afterAll, describe, expect, it } from 'vitest';
import { settingsSchema } from '../../../src/config/schema.ts';
import { KafkaConnection } from '../../../src/kafka/connection.ts';
import { quietIdleConnections } from '../../../src/kafka/idle-timer.ts';
import { kafkajsLog } from '../../../src/kafka/log.ts';
import { Sockets } from '../../../src/kafka/sockets.ts';
import { type Log, silentLog } from '../../../src/lib/log.ts';
import { CertificateAuthority } from '../../support/broker-certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'hostspool-kafka-unit-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function open(kafka: Record<string, unknown>, firstBroker = 0): KafkaConnection {
  return KafkaConnection.open({ settings: settingsSchema.parse({ kafka }).kafka, log: silentLog, firstBroker });
}

describe('a connection', () => {
  it('asks the brokers in turn, beginning with the one it is told, and lets kafkajs retry nothing', () => {
    const { config } = open({ brokers: 'a:1,b:2,c:3', client_id: 'me', connect_timeout: '3s' }, 4);
    expect(config).toMatchObject({
      brokers: ['b:2', 'c:3', 'a:1'],
      clientId: 'me',
      retry: { retries: 0 },
      enforceRequestTimeout: false,
      connectionTimeout: 3000,
    });
    expect(config.ssl).toBeUndefined();
    expect(config.sasl).toBeUndefined();
  });

  it('never waits longer for a connection than for an answer', () => {
    expect(open({ brokers: 'a:1', connect_timeout: '60s', request_timeout: '2s' }).config.connectionTimeout).toBe(2000);
  });

  it('hands on a login', () => {
    const sasl = { mechanism: 'scram-sha-512', username: 'u', password: 'p' };
    expect(open({ brokers: 'a:1', sasl }).config.sasl).toEqual(sasl);
  });

  it('says which part of a login is missing', () => {
    const sasl = { mechanism: 'plain', username: 'u' };
    expect(() => open({ brokers: 'a:1', sasl })).toThrow(
      expect.objectContaining({ code: 'KAFKA_SASL_SETTINGS', message: expect.stringContaining('kafka.sasl.password') }),
    );
  });

  it('without brokers says what to set', () => {
    expect(() => open({})).toThrow(expect.objectContaining({ code: 'KAFKA_BROKERS_MISSING' }));
  });
});

/** Said, so that nothing of Node's own takes it away. */
const STRICT = { minVersion: 'TLSv1.2', rejectUnauthorized: true };

describe('the files of TLS', () => {
  const authority = new CertificateAuthority();
  const client = authority.issue({ commonName: 'client' });
  const ca = file('ca.pem', authority.cert);
  const cert = file('cert.pem', client.cert);
  const key = file('key.pem', client.key);
  const broken = file('broken.pem', 'no certificate');

  it('are read for each connection that is opened', () => {
    expect(open({ brokers: 'a:1', tls: { enabled: true, ca, cert, key } }).config.ssl).toEqual({
      ...STRICT,
      ca: authority.cert,
      cert: client.cert,
      key: client.key,
    });
    expect(open({ brokers: 'a:1', tls: { enabled: true } }).config.ssl).toEqual(STRICT);
    expect(open({ brokers: 'a:1', tls: { enabled: false, ca: '/nowhere' } }).config.ssl).toBeUndefined();
  });

  it.each(['ca', 'cert', 'key'])(
    'that are missing or no PEM are told with the setting kafka.tls.%s and the path',
    (name) => {
      for (const path of ['/nowhere/at-all.pem', directory, broken]) {
        const tls = { enabled: true, ca, cert, key, [name]: path };
        const thrown = expect.objectContaining({
          code: 'KAFKA_TLS_FILE',
          message: expect.stringMatching(new RegExp(`kafka\\.tls\\.${name}: ${path}`)),
        });
        expect(() => open({ brokers: 'a:1', tls })).toThrow(thrown);
      }
    },
  );

  it('that do not belong together are told with both', () => {
    const other = file('other-key.pem', authority.issue({ commonName: 'other' }).key);
    const tls = { enabled: true, ca, cert, key: other };
    expect(() => open({ brokers: 'a:1', tls })).toThrow(
      expect.objectContaining({ code: 'KAFKA_TLS_FILE', message: expect.stringContaining(other) }),
    );
  });
});

describe('the sockets of a connection', () => {
  it('reach a broker that is given by an IPv6 address, which kafkajs cannot hold', async () => {
    const server = await listen('::1').catch(() => undefined);
    if (server === undefined) return;
    const { port } = server.address() as { port: number };
    const sockets = new Sockets();
    const [host = '', ...rest] = sockets.alias(`[::1]:${port}`).split(':');
    expect(rest).toEqual([String(port)]);
    await new Promise<void>((resolve) => {
      const socket = sockets.factory({ host, port, ssl: undefined as never, onConnect: resolve });
      socket.on('error', () => undefined);
    });
    expect(sockets.size).toBe(1);
    sockets.destroy();
    server.close();
  });

  it('are all gone after the end, and none can be made any more', async () => {
    const server = await listen('127.0.0.1');
    const { port } = server.address() as { port: number };
    const sockets = new Sockets();
    const errors: Error[] = [];
    const make = () => {
      const socket = sockets.factory({ host: '127.0.0.1', port, ssl: undefined as never, onConnect: () => undefined });
      socket.on('error', (error) => errors.push(error));
    };
    make();
    make();
    expect(sockets.size).toBe(2);
    sockets.destroy();
    await expect.poll(() => sockets.size).toBe(0);
    expect(errors).toHaveLength(2);
    expect(make).toThrow(/given up/);
    server.close();
  });
});

describe('an idle connection of kafkajs', () => {
  it('schedules no timer after an answer when nothing waits, and one when something does', () => {
    quietIdleConnections();
    quietIdleConnections();
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const Queue = RequestQueue as unknown as new (
      options: object,
    ) => RequestQueue & { push(request: object): void; fulfillRequest(answer: object): void; destroy(): void };
    const queue = new Queue({
      maxInFlightRequests: 1,
      requestTimeout: 1000,
      enforceRequestTimeout: false,
      clientId: 'c',
      broker: 'b',
      logger,
    });
    const request = (correlationId: number) => ({
      entry: { correlationId, apiName: 'Produce', resolve() {}, reject() {} },
      expectResponse: true,
      sendRequest() {},
    });
    queue.push(request(1));
    queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 });
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.push(request(2));
    queue.push(request(3));
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    queue.destroy();
  });
});

describe('the log lines of kafkajs', () => {
  const lines: [string, object, string | undefined][] = [];
  const record = (level: string) => (fields: object, message?: string) => void lines.push([level, fields, message]);
  const log: Log = { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') };
  const entry = (level: logLevel, more: object = {}) => ({
    namespace: 'Connection',
    level,
    label: 'ERROR',
    log: { timestamp: '', logger: 'kafkajs', message: 'it failed', ...more },
  });

  it('go to debug, since whoever retries says it once; only known fields pass', () => {
    lines.length = 0;
    const observed: unknown[] = [];
    kafkajsLog(log, (each) => observed.push(each))()(
      entry(logLevel.ERROR, { broker: 'a:1', payload: 'secret', password: 'secret' }) as never,
    );
    expect(lines).toEqual([
      ['debug', { event: 'kafkajs', kafkajs_level: 'error', namespace: 'Connection', broker: 'a:1' }, 'it failed'],
    ]);
    expect(observed).toHaveLength(1);
  });

  it('with requests and answers in them are dropped, whatever kafkajs’ own environment variable asks for', () => {
    lines.length = 0;
    kafkajsLog(log)()(entry(logLevel.DEBUG) as never);
    expect(lines).toEqual([]);
  });
});

async function listen(host: string): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  return server;
}
