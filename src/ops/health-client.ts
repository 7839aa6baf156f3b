/**
 * Asks the endpoint of a running hostspool how it is, by the settings that it runs with: for a container's own health
 * check and for scripts, where there is no other client.
 *
 *     address of the settings ─▶ connect ─▶ TLS: is it ours? ─▶ token, question ─▶ answer
 *
 * The token goes only to who is known. With TLS that is whoever shows the certificate of the settings, or one that its
 * chain vouches for (it was renewed and is not loaded yet); its names and dates do not matter, since it is found by its
 * address, and a certificate that ran out says nothing about samples. All of it has one time limit.
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { ResolvedSettings } from '../config/load.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { readPem } from '../lib/pem-file.ts';
import { formatDuration } from '../lib/units.ts';
import type { HealthAnswer, HealthQuestion } from './condition.ts';

type HttpSettings = Pick<ResolvedSettings['http'], 'address' | 'token' | 'tls'>;

const PATHS: Readonly<Record<HealthQuestion, string>> = {
  health: '/health',
  live: '/health/live',
  ready: '/health/ready',
};

/** Far beyond any answer. */
const LONGEST_ANSWER = 256 * 1024;
const ANSWERS = new Set([200, 503]);
const STATUSES: ReadonlySet<unknown> = new Set<HealthAnswer['status']>(['ok', 'degraded', 'failed']);

/** Where the endpoint is asked, for people too. */
export interface HealthTarget {
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

/** Throws HEALTH_ADDRESS where nobody can know where to ask. */
export function healthTarget(question: HealthQuestion, { address, tls }: HttpSettings): HealthTarget {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  if (address === '' || port === 0) {
    const message = address === '' ? 'http.address is empty: there is no endpoint to ask' : noPort(address);
    throw new HostspoolError('HEALTH_ADDRESS', message, {
      hint: 'run it with an http.address, and this command with the same settings',
    });
  }
  const host = reachable(address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'));
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const scheme = tls.cert === undefined ? 'http' : 'https';
  return { host, port, url: `${scheme}://${authority}${PATHS[question]}` };
}

function noPort(address: string): string {
  return `http.address ${address} is any free port: which one it got only the log of the process tells`;
}

/** Every address of this machine is none to connect to. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return /^[0:]+$/.test(host) ? '::1' : host;
}

/** The endpoint's answer; throws HEALTH_ADDRESS, HEALTH_UNREACHABLE, HEALTH_TOKEN, HEALTH_FOREIGN, HTTP_TLS_FILE. */
export async function askHealth(
  question: HealthQuestion,
  settings: HttpSettings,
  timeoutMs: number,
): Promise<HealthAnswer> {
  const target = healthTarget(question, settings);
  const limit = AbortSignal.timeout(timeoutMs);
  let socket: Socket | undefined;
  try {
    socket = await open(target, settings, limit);
    const { statusCode = 0, text } = await ask(question, target, settings.token, socket, limit);
    return answerOf(target, statusCode, text);
  } catch (error) {
    if (error instanceof HostspoolError) throw error;
    const reason = limit.aborted ? `no answer within ${formatDuration(timeoutMs)}` : asError(error).message;
    throw new HostspoolError('HEALTH_UNREACHABLE', `${target.url}: ${reason}`, {
      hint: 'nothing runs there, it is still starting, or it runs with another http.address',
      retryable: true,
      cause: error,
    });
  } finally {
    socket?.destroy();
  }
}

async function open(target: HealthTarget, { tls }: HttpSettings, signal: AbortSignal): Promise<Socket> {
  const { host, port } = target;
  if (tls.cert === undefined) {
    const socket = connect({ host, port });
    await settled(socket, 'connect', signal);
    return socket;
  }
  const ca = readPem('certificate', 'http.tls.cert', tls.cert, 'HTTP_TLS_FILE');
  const socket = tlsConnect({
    ...{ host, port, ca, allowPartialTrustChain: true },
    // Looked at below, by more than that.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  await settled(socket, 'secureConnect', signal);
  const shown = socket.getPeerX509Certificate();
  if (socket.authorized || shown?.fingerprint256 === new X509Certificate(ca).fingerprint256) return socket;
  socket.destroy();
  throw new HostspoolError('HEALTH_FOREIGN', `${target.url} shows another certificate than ${tls.cert}`, {
    hint: 'a process that is not this hostspool has the address, or it was given another http.tls.cert',
  });
}

async function settled(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  try {
    await once(socket, event, { signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function ask(
  question: HealthQuestion,
  { url }: HealthTarget,
  token: string | undefined,
  socket: Socket,
  signal: AbortSignal,
): Promise<{ readonly statusCode: number | undefined; readonly text: string }> {
  const request = httpRequest({
    createConnection: () => socket,
    path: PATHS[question],
    headers: { Host: new URL(url).host, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
    signal,
  });
  // An answer that leaves HTTP comes as another event, and nothing would be left to wait for.
  request.once('upgrade', (_response, upgraded: Socket) => {
    upgraded.destroy();
    request.emit('error', foreign(url, 'HTTP 101'));
  });
  request.end();
  const [response] = (await once(request, 'response', { signal })) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LONGEST_ANSWER) throw foreign(url, 'the answer has no end');
  }
  return { statusCode: response.statusCode, text };
}

function answerOf({ url }: HealthTarget, code: number, text: string): HealthAnswer {
  if (code === 401) {
    throw new HostspoolError('HEALTH_TOKEN', `${url} does not take the token of http.token`, {
      hint: 'this command needs the http.token that the running process was given',
    });
  }
  if (!ANSWERS.has(code)) throw foreign(url, `HTTP ${code}`);
  try {
    const { status, reasons } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (STATUSES.has(status) && Array.isArray(reasons)) {
      return { status: status as HealthAnswer['status'], reasons: reasons.map(String) };
    }
  } catch {
    // It is told below, without the text: nobody knows whose it is.
  }
  throw foreign(url, `HTTP ${code} without a status`);
}

function foreign(url: string, what: string): HostspoolError {
  return new HostspoolError('HEALTH_FOREIGN', `${url} does not answer as hostspool does: ${what}`, {
    hint: 'another program has the address: compare http.address with what the process runs with',
  });
}
