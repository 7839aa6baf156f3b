import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogFields } from '../../../src/lib/log.ts';
import type { Condition } from '../../../src/ops/condition.ts';
import type { Observed } from '../../../src/ops/http-answers.ts';
import { HttpEndpoint } from '../../../src/ops/http-endpoint.ts';
import { HTTP_LIMITS, type HttpLimits } from '../../../src/ops/http-server.ts';
import { CertificateAuthority } from '../../support/broker-certificates.ts';
import { until } from '../../support/executable.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ask, askJson, RawClient } from '../../support/http-client.ts';

type Settings = Parameters<typeof HttpEndpoint.start>[0];

const ANY_PORT: Settings = { address: '127.0.0.1:0', token: undefined, tls: {} };
const WELL: Condition = { stuck: [], failed: [], degraded: [], unready: [] };

let directory: string;
let condition: Condition;
let observed: Observed;
let logged: (LogFields & { readonly level: string })[];
let clock: FakeClock;
const opened: HttpEndpoint[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'http-'));
  condition = WELL;
  observed = {
    condition: () => condition,
    metrics: () => ({ hostspool_spool_depth: 42 }),
    status: () => ({ severity: 'ok' }),
  };
  logged = [];
  clock = new FakeClock();
});

afterEach(async () => {
  for (const endpoint of opened.splice(0)) await endpoint.close();
  rmSync(directory, { recursive: true });
});

const events = (level: string) => logged.filter((line) => line.level === level).map(({ event }) => event);

function start(settings: Partial<Settings> = {}, limits: Partial<HttpLimits> = {}): HttpEndpoint {
  const line = (level: string) => (fields: LogFields) => void logged.push({ level, ...fields });
  const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const options = { observed, clock, log, limits: { ...HTTP_LIMITS, ...limits } };
  const endpoint = HttpEndpoint.start({ ...ANY_PORT, ...settings }, options);
  opened.push(endpoint);
  return endpoint;
}

async function portOf(endpoint: HttpEndpoint): Promise<number> {
  await until(() => endpoint.address !== undefined, 'the endpoint listens');
  return endpoint.address?.port as number;
}

function pemFiles(authority: CertificateAuthority, name = 'one'): { cert: string; key: string } {
  const { cert, key } = authority.issue({ commonName: name, names: ['localhost', '127.0.0.1'] });
  const files = { cert: join(directory, 'http.pem'), key: join(directory, 'http.key') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return files;
}

describe('the answers', () => {
  it('tell health by status code, status and reasons', async () => {
    const port = await portOf(start());
    expect(await askJson(port, '/health')).toEqual({ code: 200, status: 'ok', reasons: [] });
    condition = { ...WELL, degraded: ['Kafka: 3 attempts failed'] };
    expect(await askJson(port, '/health')).toEqual({
      code: 200,
      status: 'degraded',
      reasons: ['Kafka: 3 attempts failed'],
    });
    condition = { ...WELL, failed: ['the spool does not take samples'], unready: ['no sample yet'] };
    expect(await askJson(port, '/health')).toMatchObject({ code: 503, status: 'failed' });
    expect(await askJson(port, '/health/live')).toMatchObject({ code: 200, status: 'ok' });
    expect(await askJson(port, '/health/ready')).toMatchObject({ code: 503 });
    condition = { ...WELL, stuck: ['no tick for 60 s'] };
    expect(await askJson(port, '/health/live')).toEqual({ code: 503, status: 'failed', reasons: ['no tick for 60 s'] });
  });

  it('have metrics as text, status as JSON, and no body for HEAD', async () => {
    const port = await portOf(start());
    const metrics = await ask(port, '/metrics?from=somewhere');
    expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.text).toContain('\nhostspool_spool_depth 42\n');
    expect(await askJson(port, '/status')).toEqual({ code: 200, severity: 'ok' });
    const head = await ask(port, '/metrics', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe(metrics.headers['content-length']);
  });

  it('name the paths there are for one there is not, without repeating what was asked', async () => {
    observed = { condition: observed.condition, metrics: observed.metrics };
    const port = await portOf(start());
    for (const path of ['/status', '/../etc/passwd', '/constructor', '/health/']) {
      const { status, text } = await ask(port, path);
      expect(status).toBe(404);
      expect((JSON.parse(text) as { paths: string[] }).paths).toEqual([
        '/health',
        '/health/live',
        '/health/ready',
        '/metrics',
      ]);
      expect(text).not.toContain('passwd');
    }
  });

  it('say nothing of an error of ours but that there was one; the log has it', async () => {
    observed = {
      ...observed,
      metrics: () => {
        throw new TypeError('a secret place');
      },
    };
    const port = await portOf(start());
    const { status, text } = await ask(port, '/metrics');
    expect(status).toBe(500);
    expect(text).not.toMatch(/secret place|TypeError|\.ts/);
    expect(events('error')).toEqual(['http_failed']);
    expect(await askJson(port, '/health')).toMatchObject({ code: 200 });
  });

  it('are worked out once for all who ask within a moment', async () => {
    let metrics = 0;
    let statuses = 0;
    observed = {
      ...observed,
      metrics: () => ({ hostspool_spool_depth: ++metrics }),
      status: () => ({ looks: ++statuses }),
    };
    const port = await portOf(start());
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/metrics')));
    for (const { text } of answers) expect(text).toContain('hostspool_spool_depth 1\n');
    for (let asked = 0; asked < 5; asked++) expect(await askJson(port, '/status')).toEqual({ code: 200, looks: 1 });
    clock.pass(250);
    expect((await ask(port, '/metrics')).text).toContain('hostspool_spool_depth 2\n');
    expect(await askJson(port, '/status')).toEqual({ code: 200, looks: 2 });
  });
});

describe('who is answered', () => {
  const paths = ['/health', '/health/live', '/health/ready', '/metrics', '/status', '/other'];

  it('is nobody without the token, whatever is asked', async () => {
    const port = await portOf(start({ token: 'open sesame' }));
    for (const path of paths) {
      for (const authorization of [undefined, 'Bearer wrong', 'Bearer open sesame!', 'Basic open sesame', 'Bearer ']) {
        const headers = authorization === undefined ? {} : { authorization };
        const { status, headers: answered, text } = await ask(port, path, { headers });
        expect(status).toBe(401);
        expect(answered['www-authenticate']).toBe('Bearer');
        expect(text).not.toMatch(/sesame|hostspool_/);
      }
    }
  });

  it('is everybody who shows the token, the new one from the reload on', async () => {
    const endpoint = start({ token: 'old' });
    const port = await portOf(endpoint);
    const status = async (token: string) =>
      (await ask(port, '/health', { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await status('old'), await status('new')]).toEqual([200, 401]);
    endpoint.apply({ ...ANY_PORT, token: 'new' });
    expect([await status('old'), await status('new')]).toEqual([401, 200]);
    endpoint.apply(ANY_PORT);
    expect((await ask(port, '/health')).status).toBe(200);
    expect(JSON.stringify(logged)).not.toMatch(/"(old|new)"/);
  });
});

describe('a client that behaves badly', () => {
  it('gets no method but GET and HEAD, and its body is not read', async () => {
    const port = await portOf(start());
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      expect((await ask(port, '/health', { method })).status).toBe(405);
    }
    using client = new RawClient(port);
    client.socket.write('GET /health HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n');
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(client.received).not.toContain('100 Continue');
  });

  it('is cut off when it sends its request a byte at a time', async () => {
    const port = await portOf(start({}, { connectionMs: 300 }));
    using slow = new RawClient(port);
    slow.socket.write('GET /health HTTP/1.1\r\n');
    const dripping = setInterval(() => slow.socket.write('X: y\r\n'), 20);
    await slow.closed;
    clearInterval(dripping);
    expect(slow.received).toBe('');
    expect((await ask(port, '/health')).status).toBe(200);
  });

  it('is cut off when it connects and says nothing', async () => {
    const port = await portOf(start({}, { connectionMs: 100 }));
    using silent = new RawClient(port);
    await silent.closed;
  });

  it('gets one answer per connection, however many requests it sends at once', async () => {
    const port = await portOf(start());
    using client = new RawClient(port);
    client.socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50));
    await client.closed;
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it.each([
    ['headers without end', `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(10_000)}\r\n\r\n`, '431'],
    ['a request line without end', `GET /${'y'.repeat(10_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, '431'],
    ['something that is no HTTP', '\x16\x03\x01 hello\r\n\r\n', '400'],
    [
      'a request smuggled behind two lengths',
      'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      '400',
    ],
  ])('is told that it sent %s, and no more', async (_what, bytes, code) => {
    const port = await portOf(start());
    using client = new RawClient(port);
    client.socket.write(bytes);
    await client.closed;
    expect(client.received).toMatch(new RegExp(`^HTTP/1\\.1 ${code} [A-Za-z ]+\r\nConnection: close\r\n`));
    expect(client.received.length).toBeLessThan(120);
  });

  it('keeps nobody out for silent connections: the oldest of too many goes', async () => {
    const port = await portOf(start({}, { connections: 3, connectionMs: 600_000 }));
    using oldest = new RawClient(port);
    await oldest.connected;
    using second = new RawClient(port);
    using third = new RawClient(port);
    await Promise.all([second.connected, third.connected]);
    expect((await ask(port, '/health')).status).toBe(200);
    await oldest.closed;
    expect([second.socket.destroyed, third.socket.destroyed]).toEqual([false, false]);
  });

  it('does not hold up the closing', async () => {
    const endpoint = start({ tls: pemFiles(new CertificateAuthority()) }, { connectionMs: 600_000 });
    using silent = new RawClient(await portOf(endpoint));
    await silent.connected;
    await endpoint.close();
    await silent.closed;
  });
});

describe('an endpoint with TLS', () => {
  it('speaks HTTPS, 1.2 at least, and never plain HTTP', async () => {
    const authority = new CertificateAuthority();
    const port = await portOf(start({ tls: pemFiles(authority) }));
    expect((await ask(port, '/health', { tls: true, ca: authority.cert })).status).toBe(200);
    await expect(ask(port, '/health', { tls: true })).rejects.toThrow();
    // At OpenSSL's usual level this client would not even offer 1.1.
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(ask(port, '/health', { tls: true, ca: authority.cert, ...old })).rejects.toThrow(
      /alert protocol version/,
    );
    await expect(ask(port, '/health')).rejects.toThrow();
  });

  it('takes a renewed certificate at a reload, and keeps the old one while the new one is no good', async () => {
    const authority = new CertificateAuthority();
    const tls = pemFiles(authority);
    const endpoint = start({ tls });
    const port = await portOf(endpoint);
    const renewed = new CertificateAuthority('another authority');
    pemFiles(renewed, 'two');
    expect((await ask(port, '/health', { tls: true, ca: authority.cert })).status).toBe(200);
    endpoint.apply({ ...ANY_PORT, tls });
    const isTrusted = (ca: string) =>
      ask(port, '/health', { tls: true, ca }).then(
        () => true,
        () => false,
      );
    await until(() => isTrusted(renewed.cert), 'the new certificate is shown');
    writeFileSync(tls.key, 'no key');
    endpoint.apply({ ...ANY_PORT, tls });
    await until(() => events('error').length > 0, 'the bad key was noticed');
    expect(events('error')).toEqual(['http_tls_not_renewed']);
    expect(await isTrusted(renewed.cert)).toBe(true);
    expect(JSON.stringify(logged)).not.toContain('no key');
  });

  it('does not listen at all without its certificate, says so once, and does once it is there', async () => {
    const tls = { cert: join(directory, 'http.pem'), key: join(directory, 'http.key') };
    const endpoint = start({ tls });
    await until(() => clock.sleeping > 0, 'it waits');
    await clock.advance(300_000);
    expect(endpoint.address).toBeUndefined();
    expect(events('error')).toEqual(['http_not_listening']);
    expect(logged[0]?.err).toMatchObject({ code: 'HTTP_TLS_FILE' });
    const authority = new CertificateAuthority();
    pemFiles(authority);
    await clock.advance(120_000);
    expect((await ask(await portOf(endpoint), '/health', { tls: true, ca: authority.cert })).status).toBe(200);
  });
});

describe('where it listens', () => {
  async function occupied(): Promise<{ server: Server; port: number }> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, port: (server.address() as { port: number }).port };
  }

  it('is nowhere with an empty address', async () => {
    const endpoint = start({ address: '' });
    await endpoint.close();
    expect(endpoint.address).toBeUndefined();
    expect(logged).toEqual([]);
  });

  it('is an address in use once that is free; until then it says so once and tries again', async () => {
    const { server, port } = await occupied();
    const endpoint = start({ address: `127.0.0.1:${port}` });
    await until(() => clock.sleeping > 0, 'it waits');
    await clock.advance(60_000);
    await until(() => events('debug').length > 0, 'it has tried again');
    expect(events('warn')).toEqual(['http_not_listening']);
    expect(logged[0]?.err).toMatchObject({ code: 'HTTP_ADDRESS_IN_USE' });
    await new Promise((resolve) => server.close(resolve));
    await until(async () => {
      await clock.advance(10_000);
      return endpoint.address !== undefined;
    }, 'it listens');
    expect((await ask(port, '/health')).status).toBe(200);
  });

  it('is another address after a reload, also when the first could not be had', async () => {
    const { server, port } = await occupied();
    const endpoint = start({ address: `127.0.0.1:${port}` });
    await until(() => clock.sleeping > 0, 'it waits');
    endpoint.apply(ANY_PORT);
    const second = await portOf(endpoint);
    expect((await ask(second, '/health')).status).toBe(200);
    endpoint.apply({ ...ANY_PORT, address: '' });
    await until(() => endpoint.address === undefined, 'it does not listen any more');
    await expect(ask(second, '/health')).rejects.toThrow('ECONNREFUSED');
    await new Promise((resolve) => server.close(resolve));
  });

  it('is said to be no address of this machine when it is not', async () => {
    const endpoint = start({ address: '192.0.2.1:9464' });
    await until(() => clock.sleeping > 0, 'it waits');
    expect(logged[0]?.err).toMatchObject({ code: 'HTTP_LISTEN', hint: expect.stringContaining('http.address') });
    await endpoint.close();
  });

  it('may be an IPv6 address', async () => {
    const endpoint = start({ address: '[::1]:0' });
    await until(() => endpoint.address !== undefined || clock.sleeping > 0, 'it listens, or there is no IPv6');
    if (endpoint.address !== undefined) expect(endpoint.address.address).toBe('::1');
  });
});

it('nothing of HTTP is loaded before somebody wants it: no file of it imports it at once', () => {
  for (const name of ['http-endpoint', 'http-server', 'http-answers', 'exposition']) {
    const source = readFileSync(join(import.meta.dirname, `../../../src/ops/${name}.ts`), 'utf8');
    expect(source).not.toMatch(/^import (?!type)[^;]*'(node:https?|node:tls|prom-client[^']*)'/m);
  }
});
