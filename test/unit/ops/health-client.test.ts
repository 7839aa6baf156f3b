/** The client of `hostspool health`, against the endpoint itself and against those that only have its address. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostspoolError } from '../../../src/lib/errors.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { Condition } from '../../../src/ops/condition.ts';
import { askHealth, healthTarget } from '../../../src/ops/health-client.ts';
import { HttpEndpoint } from '../../../src/ops/http-endpoint.ts';
import { type Certificate, CertificateAuthority } from '../../support/broker-certificates.ts';
import { until } from '../../support/executable.ts';
import { FakeClock } from '../../support/fake-clock.ts';

type Settings = Parameters<typeof askHealth>[1];

const WELL: Condition = { stuck: [], failed: [], degraded: [], unready: [] };
const TOKEN = 'hunter2-hunter2';
const PATIENCE_MS = 60_000;

let directory: string;
let condition: Condition;
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'health-'));
  condition = WELL;
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(directory, { recursive: true });
});

/** Starts the endpoint on a free port; answers the settings by which it is asked. */
async function endpoint(given: Partial<Settings> = {}): Promise<Settings> {
  const settings: Settings = { address: '127.0.0.1:0', token: undefined, tls: {}, ...given };
  const observed = { condition: () => condition, metrics: () => ({}) };
  const started = HttpEndpoint.start(settings, { observed, clock: new FakeClock(), log: silentLog });
  closing.push(() => started.close());
  await until(() => started.address !== undefined, 'the endpoint listens');
  return { ...settings, address: `127.0.0.1:${started.address?.port}` };
}

/** A program that has the address and keeps what it is told. */
async function stranger(answer: string, pair?: Certificate): Promise<{ settings: Settings; heard: () => string }> {
  let heard = '';
  const onSocket = (socket: Socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      heard += String(data);
      if (answer !== '') socket.end(answer);
    });
  };
  const server: Server = pair === undefined ? createServer(onSocket) : createTlsServer(pair, onSocket);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => void server.close());
  const { port } = server.address() as { port: number };
  return { settings: { address: `127.0.0.1:${port}`, token: TOKEN, tls: {} }, heard: () => heard };
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function files({ cert, key }: Certificate, chain = ''): { cert: string; key: string } {
  return { cert: file('http.pem', cert + chain), key: file('http.key', key) };
}

async function refusal(settings: Settings, timeout = PATIENCE_MS): Promise<HostspoolError> {
  try {
    await askHealth('health', settings, timeout);
  } catch (error) {
    expect(String(error) + String((error as HostspoolError).hint)).not.toContain(TOKEN);
    return error as HostspoolError;
  }
  throw new Error('it was answered');
}

describe('the question', () => {
  it('gets status and reasons, whichever of the three it is', async () => {
    const settings = await endpoint();
    expect(await askHealth('health', settings, PATIENCE_MS)).toEqual({ status: 'ok', reasons: [] });
    condition = { ...WELL, degraded: ['Kafka is away'], unready: ['no sample yet'] };
    expect(await askHealth('health', settings, PATIENCE_MS)).toEqual({
      status: 'degraded',
      reasons: ['Kafka is away', 'no sample yet'],
    });
    expect(await askHealth('live', settings, PATIENCE_MS)).toEqual({ status: 'ok', reasons: [] });
    expect(await askHealth('ready', settings, PATIENCE_MS)).toEqual({
      status: 'failed',
      reasons: ['no sample yet', 'Kafka is away'],
    });
  });

  it('carries the token of the settings', async () => {
    const settings = await endpoint({ token: TOKEN });
    expect(await askHealth('health', settings, PATIENCE_MS)).toMatchObject({ status: 'ok' });
    expect((await refusal({ ...settings, token: undefined })).code).toBe('HEALTH_TOKEN');
    expect((await refusal({ ...settings, token: `${TOKEN}x` })).code).toBe('HEALTH_TOKEN');
  });

  it('goes to this machine where the endpoint listens on all of its addresses', () => {
    const target = (address: string, tls: Settings['tls'] = {}) =>
      healthTarget('live', { address, token: undefined, tls }).url;
    expect(target('0.0.0.0:9464')).toBe('http://127.0.0.1:9464/health/live');
    expect(target('[::]:9464')).toBe('http://[::1]:9464/health/live');
    expect(target('[fe80::1]:9464')).toBe('http://[fe80::1]:9464/health/live');
    expect(target('web-1:9464', { cert: 'c', key: 'k' })).toBe('https://web-1:9464/health/live');
  });

  it.each(['', '127.0.0.1:0'])('is for nobody with http.address "%s"', async (address) => {
    const error = await refusal({ address, token: TOKEN, tls: {} });
    expect(error.code).toBe('HEALTH_ADDRESS');
    expect(error.message).toContain('http.address');
  });
});

describe('over TLS', () => {
  const authority = new CertificateAuthority();

  it('takes the certificate of the settings, whatever names it is for', async () => {
    const tls = files(authority.issue({ commonName: 'web-1', names: ['web-1.example.com'] }));
    const settings = await endpoint({ token: TOKEN, tls });
    expect(await askHealth('health', settings, PATIENCE_MS)).toEqual({ status: 'ok', reasons: [] });
  });

  it('takes it also when it ran out, which says nothing about samples', async () => {
    const dates = { notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') };
    const settings = await endpoint({ tls: files(authority.issue({ commonName: 'web-1', ...dates })) });
    expect(await askHealth('health', settings, PATIENCE_MS)).toMatchObject({ status: 'ok' });
  });

  it('takes one that the chain of the renewed file vouches for', async () => {
    const settings = await endpoint({ tls: files(authority.issue({ commonName: 'old' }), authority.cert) });
    files(authority.issue({ commonName: 'new' }), authority.cert);
    expect(await askHealth('health', settings, PATIENCE_MS)).toMatchObject({ status: 'ok' });
  });

  it('tells no token to whom another certificate belongs', async () => {
    const other = await stranger('', new CertificateAuthority().issue({ commonName: 'web-1', names: ['127.0.0.1'] }));
    const tls = files(authority.issue({ commonName: 'web-1' }), authority.cert);
    const error = await refusal({ ...other.settings, tls });
    expect(error.code).toBe('HEALTH_FOREIGN');
    expect(error.message).toContain(tls.cert);
    expect(other.heard()).toBe('');
  });

  it('is never left out: a file that is gone, or an endpoint in plain text, is an error', async () => {
    const plain = await endpoint();
    const tls = files(authority.issue({ commonName: 'web-1' }));
    expect((await refusal({ ...plain, tls })).code).toBe('HEALTH_UNREACHABLE');
    expect((await refusal({ ...plain, tls: { ...tls, cert: join(directory, 'none.pem') } })).code).toBe(
      'HTTP_TLS_FILE',
    );
  });
});

describe('who is no hostspool', () => {
  const answer = (status: string, body: string) => `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n${body}`;

  it('is not there', async () => {
    const { settings } = await stranger('');
    await closing.pop()?.();
    const error = await refusal(settings);
    expect(error).toMatchObject({ code: 'HEALTH_UNREACHABLE', retryable: true });
    expect(error.message).toContain(`http://${settings.address}/health`);
  });

  it('leaves HTTP with its answer', async () => {
    const { settings } = await stranger(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    );
    const error = await refusal(settings);
    expect(error.code).toBe('HEALTH_FOREIGN');
    expect(error.message).toContain('HTTP 101');
  });

  it('never answers: the time limit ends it', async () => {
    const { settings } = await stranger('');
    expect((await refusal(settings, 100)).message).toContain('no answer within 100ms');
  });

  it.each([
    ['another page', answer('200 OK', '<html>')],
    ['another JSON', answer('200 OK', '{"status":"UP"}')],
    ['an error', answer('404 Not Found', '{"status":"ok","reasons":[]}')],
    ['an answer without end', answer('200 OK', 'x'.repeat(300_000))],
  ])('answers with %s', async (_, text) => {
    const { settings } = await stranger(text);
    expect((await refusal(settings)).code).toBe('HEALTH_FOREIGN');
  });

  it('speaks another protocol', async () => {
    const { settings } = await stranger('220 mail.example.com ESMTP\r\n');
    expect((await refusal(settings)).code).toBe('HEALTH_UNREACHABLE');
  });
});
